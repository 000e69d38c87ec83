// The controller dies, its disk too: some writes of the journal here, all in tests/campaign/release_killed.campaign.test.mjs.

import test from 'node:test';
import { killedAndResumed, takenOver } from '../support/release-killed.mjs';

test('killed after a write of the journal, then resumed: the same end, 0 failed', (t) =>
  killedAndResumed(t, { first: 3, stride: 19, options: { sidecar: false } }));

test('killed and its disk lost: a second machine knows, resumes and rolls back, 0 failed', (t) =>
  takenOver(t, { first: 14, stride: 23, options: { sidecar: false } }));
