// Signals at moments when a pause means nothing more: they hide nothing, and `resume` means what it says.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, assertCode, installed, slowTests, SMALL } from '../support/release-cases.mjs';

test('a signal while it halts: what failed is told all the same', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.make('2.1', 'say');
  const run = world.machine.release('2.1');
  await run.untilStep('west-1', 'test', 'broken');
  run.kill('SIGTERM');
  await run.done;
  assert.equal(run.err, '');
  assert.equal(run.events.at(-1).state, 'halted');
  assert.match(run.events.at(-1).text, /the API tests of 2\.1 failed at west-1[^]*pourover rollback/);
});

test('ended while it paused: resume goes on to the end', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.writeTests(slowTests(1500));
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'test', 'running');
  run.kill('SIGTERM');
  assertCode(await world.machine.run(['status']), 0); // it has heard the signal by then
  run.kill('SIGTERM');
  assertCode(await run.done, 130);
  assertCode(await world.machine.resume(), 0);
  await assertAtRest(world, '2.0');
});
