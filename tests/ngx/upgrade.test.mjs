// Restarts, crashes and binary upgrades: the split stays, and while two masters live they agree.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '../support/wait.mjs';
import { routerHttp, startPeers, startRouter, wiresTo } from './life.mjs';
import { killedChanges } from './killed.mjs';
import { crashes } from './upgrade.mjs';

const SPLIT = '/pourover/v1/services/shop/split';

test('a restart keeps the split', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const split = await router.set(420_000);
  await router.stop();
  await router.startAgain();
  assert.deepEqual(await router.split(), split);
  const status = await router.api('status');
  assert.deepEqual([status.restored, status.upgrading], ['file', false]);
});

test('kill -9 of everything behind the answer to a change loses nothing: 20 times', (t) => crashes(t, 20));

test('workers killed in the middle of changes: what was answered stays, nothing is half: 100 changes', (t) =>
  killedChanges(t, 100));

/** Sets the share through a worker among `pids`; returns how long (ms) until all workers of both masters have it. */
async function setThrough(router, pids, share_ppm) {
  const { revision } = await router.split();
  const writers = await wiresTo(router.ports.api, [pids[0]], '/pourover/v1/status');
  const readers = await wiresTo(router.ports.api, router.workers(), '/pourover/v1/status');
  const [writer] = writers.values();
  const change = { share_ppm, revision: revision + 1, if_revision: revision };
  const { status } = await writer.put(SPLIT, change);
  assert.equal(status, 200);
  const answered = performance.now();
  await waitUntil(
    async () => {
      const said = await Promise.all([...readers.values()].map((wire) => wire.get('/pourover/v1/services/shop')));
      return said.every(({ json }) => json.split.revision === change.revision && json.split.share_ppm === share_ppm);
    },
    2_000,
    'the change in both masters',
  );
  const ms = performance.now() - answered;
  [writer, ...readers.values()].forEach((wire) => wire.close());
  return ms;
}

test('in a binary upgrade a change reaches both masters, whoever took it', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const { nginx } = router;
  await router.set(10_000);
  const masters = await nginx.upgradeBegin();
  const before = await router.split();
  const instances = new Set();
  for (const [, status] of await router.eachWorker('status')) {
    assert.equal(status.upgrading, true);
    instances.add(status.instance);
  }
  assert.equal(instances.size, 2, 'two zones');
  for (const [, said] of await router.eachWorker('services/shop')) assert.deepEqual(said.split, before);

  const times = [];
  for (let i = 1; i <= 10; i += 1) {
    const pids = nginx.workers(i % 2 ? masters.old : masters.new);
    times.push(await setThrough(router, pids, i % 4 < 2 ? 50_000 * i : 0));
  }
  const latest = Math.max(...times).toFixed(0);
  t.diagnostic(`a change was seen by all workers of both masters ${latest} ms after its answer at the latest`);
  const split = await router.split();
  await nginx.upgradeFinish();
  for (const [, said] of await router.eachWorker('services/shop')) assert.deepEqual(said.split, split);
  await waitUntil(async () => !(await router.api('status')).upgrading, 20_000, 'the end of the upgrade');
  assert.equal((await router.set(1)).revision, split.revision + 1);
});

test('going back from a binary upgrade keeps what was set meanwhile', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const { nginx } = router;
  const masters = await nginx.upgradeBegin();
  await setThrough(router, nginx.workers(masters.new), 640_000);
  const split = await router.split();
  process.kill(masters.new, 'SIGQUIT');
  await waitUntil(() => nginx.master() === masters.old && !nginx.oldMaster(), 15_000, 'the old master alone');
  for (const [, said] of await router.eachWorker('services/shop')) assert.deepEqual(said.split, split);
  assert.equal((await router.set(650_000)).revision, split.revision + 1);
});

test('a crash in the middle of a binary upgrade loses nothing', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const { nginx } = router;
  const masters = await nginx.upgradeBegin();
  await setThrough(router, nginx.workers(masters.old), 70_000);
  await setThrough(router, nginx.workers(masters.new), 80_000);
  const split = await router.split();
  await router.stop('SIGKILL');
  await router.startAgain();
  assert.deepEqual(await router.split(), split);
  await waitUntil(async () => !(await router.api('status')).upgrading, 20_000, 'the old master is gone');
});

test('an old master that was killed does not leave the router upgrading for ever', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const { nginx } = router;
  const masters = await nginx.upgradeBegin();
  const old = nginx.workers(masters.old);
  [masters.old, ...old].forEach((pid) => nginx.kill(pid));
  await waitUntil(async () => !(await router.api('status')).upgrading, 20_000, 'the end of the upgrade');
  assert.equal(nginx.oldMaster(), masters.old, 'its pid file is still there');
  assert.equal((await router.set(5)).share_ppm, 5);
});

test('another nginx does not start with the same state file', async (t) => {
  const peers = await startPeers(t);
  const router = await startRouter(t, peers);
  const state = `${router.nginx.dir}/state/router.json`;
  const http = (place) => routerHttp(peers)(place).replace(/state=\S+;/, `state=${state};`);
  await assert.rejects(startRouter(t, peers, { http }), /is used by another nginx \(pid \d+\)/);
});
