// Under load, in short; tests/campaign/load.campaign.test.mjs is the long form.

import { underLoad } from './under-load.mjs';

underLoad({ rate: 300, seconds: [1, 3], rise: 3, reloads: 20, after: 1, upgrade: 2, kills: 8 });
