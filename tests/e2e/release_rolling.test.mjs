// A rolling release under visitors: nothing is lost, and what is done is what the plan said, in its order.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, assertCode, begun, installed, planned, released } from '../support/release-cases.mjs';

const LEAVE_FIRST = ['preflight', 'room', 'leave', 'stop', 'pull', 'proxy', 'connect', 'start', 'test', 'join', 'soak'];

async function planOf(world, version) {
  return assertCode(await world.machine.run(['plan', version]), 0).json();
}

async function rollUnderLoad(t, world) {
  const plan = await planOf(world, '2.0');
  await world.startLoad();
  await world.untilAnswered();
  const run = await released(world.machine, '2.0');
  await world.untilAnswered();
  assert.deepEqual(begun(run), planned(plan));
  const [join] = await world.assertNothingLost(t);
  assert.ok(join.versions['1.0'].answered > 0 && join.versions['2.0'].answered > 0);
  await assertAtRest(world, '2.0');
  return run;
}

test('two data centers, sidecars: 0 failed, the second data center begins when the first is done', async (t) => {
  const run = await rollUnderLoad(t, await installed(t));
  assert.ok(run.at('west-2', 'soak', 'done') <= run.at('east-1', 'leave', 'running'), run.told());
});

test('an order of its own, in which hosts leave before they pull: 0 failed', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, overrides: { order: LEAVE_FIRST } });
  const run = await rollUnderLoad(t, world);
  assert.ok(run.at('west-1', 'leave', 'done') <= run.at('west-1', 'pull', 'running'), run.told());
});

test('beside: the new copy next to the old one, 0 failed, capacity is never less', async (t) => {
  const world = await installed(t, { datacenters: { west: 1 }, slots: 2 });
  await rollUnderLoad(t, world);
  const gaps = world.served().map(({ at }, i, all) => (i ? at - all[i - 1].at : 0));
  assert.ok(Math.max(...gaps) < 1000, 'the only host always had a copy that served');
});

test('a plan touches nothing', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false });
  const before = await world.state();
  const plan = await planOf(world, '2.0');
  assert.ok(plan.steps.length > 10);
  assert.deepEqual(await world.state(), before);
  assert.equal((await world.machine.run(['plan', '2.0'], { json: false })).out.includes('west-2'), true);
});
