// A minute of load for each kind of event.

import { underLoad } from '../ngx/under-load.mjs';

underLoad({ rate: 300, seconds: [5, 60], rise: 60, reloads: 50, after: 50, manyReloads: 300, upgrade: 30, kills: 120 });
