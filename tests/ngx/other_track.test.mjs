// pourover_other_track: assets of one version that the other one does not have.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { startNginx, testConfig } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

/** A version of the application: `files` it has; 404 for the rest; `answer` instead, if it is set. */
class App {
  asked = []; // [method, url, track] of each request
  files = new Set(['/page']);
  answer = null;

  static async start(name) {
    const app = new App();
    app.name = name;
    app.server = http.createServer((request, response) => {
      app.asked.push([request.method, request.url, request.headers['x-pourover-track'] ?? '']);
      response.setHeader('x-host', name);
      if (app.answer) return app.answer(request, response);
      if (app.files.has(request.url)) return response.end(`${request.url} of ${name}\n`);
      response.statusCode = request.url.startsWith('/secret') ? 403 : 404;
      return response.end(`nothing of ${name}\n`);
    });
    await app.listen(0);
    return app;
  }

  listen(port) {
    return new Promise((resolve) => this.server.listen(port, '127.0.0.1', () => {
      this.port = this.server.address().port;
      resolve();
    }));
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

const service = (name, { apps, ports }, more = '') => `
  upstream ${name} {
    pourover zone=main share=100% salt=r1;
    pourover_passive off;
    server 127.0.0.1:${apps.stable.port};
    pourover_server 127.0.0.1:${name === 'lone' ? ports.dead : apps.canary.port} track=canary;
    ${more}
    keepalive 4;
  }`;

const config = (apps) => ({ ports, dir }) => `
  pourover_zone name=main size=4m;
  proxy_cache_path ${dir}/cache keys_zone=c:1m;
  ${service('shop', { apps, ports })}
  ${service('lone', { apps, ports }, 'pourover_server 127.0.0.1:' + apps.canary.port + ' track=canary;')}
  upstream half { pourover zone=main share=0; server 127.0.0.1:${apps.stable.port};
    pourover_server 127.0.0.1:${apps.canary.port} track=canary; }
  upstream single { pourover zone=main share=0; server 127.0.0.1:${apps.stable.port}; }
  server {
    listen 127.0.0.1:${ports.http};
    pourover_visitor id=$http_x_id;
    pourover_other_track on=404;
    pourover_service shop;
    location / { proxy_pass http://shop; }
    location /off/ { pourover_other_track off; proxy_pass http://shop/; }
    location /both/ { pourover_other_track on=404,403; proxy_pass http://shop/; }
    location /once/ { proxy_next_upstream off; proxy_next_upstream_tries 1; proxy_pass http://shop/; }
    location /half/ { pourover_service half; proxy_pass http://half/; }
    location /single/ { pourover_service single; proxy_pass http://single/; }
    location /lone/ { pourover_service lone; proxy_pass http://lone/; }
    location /cached/ { proxy_cache c; proxy_cache_valid 200 404 1m; proxy_cache_key $uri$pourover_track; proxy_pass http://shop/; }
    location /page-404/ { proxy_intercept_errors on; error_page 404 = /instead; proxy_pass http://shop/; }
    location = /instead { internal; return 200 "instead"; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

const VISITOR = { 'x-id': 'somebody' };
const apps = {};
let nginx;

before(async () => {
  for (const name of ['stable', 'canary']) apps[name] = await App.start(name);
  nginx = await startNginx({ ports: ['http', 'api', 'dead'], workers: 1, http: config(apps) });
});

after(async () => {
  await nginx?.stop();
  await Promise.all(Object.values(apps).map((app) => app.close()));
  nginx.assertCleanLog();
});

/** Asks, and tells what came of it: status, host, who was asked, and what the service counted for the track. */
async function look(url, { service: name = 'shop', track = 'canary', method = 'GET' } = {}) {
  const stats = async () => (await api(nginx.ports.api, `v1/services/${name}/stats`)).tracks;
  for (const app of Object.values(apps)) app.asked = [];
  const before = await stats();
  const { status, body, header } = await ask(nginx.ports.http, url, { method, headers: VISITOR }).then((answer) => ({
    status: answer.status, body: answer.body, header: answer.header.bind(answer),
  }));
  const counted = (tracks) => tracks.stable.requests + tracks.canary.requests;
  await waitUntil(async () => counted(await stats()) > counted(before), 5000, 'the request counted');
  const now = await stats();
  const diff = (key) => now[track][key] - before[track][key];
  assert.equal(diff('requests'), 1, 'it is counted under its own track');
  return {
    status,
    body,
    host: header('x-host'),
    asked: { stable: apps.stable.asked.length, canary: apps.canary.asked.length },
    counts: ['other_track', 'retries', 'first_failed', 'crossed'].map(diff),
  };
}

test('an asset that only the other track has is served by that, under the own track', async () => {
  apps.stable.files.add('/old.js');
  const found = await look('/old.js');
  assert.deepEqual(found, { status: 200, host: 'stable', body: '/old.js of stable\n', asked: { stable: 1, canary: 1 }, counts: [1, 0, 0, 0] });
  assert.deepEqual(apps.stable.asked, [['GET', '/old.js', 'canary']], 'the track in the header is the request\'s own');
});

test('a stable visitor gets an asset of the canary', async () => {
  apps.canary.files.add('/new.js');
  const found = await look('/half/new.js', { service: 'half', track: 'stable' });
  assert.deepEqual([found.status, found.host, found.counts], [200, 'canary', [1, 0, 0, 0]]);
});

test('what neither has is a 404, asked once each and not counted as served by the other', async () => {
  const missing = await look('/nowhere');
  assert.deepEqual([missing.status, missing.asked], [404, { stable: 1, canary: 1 }]);
  assert.deepEqual(missing.counts, [0, 0, 0, 0]);
});

test('what the own track has is not asked elsewhere', async () => {
  const page = await look('/page');
  assert.deepEqual([page.status, page.host, page.asked, page.counts], [200, 'canary', { stable: 0, canary: 1 }, [0, 0, 0, 0]]);
});

describe('the other track is not asked', () => {
  test('for methods but GET and HEAD', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, asked } = await look('/old.js', { method });
      assert.deepEqual([method, status, asked], [method, 404, { stable: 0, canary: 1 }]);
    }
  });

  test('where it is off, for a 403 that nobody asked for, and without a peer there', async () => {
    assert.deepEqual((await look('/off/old.js')).asked, { stable: 0, canary: 1 });
    const secret = await look('/secret');
    assert.deepEqual([secret.status, secret.asked], [403, { stable: 0, canary: 1 }]);
    const single = await look('/single/new.js', { service: 'single', track: 'stable' });
    assert.deepEqual([single.status, single.asked], [404, { stable: 1, canary: 0 }]);
  });
});

test('HEAD is asked too, and 403 where that is wanted', async () => {
  const head = await look('/old.js', { method: 'HEAD' });
  assert.deepEqual([head.status, head.host, head.counts[0]], [200, 'stable', 1]);
  apps.stable.files.add('/secret');
  const secret = await look('/both/secret');
  assert.deepEqual([secret.status, secret.host, secret.counts[0]], [200, 'stable', 1]);
  apps.stable.files.delete('/secret');
});

test('it works where nginx is told not to try elsewhere', async () => {
  const found = await look('/once/old.js');
  assert.deepEqual([found.status, found.host, found.counts], [200, 'stable', [1, 0, 0, 0]]);
});

test('when the other track fails, the visitor gets the own 404 and not its error', async () => {
  const wrong = {
    'an error': (request, response) => response.writeHead(500).end('wrong'),
    'no answer': (request) => request.socket.destroy(),
    'half a header': (request) => request.socket.end('HTTP/1.1 200 OK\r\nX-Half'),
  };
  for (const [what, answer] of Object.entries(wrong)) {
    apps.stable.answer = answer;
    const missing = await look('/old.js');
    assert.deepEqual([what, missing.status, missing.host, missing.counts[0]], [what, 404, 'canary', 0]);
    assert.deepEqual(missing.asked, { stable: 1, canary: 2 });
  }
  apps.stable.answer = null;
  const { port } = apps.stable;
  await apps.stable.close();
  const missing = await look('/old.js');
  assert.deepEqual([missing.status, missing.host], [404, 'canary'], 'nobody listens there');
  await apps.stable.listen(port);
});

test('a peer of the own track that refuses is retried in the track before its 404 is asked elsewhere', async () => {
  const seen = new Set();
  for (let i = 0; i < 12; i += 1) {
    const found = await look('/lone/old.js', { service: 'lone' });
    assert.deepEqual([found.status, found.host, found.asked, found.counts[0]], [200, 'stable', { stable: 1, canary: 1 }, 1]);
    assert.equal(found.counts[1], found.counts[2], 'retried as often as it failed');
    seen.add(found.counts[1]);
  }
  assert.deepEqual([...seen].sort(), [0, 1]);
});

test('a cache keeps the better answer, and an error page comes only after both', async () => {
  for (let i = 0; i < 2; i += 1) {
    const answer = await ask(nginx.ports.http, '/cached/old.js', { headers: VISITOR });
    assert.deepEqual([answer.status, answer.header('x-host')], [200, 'stable']);
  }
  assert.equal((await ask(nginx.ports.http, '/page-404/old.js', { headers: VISITOR })).header('x-host'), 'stable');
  assert.equal((await ask(nginx.ports.http, '/page-404/nowhere', { headers: VISITOR })).body, 'instead');
});

test('what was asked elsewhere is no event, also when 4xx are watched; what was not is one', async () => {
  const watch = JSON.stringify({ kinds: ['4xx'] });
  const headers = { 'content-type': 'application/json', 'content-length': watch.length };
  const { status } = await ask(nginx.ports.api, '/pourover/v1/services/shop/watch', { method: 'PUT', headers, body: watch });
  assert.equal(status, 200);
  const { next } = await api(nginx.ports.api, 'v1/services/shop/events?after=0');
  for (const url of ['/old.js', '/nowhere', '/off/old.js']) await look(url);
  const { events } = await api(nginx.ports.api, `v1/services/shop/events?after=${next}`);
  assert.deepEqual(events.map(({ kind, route }) => [kind, route]), [['client-error', '/off/']]);
});

test('wrong values are refused with what would be right', async () => {
  for (const wrong of ['on=500', 'on=', 'on', 'on=404,', '404']) {
    const { code, output } = await testConfig({ ports: [], http: `server { listen 127.0.0.1:9; pourover_other_track ${wrong}; }` });
    assert.notEqual(code, 0, wrong);
    assert.match(output, /pourover_other_track cannot be ".*"; right is on=404, on=404,403 or off/);
  }
});
