// The long forms: API tests of 20 s, a job of 40 s, a rolling release under a minute of visitors.

import { test } from 'node:test';
import { assertAtRest, installed, released } from '../support/release-cases.mjs';

process.env.POUROVER_LONG = '1';
await import('../e2e/release_untested.test.mjs');
await import('../e2e/release_workers.test.mjs');

test('releases up and down for a minute under load: 0 failed', async (t) => {
  const world = await installed(t, { routers: 2 });
  world.make('1.1');
  await world.startLoad({ rate: 300, connections: 64, visitors: 5000 });
  const until = Date.now() + 60_000;
  let version;
  for (let i = 0; Date.now() < until; i += 1) {
    version = i % 2 ? '1.1' : '2.0';
    await released(world.machine, version);
  }
  await world.assertNothingLost(t);
  await assertAtRest(world, version);
});
