// Three million simulated releases from a seed of the day, and the planted bugs.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const SIM = path.resolve(process.env.POUROVER_BUILD_DIR ?? 'build/debug', 'tests/sim_fast');
const SEED = process.env.SIM_SEED ?? String(Math.floor(Math.random() * 2 ** 40));

for (const profile of ['quiet', 'faults', 'storm']) {
  test(`campaign: a million simulated releases, ${profile}`, (t) => {
    t.diagnostic(`seed: SIM_SEED=${SEED}`);
    const { status, stdout } = spawnSync(SIM, ['--runs', '1000000', '--seed', SEED, '--profile', profile], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    assert.equal(status, 0, stdout);
  });
}

test('campaign: every planted bug is found', () => {
  const { status, stdout } = spawnSync('tools/mutate-release', { encoding: 'utf8', maxBuffer: 2 ** 26 });
  assert.equal(status, 0, stdout);
});
