// More than a minute of load for each kind of event.

import { fleetUnderLoad } from '../ngx/fleet.mjs';

fleetUnderLoad({ load: { rate: 300, seconds: [5, 60], streams: 8, websockets: 8 }, rounds: 4, seconds: 5 });
