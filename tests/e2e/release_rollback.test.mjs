// Rollback in the middle of things; all phases are in tests/campaign/release_rollback.campaign.test.mjs.

import { PHASES, rollbackFrom } from '../support/release-phases.mjs';

const { rolling, canary, beside } = PHASES;

// A busy machine is given more time than the second that is promised, which the campaign holds.
rollbackFrom({ rolling: [rolling[2]], canary: [canary[2], canary[3]], beside: [beside[1]] }, { within: 3_000 });
