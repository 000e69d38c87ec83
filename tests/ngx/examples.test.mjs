// The files of examples/nginx run as they stand, but for ports and paths.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MODULE, startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { freePort } from '../support/wait.mjs';

/** The file with the test's ports and paths in place of the example's. */
function adapt(name, ports) {
  const text = readFileSync(new URL(`../../examples/nginx/${name}`, import.meta.url), 'utf8');
  return ({ dir }) => {
    const here = `user root;\npid ${dir}/nginx.pid;\nhttp {\naccess_log off;\nproxy_temp_path ${dir}/proxy;\n`
      + `client_body_temp_path ${dir}/body;\n`;
    const config = text
      .replace('modules/ngx_http_pourover_module.so', MODULE)
      .replace('/var/lib/pourover', `${dir}/state`)
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
  exampleRuns('canary.conf', 'shop', async (world) => {
    await walks(world);
    await world.get({ 'x-release-track': 'stable' });
    assert.deepEqual(world.served(), [2, 1]);
  }));

test('examples: host-switching.conf chooses the host by the track', () =>
  exampleRuns('host-switching.conf', 'shop', walks));

test('examples: version-cookie.conf obeys the cookie of the application', () =>
  exampleRuns('version-cookie.conf', 'student-api', async ({ get, served }) => {
    await get({ cookie: 'api_version=old' });
    await get({ cookie: 'api_version=new' });
    await get();
    assert.deepEqual(served(), [2, 1]);
  }));
