// A sidecar: the health checks of a router in front go through it to the application, or fail by command.

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';
import { api, ask, askRaw, call2, connect2 } from './client.mjs';

let port; // of the application
let app = null;
let sidecar;
let ports; // of the sidecar
let front;

const sidecarHttp = ({ ports: own, dir }) => `
  pourover_zone name=main size=4m state=${dir}/state/sidecar.json fail_file=${dir}/fail;
  proxy_cache_path ${dir}/cache keys_zone=cache:1m;
  proxy_http_version 1.1;
  proxy_set_header Connection '';
  pourover_headers pass;
  upstream app {
    pourover zone=main;
    pourover_check http uri=/ready interval=100ms timeout=100ms rise=1 fall=1;
    server 127.0.0.1:${port};
  }
  upstream other {
    pourover zone=main;
    pourover_check tcp interval=100ms timeout=100ms rise=1 fall=1;
    server 127.0.0.1:9;
  }
  server {
    listen 127.0.0.1:${own.http};
    listen 127.0.0.1:${own.h2} http2;
    location / { proxy_pass http://app; }
    location = /static { return 200 fine; }
    location = /healthz { pourover_healthcheck; proxy_pass http://app/; }
    location = /branch { pourover_healthcheck; if ($arg_x) { set $x 1; } proxy_pass http://app/; }
    location = /cached { pourover_healthcheck; proxy_cache off; proxy_pass http://app/reply?header=Cache-Control:max-age=60; }
    location = /any { satisfy any; allow all; deny all; pourover_healthcheck; proxy_pass http://app/; }
    location = /ready { pourover_healthcheck app; }
    location = /both { pourover_healthcheck app other; }
    location /demo.Echo/ { pourover_healthcheck; grpc_pass grpc://app; }
    error_page 502 503 /sorry;
    location = /sorry { return 500 sorry; }
    location /cache/ { proxy_cache cache; proxy_cache_valid 1m; proxy_pass http://app/; }
  }
  server { listen 127.0.0.1:${own.api}; location /pourover/ { pourover_api; } }`;

/** A router in front of the sidecar, with these parameters of its check. */
const frontHttp = (check) => ({ ports: own }) => `
  pourover_zone name=main size=4m;
  upstream shop {
    pourover zone=main;
    pourover_check http uri=/healthz rise=1 ${check};
    server 127.0.0.1:${ports.http};
  }
  server { listen 127.0.0.1:${own.http}; location / { proxy_pass http://shop; } }
  server { listen 127.0.0.1:${own.api}; location /pourover/ { pourover_api; } }`;

const startFront = (check) => startNginx({ ports: ['http', 'api'], http: frontHttp(check) });

before(async () => {
  port = await freePort();
  sidecar = await startNginx({ ports: ['http', 'h2', 'api'], http: sidecarHttp });
  ports = sidecar.ports;
  front = await startFront('interval=200ms timeout=200ms fall=3');
});

after(async () => {
  for (const nginx of [front, sidecar]) {
    await nginx.stop();
    nginx.assertCleanLog();
  }
  await app?.stop();
});

/** Ends the sidecar's nginx and starts it again. */
async function restart() {
  const { dir } = sidecar;
  await sidecar.stop();
  sidecar = await startNginx({ dir, ports: [], http: () => sidecarHttp({ ports, dir }) });
}

async function startApp() {
  app = await startUpstream({ version: 'v1', host: 'app', port });
}

async function stopApp() {
  await app?.stop();
  app = null;
}

const tell = async (what, body) => {
  const answer = await call({ port: ports.api }, 'POST', `healthcheck/${what}`, body);
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
};

const get = (url) => ask(ports.http, url);

/** The front's peer, as its API tells it. */
const peer = async (router = front) => (await api(router.ports.api, 'v1/services/shop')).peers[0];
const becomes = (health, reason) =>
  waitUntil(async () => {
    const { health: now, check } = await peer();
    return now === health && check.reason === reason;
  }, 10_000, `the front's peer ${health}, for ${reason}`);

/** Waits until the front has made some more checks. */
async function moreChecks() {
  const checks = async () => (await api(front.ports.api, 'v1/status')).checker.checks;
  const before = await checks();
  await waitUntil(async () => (await checks()) >= before + 5, 10_000, 'five more checks');
}

test('a sidecar alone never passes the check of the router in front', async () => {
  await becomes('down', 'status');
  assert.match((await peer()).check.text, /502/);
  await moreChecks();
  assert.equal((await peer()).health, 'down');
  await startApp();
  await becomes('up', 'ok');
});

describe('told to fail', () => {
  afterEach(() => tell('ok'));

  test('before the application starts, it stays so through that, a reload and a restart, until it is told ok', async () => {
    await stopApp();
    await becomes('down', 'status');
    const { healthcheck } = await tell('fail', { by: 'release 12' });
    assert.deepEqual([healthcheck.failing, healthcheck.by], [true, 'release 12']);
    await becomes('down', 'told');
    const fails = async () => {
      const answer = await get('/healthz');
      assert.deepEqual([answer.status, answer.header('x-pourover-fail'), answer.body], [503, '1', 'told to fail by release 12\n']);
      await moreChecks();
      const { health, check } = await peer();
      assert.deepEqual([health, check.reason], ['down', 'told']);
    };
    await startApp();
    await fails();
    await sidecar.reload();
    await fails();
    await restart();
    await fails();
    await tell('ok');
    await becomes('up', 'ok');
  });

  test('it says so in every answer of its services, and the router in front obeys any of them at once', async (t) => {
    const calm = await startFront('interval=1h');
    t.after(() => calm.stop());
    await waitUntil(async () => (await peer(calm)).health === 'up', 10_000, 'a first check');
    assert.equal((await get('/')).header('x-pourover-fail'), '');
    await tell('fail');
    for (const url of ['/', '/status/404', '/reply?status=304', '/close']) {
      assert.deepEqual((await get(url)).all('x-pourover-fail'), ['1'], url);
    }
    assert.equal((await get('/static')).header('x-pourover-fail'), '', 'no answer of a service');
    const answer = await ask(calm.ports.http, '/');
    assert.deepEqual([answer.status, answer.header('x-host'), answer.header('x-pourover-fail')], [200, 'app', '']);
    const { health, check } = await peer(calm);
    assert.deepEqual([health, check.reason], ['down', 'told']);
  });

  test('it cannot be talked round by access rules, branches, error pages or gRPC', async () => {
    await tell('fail');
    for (const url of ['/healthz', '/branch', '/branch?x=1', '/any', '/ready', '/cached']) {
      const answer = await get(url);
      assert.deepEqual([answer.status, answer.header('x-pourover-fail')], [503, '1'], url);
      assert.equal(answer.body, 'told to fail\n', url);
    }
    const session = connect2(ports.h2);
    const answer = await call2(session, 'Say');
    session.close();
    assert.deepEqual([answer.status, answer.header('x-pourover-fail')], [503, '1']);
  });

  test('by the file that is there when it starts; ok removes it', async () => {
    const flag = path.join(sidecar.dir, 'fail');
    writeFileSync(flag, '');
    await sidecar.reload();
    assert.equal((await get('/healthz')).status, 200, 'a reload does not look at it');
    await restart();
    const answer = await get('/healthz');
    assert.deepEqual([answer.status, answer.header('x-pourover-fail')], [503, '1']);
    assert.equal((await tell('ok')).flag_file_left, undefined);
    assert.equal(existsSync(flag), false);
    assert.equal((await get('/healthz')).status, 200);
  });
});

describe('a health check', () => {
  test('goes through to the application, by HTTP and gRPC', async () => {
    const answer = await get('/healthz');
    assert.deepEqual([answer.status, answer.header('x-host')], [200, 'app']);
    const session = connect2(ports.h2);
    assert.deepEqual((await call2(session, 'Say')).trailers['grpc-status'], '0');
    session.close();
  });

  test('is never to be stored, whatever the application says', async () => {
    for (const url of ['/healthz', '/cached', '/ready', '/both']) assert.deepEqual((await get(url)).all('cache-control'), ['no-store'], url);
  });

  test('of named services passes when each has a peer whose check passes, and names those that have none', async () => {
    await waitUntil(async () => (await get('/ready')).status === 200, 10_000, 'a check that passes');
    const both = await get('/both');
    assert.deepEqual([both.status, both.body, both.header('x-pourover-fail')], [503, 'no peer passes its check: other\n', '']);
    app.setMode({ status: 500 });
    await waitUntil(async () => (await get('/ready')).status === 503, 10_000, 'a check that fails');
    assert.equal((await get('/both')).body, 'no peer passes its check: app, other\n');
    app.setMode({});
    const head = await askRaw(ports.http, 'HEAD /both HTTP/1.0\r\n\r\n');
    assert.deepEqual([head.status, head.body], [503, '']);
  });
});
