// The fleet under load, in short; tests/campaign/fleet.campaign.test.mjs is the long form.

import { fleetUnderLoad } from './fleet.mjs';

fleetUnderLoad({ load: { rate: 300, seconds: [0.5, 2], streams: 4, websockets: 4 }, rounds: 1, seconds: 0.5 });
