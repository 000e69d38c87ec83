// While a host's API tests run no visitor is sent there, however long they take.

import assert from 'node:assert/strict';
import test from 'node:test';
import { orderPeer, tellSidecar } from '../support/release-hosts.mjs';
import { assertAtRest, assertCode, installed, slowTests } from '../support/release-cases.mjs';

const SLOW_MS = process.env.POUROVER_LONG === '1' ? 20_000 : 3_000;

async function slowWorld(t) {
  const world = await installed(t, { datacenters: { west: 2 } });
  world.writeTests(slowTests(SLOW_MS));
  await world.startLoad();
  await world.untilAnswered();
  return world;
}

test('slow API tests: no visitor between leave and join', async (t) => {
  const world = await slowWorld(t);
  const run = assertCode(await world.machine.release('2.0').done, 0);
  await world.untilAnswered();
  for (const host of ['west-1', 'west-2']) {
    const [left, joins] = [run.at(host, 'leave', 'done'), run.at(host, 'test', 'done')];
    assert.ok(joins - left >= SLOW_MS, `${host} was out for ${joins - left} ms`);
    assert.equal(world.servedBetween(host, left, joins), 0, `visitors at ${host} before it had joined`);
  }
  await world.assertNothingLost(t);
  await assertAtRest(world, '2.0');
});

test('without drain and flag visitors do come while the tests run: the count can tell', async (t) => {
  const world = await slowWorld(t);
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'test', 'running');
  const host = world.host('west-1');
  await tellSidecar(host, 'ok');
  await orderPeer(world, host, { state: 'ready' });
  await run.done;
  assert.ok(world.servedBetween('west-1', run.at('west-1', 'test', 'running'), run.at('west-1', 'test', 'done')) > 0);
});
