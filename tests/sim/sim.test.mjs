// A hundred thousand releases in a simulated world with faults; every invariant after every event; every state, arrow and outcome seen.
// SIM_SEED and SIM_RUNS choose others; a failure prints its seed and how to replay it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const BUILD = path.resolve(process.env.POUROVER_BUILD_DIR ?? 'build/debug', 'tests');
const SEED = process.env.SIM_SEED ?? '1';
const RUNS = process.env.SIM_RUNS ?? '100000';

function sim(program, ...args) {
  const { status, stdout, stderr } = spawnSync(path.join(BUILD, program), args, { encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 250_000 });
  return { status, text: stdout + stderr };
}

test('simulated releases keep every invariant, and see every state, arrow and outcome', (t) => {
  const { status, text } = sim('sim_fast', '--runs', RUNS, '--seed', SEED, '--profile', 'all', '--coverage');
  const last = text.trimEnd().split('\n').at(-1);
  t.diagnostic(last);
  assert.equal(status, 0, text);
  assert.match(last, new RegExp(`^seed ${SEED}: ${RUNS} runs, .* 0 failed, 0 not seen$`));
});

test('a seed replays exactly', () => {
  for (const seed of ['2', '300', '4001']) {
    const [one, again] = [0, 1].map(() => sim('sim_fast', '--runs', '1', '--seed', seed, '--profile', 'storm', '--show', '--lines', '2000'));
    assert.equal(one.text, again.text);
    assert.ok(one.text.split('\n').length > 20, one.text);
  }
});

test('the engine has no error of memory in a few thousand of them', () => {
  const { status, text } = sim('sim', '--runs', '3000', '--seed', SEED, '--profile', 'all');
  assert.equal(status, 0, text);
});
