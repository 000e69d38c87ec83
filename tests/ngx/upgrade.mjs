// What a router keeps over the end of its processes: changes are answered, then everything is killed at once.

import assert from 'node:assert/strict';
import { startPeers, startRouter } from './life.mjs';

/** Kills all processes right behind the answer to a change, `times` times; each start has to know the change. */
export async function crashes(t, times) {
  const router = await startRouter(t, await startPeers(t));
  const { instance } = await router.api('status');
  let lost = 0;
  for (let i = 1; i <= times; i += 1) {
    const change = { share_ppm: (i * 137_911) % 1_000_001, salt: `s${i}`, enabled: i % 3 !== 0 };
    const { status } = await router.put({ ...change, revision: i, if_revision: i - 1 });
    await router.stop('SIGKILL');
    assert.equal(status, 200);
    await router.startAgain();
    const said = await router.api('services/shop');
    lost += JSON.stringify(said.split) !== JSON.stringify({ ...change, revision: i });
    assert.equal(said.restored, 'file');
  }
  t.diagnostic(`${times} times everything killed behind the answer to a change: ${lost} changes lost`);
  assert.equal(lost, 0);
  assert.notEqual((await router.api('status')).instance, instance);
}
