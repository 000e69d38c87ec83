// nginx in the foreground, and without a master: as containers and developers run it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { alive } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { startPeers, startRouter, Wire } from './life.mjs';

const NGINX = process.env.POUROVER_NGINX ?? '/usr/sbin/nginx';

/** Starts the router's nginx again, in the foreground with these directives; returns the process. */
async function inForeground(t, router, main) {
  const { nginx } = router;
  await router.stop();
  nginx.writeConfig({ main });
  const child = spawn(NGINX, ['-p', nginx.dir, '-e', `${nginx.dir}/error.log`, '-c', `${nginx.dir}/nginx.conf`]);
  t.after(() => child.kill('SIGKILL'));
  await waitUntil(() => router.api('status'), 10_000, 'the router');
  return child;
}

async function serves(router, version) {
  const wire = new Wire(router.ports.http);
  assert.equal((await wire.get('/')).headers.get('x-version'), version);
  wire.close();
}

const ended = (child) => waitUntil(() => !alive(child.pid), 10_000, 'the end of nginx');

for (const [name, main] of [
  ['in the foreground', 'daemon off;'],
  ['without a master', 'daemon off; master_process off;'],
]) {
  test(`${name}: state, changes and visitors as ever`, async (t) => {
    const router = await startRouter(t, await startPeers(t));
    const split = await router.set(1_000_000);
    let child = await inForeground(t, router, main);
    assert.deepEqual(await router.split(), split);
    await serves(router, 'v2');
    const lowered = await router.set(0);
    await serves(router, 'v1');
    assert.equal((await router.api('status')).workers.length, main.includes('master') ? 1 : 2);
    child.kill('SIGKILL');
    router.nginx.processes().forEach((pid) => router.nginx.kill(pid));
    await ended(child);
    child = await inForeground(t, router, main);
    assert.deepEqual(await router.split(), lowered);
    child.kill('SIGQUIT');
    await ended(child);
  });
}

test('a container ends with its first signal, and a reload in the foreground keeps the split', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const child = await inForeground(t, router, 'daemon off;');
  const split = await router.set(300_000);
  child.kill('SIGHUP');
  await waitUntil(async () => (await router.api('status')).restored === 'kept', 10_000, 'the reload');
  assert.deepEqual(await router.split(), split);
  child.kill('SIGTERM');
  await ended(child);
});
