// Rollback from every phase of every kind of release, with the visitors that "under load" means.

import { PHASES, rollbackFrom } from '../support/release-phases.mjs';

rollbackFrom(PHASES, { within: 1_000, load: { rate: 300, connections: 64 } });
