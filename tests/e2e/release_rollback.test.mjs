// Rollback in the middle of things; all phases are in tests/campaign/release_rollback.campaign.test.mjs.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, installed, released } from '../support/release-cases.mjs';
import { PHASES, rollbackFrom } from '../support/release-phases.mjs';

const { rolling, canary, beside } = PHASES;

// A busy machine is given more time than the second that is promised, which the campaign holds.
rollbackFrom({ rolling: [rolling[2]], canary: [canary[2]], beside: [beside[1]] }, { within: 5_000 });

test('a limit of a stage is exceeded: it goes back by itself, and says so', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, slots: 2, strategy: 'canary' });
  world.make('2.0', 'errors');
  world.writeTests('- testName: Up\n  http: {}\n  cases:\n  - name: says its version\n    http: {method: GET, path: /version}\n    expect: {status: 200}\n');
  await world.startLoad();
  const run = await released(world.machine, '2.0', { code: 1 });
  assert.ok(run.events.some(({ event, state }) => event === 'mode' && state === 'rolled back'), run.told());
  assert.match(run.out, /error|failed/);
  const last = world.served().findLast(({ version }) => version === '2.0');
  assert.ok(last.at <= run.endedAt);
  assert.equal(await world.share(), 0);
  await assertAtRest(world, '1.0');
});
