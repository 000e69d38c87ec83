// A track never gets more visitors than it can bear: refused by the plan, refused before it is set, or the pool grows.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, assertCode, installed } from '../support/release-cases.mjs';

const POOL = { datacenters: { west: 2, east: 2 }, sidecar: false, strategy: 'canary', pool: ['west-2', 'east-2'] };
const stages = (...shares) => ({ canary: { stages: shares } });

test('a stage above the capacity of the pool is refused by the plan, with the ways on', async (t) => {
  const world = await installed(t, { ...POOL, overrides: stages('0', '1%', '90%', '100%') });
  const before = await world.state();
  for (const args of [['plan', '2.0'], ['release', '2.0', '--yes']]) {
    const run = assertCode(await world.machine.run(args, { json: false }), 2);
    assert.match(run.out + run.err, /90 ?%/);
    assert.match(run.out + run.err, /grow/);
  }
  assert.deepEqual(await world.state(), before);
});

test('a stage that the plan allows is refused before it is set when the pool has lost capacity since', async (t) => {
  const world = await installed(t, { ...POOL, grow: true, overrides: stages('0', '10%', '40%', '100%') });
  await world.startLoad();
  const run = world.machine.release('2.0');
  await run.untilShare(100_000);
  for (const name of ['west-1', 'east-1']) await world.order('PATCH', `/peers/127.0.0.1:${world.host(name).port('web')}`, { weight: 50 });
  await run.done;
  assert.ok([1, 6].includes(run.code), run.told());
  assert.equal(await world.share(), 100_000, 'the share stays where it was');
  assert.equal(run.events.some(({ event, share_ppm: share }) => event === 'share' && share > 100_000), false);
  assertCode(await world.machine.rollback(), 0);
  assert.equal(await world.share(), 0);
  await world.assertNothingLost(t);
});

test('grow: stable hosts come over before the stage that needs them, and all end on the new version', async (t) => {
  const world = await installed(t, { ...POOL, grow: true });
  await world.startLoad();
  const run = assertCode(await world.machine.release('2.0').done, 0);
  const shares = run.events.filter(({ event }) => event === 'share').map(({ share_ppm: share }) => share);
  const top = shares.indexOf(1_000_000);
  assert.deepEqual(shares.slice(0, top + 1).filter((share, i, all) => share !== all[i - 1]), [0, 10_000, 500_000, 1_000_000]);
  assert.ok(shares.slice(top).every((share, i, all) => i === 0 || share <= all[i - 1]) && shares.at(-1) === 0, `the way down is walked: ${shares}`);
  assert.ok(shares.slice(top).some((share) => share > 0 && share < 1_000_000), `not in one step: ${shares}`);
  assert.deepEqual(world.moves('2.0', '1.0'), [], 'nobody flips back');
  await world.assertNothingLost(t);
  await assertAtRest(world, '2.0');
});

test('abort from 100 % on: the copy that serves stays until the old version is back', async (t) => {
  const world = await installed(t, { ...POOL, grow: true });
  await world.startLoad();
  const run = world.machine.release('2.0');
  await run.untilShare(1_000_000);
  await run.until(({ event, host, step, status }) => event === 'step' && host === 'east-1' && step === 'stop' && status === 'done', 'the last stable host stopped');
  assertCode(await world.machine.rollback(), 0);
  await run.done;
  await world.untilAnswered();
  await world.assertNothingLost(t);
  await assertAtRest(world, '1.0');
});
