// Two routers and the command line: one goes away, what holds is set on the other, it comes back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BUILD_DIR } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { startPeers, startRouter, Wire } from './life.mjs';

const PROGRAM = path.join(BUILD_DIR, 'src/cli/pourover');

/** `pourover router ...` for the service shop on both routers: {code, text}. */
function pourover(routers, ...args) {
  const env = { ...process.env, POUROVER_ROUTERS: routers.join(' ') };
  const child = spawn(PROGRAM, ['router', ...args, '--service', 'shop', '--timeout', '3s'], { env });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  child.stderr.on('data', (chunk) => { text += chunk; });
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, text }));
  });
}

const address = (name, { ports }) => `${name}=http://127.0.0.1:${ports.api}/pourover`;

/** East and west before the same services; `run(...)` is the program with both. */
async function twoRouters(t) {
  const peers = await startPeers(t);
  const east = await startRouter(t, peers);
  const west = await startRouter(t, peers);
  const both = [address('east', east), address('west', west)];
  return { east, west, run: (...args) => pourover(both, ...args) };
}

async function expectExit(code, run, pattern) {
  const { code: got, text } = await run;
  assert.equal(got, code, text);
  if (pattern) assert.match(text, pattern);
}

/** The canary's part of 200 first visits through a router. */
async function canaryPart(port) {
  const wire = new Wire(port);
  let canary = 0;
  for (let i = 0; i < 200; i += 1) canary += (await wire.get('/')).headers.get('x-version') === 'v2';
  wire.close();
  return canary / 200;
}

test('a stopped router blocks raising, not lowering; back with its old share it is brought down first', async (t) => {
  const { east, west, run } = await twoRouters(t);
  await expectExit(0, run('set', '50%'));
  assert.deepEqual(await east.split(), await west.split());
  await west.stop();

  await expectExit(3, run('set', '60%'), /west/);
  assert.equal((await east.split()).share_ppm, 500_000, 'nothing was raised');
  await expectExit(1, run('set', '10%'), /west/);
  assert.equal((await east.split()).share_ppm, 100_000, 'the one that is there was lowered');

  await west.startAgain();
  const old = await west.api('services/shop');
  assert.equal(old.split.share_ppm, 500_000, 'its file says what held when it went');
  await expectExit(1, run('status'), /differ|disagree/);
  await expectExit(1, run('set', '60%'), /differ|disagree|sync/);
  assert.equal((await east.split()).share_ppm, 100_000);

  await expectExit(0, run('sync'));
  assert.deepEqual(await west.split(), await east.split());
  const part = await canaryPart(west.ports.http);
  assert.ok(part < 0.25, `${part} of west's visitors on the canary at 10 %`);
  await expectExit(0, run('set', '60%'));
  assert.deepEqual(await west.split(), await east.split());
  await expectExit(0, run('status'));
});

test('a router that hangs blocks raising, not lowering; when it goes on it has the old share until sync', async (t) => {
  const { east, west, run } = await twoRouters(t);
  await expectExit(0, run('set', '20%'));
  const pids = west.nginx.workers();
  pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  await expectExit(3, run('set', '30%'), /west/);
  await expectExit(1, run('disable'), /west/);
  assert.equal((await east.split()).enabled, false);
  pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
  await waitUntil(async () => (await west.api('status')).services.length > 0, 5_000, 'west again');
  await expectExit(0, run('sync'));
  assert.deepEqual(await west.split(), await east.split());
});

test('a router whose state file was lost begins at 0 and is brought to the present share', async (t) => {
  const { east, west, run } = await twoRouters(t);
  await expectExit(0, run('set', '40%'));
  await west.stop();
  rmSync(`${west.nginx.dir}/state`, { recursive: true });
  await west.startAgain();
  assert.equal((await west.split()).share_ppm, 0);
  await expectExit(1, run('set', '50%'), /differ|disagree|sync/);
  await expectExit(0, run('sync'));
  assert.deepEqual(await west.split(), await east.split());
});
