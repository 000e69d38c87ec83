// A version whose API test fails: the release halts, the host is out and stopped, nobody notices; and the way back.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertGolden } from '../support/golden.mjs';
import { assertAtRest, assertCode, installed, message, released, slowTests } from '../support/release-cases.mjs';

test('halted at the API test: host stopped and out, the others untouched, rollback restores', async (t) => {
  const world = await installed(t);
  world.make('2.1-broken', 'say');
  await world.startLoad();
  await world.untilAnswered();
  const before = await world.state();
  const run = await released(world.machine, '2.1-broken', { code: 1 });
  assert.ok(run.events.some(({ event, state }) => event === 'mode' && state === 'halted'), run.told());
  const halted = await world.state();
  assert.deepEqual(halted.hosts['west-1'].versions, []);
  assert.deepEqual(halted.routers.front['west-1'], ['west-1 web stable draining']);
  for (const name of ['west-2', 'east-1', 'east-2']) {
    assert.deepEqual(halted.hosts[name], before.hosts[name]);
    assert.deepEqual(halted.routers.front[name], before.routers.front[name]);
  }
  await world.untilAnswered();
  assert.equal(world.served().some(({ version }) => version === '2.1-broken'), false, 'no visitor saw it');
  const back = assertCode(await world.machine.rollback(), 0);
  const touching = ({ host, step }) => host && host !== 'west-1' && ['leave', 'stop', 'start', 'shut'].includes(step);
  assert.deepEqual(back.events.filter(touching), [], 'only the host that changed goes back');
  await world.untilAnswered();
  await world.assertNothingLost(t);
  await assertAtRest(world, '1.0');
});

test('what a person reads when it halts', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 } });
  world.make('2.1-broken', 'say');
  const run = await released(world.machine, '2.1-broken', { code: 1, json: false });
  assert.match(run.out, /^\d\d:\d\d:\d\d west-1 +test +failed /m);
  assertGolden('release/halted_test.txt', message(world, run));
  const status = await world.machine.status();
  for (const word of ['halted', '2.1-broken', 'west-1', 'pourover resume', 'pourover rollback']) assert.ok(status.includes(word), status);
});

test('halted, mended, resumed: the release ends as if nothing had been', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 } });
  world.make('2.1', 'say');
  await released(world.machine, '2.1', { code: 1 });
  world.make('2.1');
  assertCode(await world.machine.resume(), 0);
  await assertAtRest(world, '2.1');
});

test('pause: the host on its way is seen through, then nothing moves until resume', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 } });
  world.writeTests(slowTests(1500));
  await world.startLoad();
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'test', 'running');
  assertCode(await world.machine.run(['pause']), 0);
  assertCode(await run.done, 6);
  assert.deepEqual([await world.version(world.host('west-1')), await world.version(world.host('west-2'))], ['2.0', '1.0']);
  assertCode(await world.machine.resume(), 0);
  await world.assertNothingLost(t);
  await assertAtRest(world, '2.0');
});

test('a second release while one runs is refused, by another machine too', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 } });
  world.make('3.0');
  world.writeTests(slowTests(1500));
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'leave', 'running');
  for (const machine of [world.machine, world.at('other')]) assertCode(await machine.release('3.0').done, 7);
  assertCode(await run.done, 0);
  await assertAtRest(world, '2.0');
});
