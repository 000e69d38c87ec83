// The configurations of examples/ run as they stand, but for addresses, ports and paths.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { startDns } from '../support/dns.mjs';
import { MODULE, startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

/** The file with `changes` of texts, and the test's ports and paths in place of the example's. */
function adapt(name, ports, changes = {}) {
  const file = readFileSync(new URL(`../../examples/${name}`, import.meta.url), 'utf8');
  const text = Object.entries(changes).reduce((all, [from, to]) => all.replaceAll(from, to), file);
  return ({ dir }) => {
    const here = `user root;\npid ${dir}/nginx.pid;\nhttp {\naccess_log off;\nproxy_temp_path ${dir}/proxy;\n`
      + `client_body_temp_path ${dir}/body;\n`;
    const config = text
      .replace('modules/ngx_http_pourover_module.so', MODULE)
      .replace('modules/ngx_stream', '/usr/lib/nginx/modules/ngx_stream')
      .replaceAll('/var/lib/pourover', `${dir}/state`)
      .replaceAll('/run/pourover', `${dir}/pourover`)
      .replace('http {', here);
    return config.replace(/\b(80\d\d|9900)\b/g, (port) => ports[port] ?? port);
  };
}

async function exampleRuns(name, service, check) {
  const stable = await startUpstream({ version: 'old' });
  const canary = await startUpstream({ version: 'new' });
  const http = await freePort();
  const api = await freePort();
  const ports = { 8081: stable.port, 8082: stable.port, 8083: stable.port, 8091: canary.port, 8080: http, 9900: api };
  const nginx = await startNginx({ config: adapt(name, ports), workers: 1 });
  try {
    await check({
      served: () => [stable.ledger.entries.length, canary.ledger.entries.length],
      put: (body) => fetch(`http://127.0.0.1:${api}/pourover/v1/services/${service}/split`, {
        method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      }),
      get: (headers = {}) => fetch(`http://127.0.0.1:${http}/`, { headers }),
    });
  } finally {
    await nginx.stop();
    await stable.stop();
    await canary.stop();
  }
  nginx.assertCleanLog();
}

/** Everybody on stable at first, everybody on the canary after one call. */
async function walks({ put, get, served }) {
  const first = await get();
  assert.equal(first.status, 200);
  const cookie = first.headers.get('set-cookie');
  assert.match(cookie, /^pourover_id=[0-9a-f]{16}; Max-Age=31536000; Path=\/; SameSite=Lax; HttpOnly$/);
  assert.deepEqual(served(), [1, 0]);
  const set = await put({ share_ppm: 1000000, revision: 1, if_revision: 0 });
  assert.equal(set.status, 200);
  assert.equal((await set.json()).saved, true);
  await get({ cookie: cookie.split(';')[0] });
  assert.deepEqual(served(), [1, 1]);
}

test('examples: canary.conf walks, and lets colleagues choose', () =>
  exampleRuns('nginx/canary.conf', 'shop', async (world) => {
    await walks(world);
    await world.get({ 'x-release-track': 'stable' });
    assert.deepEqual(world.served(), [2, 1]);
  }));

test('examples: host-switching.conf chooses the host by the track', () =>
  exampleRuns('nginx/host-switching.conf', 'shop', walks));

test('examples: version-cookie.conf obeys the cookie of the application', () =>
  exampleRuns('nginx/version-cookie.conf', 'student-api', async ({ get, served }) => {
    await get({ cookie: 'api_version=old' });
    await get({ cookie: 'api_version=new' });
    await get();
    assert.deepEqual(served(), [2, 1]);
  }));

/** A TCP server at this address that greets; its port. */
function greeter(t, address, greeting) {
  const server = net.createServer((socket) => socket.end(greeting));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return new Promise((resolve) => server.listen(0, address, () => resolve(server.address().port)));
}

/** What a TCP server says until it closes. */
function said(port) {
  return new Promise((resolve, reject) => {
    let text = '';
    net.connect(port, '127.0.0.1').on('data', (chunk) => { text += chunk; }).on('close', () => resolve(text)).on('error', reject);
  });
}

test('examples: a sidecar and the router in front of it', async (t) => {
  const dns = await startDns();
  t.after(() => dns.stop());
  const ports = { app: await freePort(), in: await freePort(), out: await freePort(), front: await freePort(), api: await freePort() };
  const database = await greeter(t, '127.0.0.3', 'the database');
  const start = (name, changes, of) => startNginx({ config: adapt(`sidecar/${name}`, of, changes), workers: 1 });
  const sidecar = await start('sidecar.conf', {
    'resolver 127.0.0.11': `resolver 127.0.0.1:${dns.port}`, 'valid=5s': 'valid=1s', '127.0.0.1:5432': `127.0.0.1:${ports.out}`, ':5432': `:${database}`,
  }, { 8080: ports.in, 8081: ports.app });
  const front = await start('front.conf', {
    '10.0.1.11': '127.0.0.1', '10.0.2.11': '127.0.0.1', '10.0.1.12': '127.0.0.1', 'listen 80;': `listen ${ports.front};`,
  }, { 8080: ports.in, 9900: ports.api });
  t.after(async () => {
    for (const nginx of [front, sidecar]) {
      await nginx.stop();
      nginx.assertCleanLog();
    }
  });
  const becomes = (health) => waitUntil(async () => {
    const { peers } = await api(ports.api, 'v1/services/shop');
    return peers.length > 0 && peers.every((peer) => peer.health === health);
  }, 15_000, `peers that are ${health}`);
  const tell = (what) => call({ socketPath: `${sidecar.dir}/pourover-sidecar.sock` }, 'POST', `healthcheck/${what}`);

  await becomes('down'); // nothing resolves yet
  const app = await startUpstream({ version: 'v1', host: 'app', address: '127.0.0.2', port: ports.app });
  t.after(() => app.stop());
  dns.set('app.internal', ['127.0.0.2']);
  dns.set('db.internal', ['127.0.0.3']);
  await becomes('up');
  const answer = await ask(ports.front, '/echo');
  assert.deepEqual([answer.header('x-host'), answer.json.headers['x-pourover-track']], ['app', 'stable']);
  assert.equal(await said(ports.out), 'the database');
  assert.equal((await tell('fail')).status, 200);
  await becomes('down');
  assert.equal((await ask(ports.front, '/')).status, 200, 'nobody is left, so all are tried');
  assert.equal((await tell('ok')).status, 200);
  await becomes('up');
});
