// A train walks for long while features keep shipping: a release in its middle goes to both tracks.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertCode, installed } from '../support/release-cases.mjs';

const STAGES = { canary: { stages: ['0', { share: '40%', dwell: '2s' }, '100%'] } };

test('v1.1 goes to both tracks in mid-walk, no visitor flips, the walk goes on at its stage', async (t) => {
  const world = await installed(t, { datacenters: { west: 2, east: 2 }, sidecar: false, strategy: 'canary', pool: ['west-2', 'east-2'], grow: true, overrides: STAGES });
  world.makeTrain('1.0');
  world.makeTrain('1.1');
  await world.startLoad();
  const train = world.machine.start(['train', 'start', 'rails-7', '--variant', 'next', '--yes']);
  await train.untilShare(400_000);
  assertCode(await world.machine.run(['pause']), 0);
  assertCode(await train.done, 6);
  await world.untilAnswered(300);

  const second = await world.machine.run(['train', 'start', 'rails-8', '--variant', 'next', '--yes'], { json: false });
  assertCode(second, 7);
  assert.match(second.out + second.err, /rails-7/);

  const run = assertCode(await world.machine.release('1.1').done, 0);
  assert.equal(await world.share(), 400_000);
  assert.deepEqual(run.events.filter(({ event, share_ppm: share }) => event === 'share' && share !== 400_000), []);
  await world.untilAnswered(300);
  const versions = await Promise.all(world.hosts.map((host) => world.version(host)));
  assert.deepEqual([...new Set(versions)].sort(), ['1.1', '1.1-next']);
  const isNext = (version) => version.endsWith('-next');
  const flips = world.loads.flatMap(({ visitors }) => visitors.moves).filter(({ from, to, at }) => isNext(from) && !isNext(to) && at > run.startedAt);
  assert.deepEqual(flips, []);

  const on = assertCode(await world.machine.resume(), 6); // at its end a train waits for a person
  const shares = on.events.filter(({ event }) => event === 'share').map(({ share_ppm: share }) => share);
  assert.ok(shares.every((share) => share >= 400_000), `the walk goes on at its stage: ${shares}`);
  assert.equal(await world.share(), 1_000_000);
  assertCode(await world.machine.run(['train', 'end', '--yes']), 0);
  await world.assertNothingLost(t);
});
