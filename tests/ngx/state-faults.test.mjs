// Saving the state file when the machine fails in the middle: strace makes a chosen system call of the worker fail, or
// kills the worker at it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { alive, startNginx } from '../support/nginx.mjs';
import { call, readState } from '../support/router-api.mjs';
import { waitUntil } from '../support/wait.mjs';

const skip = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0 ? false : 'needs strace and the right to use it';

const http = ({ ports, dir }) => `pourover_zone name=main size=2m state=${dir}/state/router.json; pourover_cut shop zone=main;
  server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`;

async function start(options = {}) {
  const nginx = await startNginx({ http, workers: 1, ...options });
  const target = { port: nginx.ports.http };
  // the first save is the router's own: it is not to be the one that something happens to
  await waitUntil(async () => (await call(target, 'GET', 'v1/status')).body.state.saved, 5_000, 'the first save');
  return {
    nginx,
    file: path.join(nginx.dir, 'state/router.json'),
    split: async () => (await call(target, 'GET', 'v1/services/shop')).body.split,
    put: (share_ppm, revision, if_revision = revision - 1) =>
      call(target, 'PUT', 'v1/services/shop/split', { share_ppm, revision, if_revision }),
  };
}

/** Runs `what` while strace does `inject` to the calls of the only worker. */
async function injecting(router, inject, what) {
  const [worker] = router.nginx.workers();
  const strace = spawn('strace', ['-f', '-qq', '-p', String(worker), '-e', `trace=${inject.split(':')[0]}`, '-e', `inject=${inject}`], {
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const traced = () =>
    ['', ...threads(worker)].every((thread) => /TracerPid:\s+[1-9]/.test(readFileSync(`/proc/${worker}${thread}/status`, 'utf8')));
  await waitUntil(traced, 10_000, 'strace attached');
  try {
    return await what(worker);
  } finally {
    if (strace.exitCode === null && strace.signalCode === null) {
      const gone = new Promise((resolve) => strace.once('exit', resolve));
      strace.kill('SIGKILL');
      await gone;
    }
  }
}

const threads = (pid) => spawnSync('ls', [`/proc/${pid}/task`], { encoding: 'utf8' }).stdout.trim().split('\n').map((tid) => `/task/${tid}`);

const inFile = (router) => readState(readFileSync(router.file, 'utf8')).services.get('shop');

test('a call that fails: 507, a raise is not done, a lowering holds in memory', { skip }, async () => {
  const router = await start();
  assert.equal((await router.put(1000, 1)).status, 200);
  let revision = 1;
  for (const [inject, reason] of [
    ['fsync:error=EIO:when=1', /Input\/output error/],
    ['rename:error=ENOSPC:when=1', /No space left on device/],
    ['openat:error=EROFS:when=1+', /Read-only file system/],
  ]) {
    const up = await injecting(router, inject, () => router.put(2000, revision + 1));
    assert.equal(up.status, 507, up.text);
    assert.match(up.body.error.message, reason);
    assert.equal(up.body.split.revision, revision, inject);
    assert.equal((await router.split()).revision, revision, inject);
    assert.equal(inFile(router).revision, revision, inject);

    const down = await injecting(router, inject, () => router.put(1000 - revision, revision + 1, 'any'));
    assert.equal(down.status, 507, down.text);
    assert.equal((await router.split()).share_ppm, 1000 - revision, inject);
    assert.equal(inFile(router).revision, revision, inject);

    revision += 2;
    assert.equal((await router.put(1000, revision, revision - 1)).status, 200);
    assert.equal(inFile(router).revision, revision);
  }
  await router.nginx.stop();
  router.nginx.assertCleanLog([/state file ".*" was not written/]);
  router.nginx.remove();
});

test('a worker killed at a call of the save: the file is the old one or the new one, and nothing is stuck', { skip }, async () => {
  let router = await start();
  let revision = 1;
  assert.equal((await router.put(1000, revision)).status, 200);
  for (const [inject, durable] of [
    ['fsync:signal=SIGKILL:when=1', false], // STATE.tmp is written
    ['rename:signal=SIGKILL:when=1', false], // the signal comes before the call
    ['fsync:signal=SIGKILL:when=2', true], // of the directory
  ]) {
    for (const share_ppm of [5000 + revision, 10]) {
      const raise = share_ppm > 10;
      const before = await router.split();
      await injecting(router, inject, async (worker) => {
        await assert.rejects(router.put(share_ppm, revision + 1), /socket hang up|ECONNRESET/, 'no answer');
        await waitUntil(() => !alive(worker), 5_000, 'the death of the worker');
        router.nginx.kill(worker, 0); // remembered as killed by this test
      }).catch((error) => {
        if (error.code !== 'ESRCH') throw error;
      });
      await waitUntil(() => router.nginx.workers().length === 1, 5_000, 'a new worker');
      const now = await waitUntil(async () => {
        const split = await router.split();
        return (durable || !raise ? split.revision === revision + 1 : split.revision === revision) && split;
      }, 5_000, `the split that is right after ${inject}`);
      assert.equal(now.share_ppm, durable || !raise ? share_ppm : before.share_ppm);
      assert.equal(inFile(router).revision, durable ? revision + 1 : revision, inject);
      // nobody holds the lock or the mutex
      revision += 2;
      const next = await router.put(3000, revision, now.revision);
      assert.equal(next.status, 200, next.text);
      assert.equal(inFile(router).share_ppm, 3000);
    }
    const { dir } = router.nginx;
    await router.nginx.stop();
    router = await start({ dir });
    assert.equal((await router.split()).revision, revision);
  }
  await router.nginx.stop();
  router.nginx.assertCleanLog([/exited on signal 9/]);
  router.nginx.remove();
});

test('a lowering does not wait for a raise whose disk hangs, and the raise is not done then', { skip }, async () => {
  const router = await start();
  assert.equal((await router.put(1000, 1)).status, 200);
  await injecting(router, 'fsync:delay_enter=6000000:when=1', async () => {
    let raised = false;
    const raise = router.put(9000, 2).finally(() => {
      raised = true;
    });
    await waitUntil(() => existsSync(`${router.file}.tmp`), 5_000, 'the raise being written');
    const down = await router.put(5, 2, 'any');
    assert.equal(raised, false, 'the raise hangs still');
    assert.equal(down.status, 507, down.text);
    assert.match(down.body.error.message, /another process has its lock/);
    assert.deepEqual([down.body.split.share_ppm, (await router.split()).share_ppm], [5, 5]);
    const up = await raise;
    assert.equal(up.status, 409, up.text);
    assert.match(up.body.error.message, /was lowered while this change was being saved/);
    assert.equal(up.body.split.share_ppm, 5);
  });
  assert.equal((await router.split()).share_ppm, 5);
  assert.equal((await router.put(6, 3)).status, 200);
  assert.equal(inFile(router).share_ppm, 6);
  await router.nginx.stop();
  router.nginx.assertCleanLog([/state file ".*" was not written/]);
  router.nginx.remove();
});
