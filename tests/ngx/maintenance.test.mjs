// Maintenance by command: whom it stops, what they get, what it does to the statistics.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { api, ask, call2, connect2 } from './client.mjs';

const PAGE = '<p>our own page</p>\n';

let shop;
let plain;
let nginx;

const config = ({ ports, dir }) => `
  pourover_zone name=main size=4m state=${dir}/state/router.json;
  proxy_http_version 1.1;
  upstream shop { pourover zone=main share=100%; server ${shop.peer}; pourover_server ${shop.peer} track=canary; }
  upstream other { pourover zone=main; server ${shop.peer}; }
  upstream plain { server ${plain.peer}; }
  upstream plain-canary { server ${plain.peer}; }
  upstream plain-stable { server ${plain.peer}; }
  pourover_cut switch zone=main;
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    root ${dir}/files;
    pourover_visitor id=cookie:pourover_id;
    location / { pourover_service shop; proxy_pass http://shop; }
    location /unnamed/ { proxy_pass http://shop/; }
    location /other/ { pourover_service shop; proxy_pass http://other/; }
    location /plain/ { pourover_service shop; proxy_pass http://plain/; }
    location /variable/ { pourover_service shop; set $to shop; proxy_pass http://$to/; }
    location /switch/ { pourover_service switch; proxy_pass http://plain-$pourover_track/; }
    location /branches/ {
      pourover_service switch;
      if ($pourover_track = canary) { proxy_pass http://plain; }
      proxy_pass http://plain;
    }
    location /files/ { pourover_service shop; alias ${dir}/files/; }
    location /tried/ { pourover_service shop; try_files $uri @shop; }
    location @shop { proxy_pass http://shop; }
    location /off/ { pourover_service shop; pourover_maintenance off; proxy_pass http://shop/; }
    location = /healthz { pourover_service shop; pourover_healthcheck; proxy_pass http://shop/; }
    location /staff/ { pourover_service shop; pourover_maintenance allow=127.0.0.1; proxy_pass http://shop/; }
    location /nobody/ { pourover_service shop; pourover_maintenance allow=10.0.0.0/8 retry_after=2m; proxy_pass http://shop/; }
    location /page/ { pourover_service shop; pourover_maintenance page=/files/page.html?x=1; proxy_pass http://shop/; }
    location /named/ { pourover_service shop; pourover_maintenance page=@page; proxy_pass http://shop/; }
    location @page { root ${dir}/files; rewrite ^ /page.html break; }
    location /loop/ { pourover_service shop; pourover_maintenance page=/loop/page; proxy_pass http://shop/; }
    location /error/ { pourover_service shop; error_page 503 /files/page.html; proxy_pass http://shop/; }
    location /closed/ { pourover_service shop; deny all; proxy_pass http://shop/; }
    location /mirrored/ { mirror /mirror; proxy_pass http://plain/; }
    location = /mirror { internal; proxy_pass http://shop; }
    location /demo.Echo/ { pourover_service shop; grpc_pass grpc://shop; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

before(async () => {
  shop = await startUpstream({ version: 'v1', host: 'shop' });
  plain = await startUpstream({ version: 'v1', host: 'plain' });
  nginx = await startNginx({
    ports: ['http', 'h2', 'api'],
    http: (place) => {
      mkdirSync(path.join(place.dir, 'files'));
      writeFileSync(path.join(place.dir, 'files', 'page.html'), PAGE);
      return config(place);
    },
  });
});

after(async () => {
  await nginx.stop();
  nginx.assertCleanLog();
  await shop.stop();
  await plain.stop();
});

async function maintain(service, body) {
  const answer = await call({ port: nginx.ports.api }, 'PUT', `v1/services/${service}/maintenance`, body);
  assert.equal(answer.status, 200, answer.text);
}

afterEach(async () => {
  for (const service of ['shop', 'other', 'switch']) await maintain(service, { on: false });
});

const get = (url, headers = {}) => ask(nginx.ports.http, url, { headers });
const statuses = (urls) => Promise.all(urls.map(async (url) => `${url} ${(await get(url)).status}`));
const stats = async (service) => (await api(nginx.ports.api, `v1/services/${service}/stats`)).tracks;

test('requests to the service get 503, all others are served', async () => {
  const to = ['/', '/unnamed/', '/variable/', '/tried/x', '/nobody/', '/error/'];
  const not = ['/other/', '/plain/', '/switch/', '/branches/', '/files/page.html', '/off/', '/staff/', '/healthz'];
  assert.deepEqual(await statuses([...to, ...not]), [...to, ...not].map((url) => `${url} 200`));
  await maintain('shop', { on: true });
  assert.deepEqual(await statuses(to), to.map((url) => `${url} 503`));
  assert.deepEqual(await statuses(not), not.map((url) => `${url} 200`));
  await maintain('shop', { on: false });
  assert.deepEqual(await statuses(to), to.map((url) => `${url} 200`));
});

test('a service whose hosts are chosen by the track is stopped too', async () => {
  await maintain('switch', { on: true });
  assert.deepEqual(await statuses(['/switch/', '/branches/', '/', '/plain/']),
    ['/switch/ 503', '/branches/ 503', '/ 200', '/plain/ 200']);
});

test('rules of access hold as before, and copies for a mirror do not reach the service', async () => {
  await maintain('shop', { on: true });
  assert.equal((await get('/closed/')).status, 403);
  const before = shop.ledger.entries.length;
  assert.equal((await get('/mirrored/')).status, 200);
  assert.equal(shop.ledger.entries.length, before);
});

describe('the answer', () => {
  test('is a page with the message for browsers, the message for others, and may not be stored', async () => {
    await maintain('shop', { on: true, by: 'mia', message: 'back at <b>12</b> & "later", für alle' });
    const page = await get('/', { accept: 'text/html,*/*;q=0.8' });
    assert.deepEqual([page.status, page.header('content-type')], [503, 'text/html; charset=utf-8']);
    assert.deepEqual(page.all('retry-after'), ['60']);
    assert.match(page.header('cache-control'), /no-store/);
    const text = Buffer.from(page.body).toString();
    assert.match(text, /<p>back at &lt;b&gt;12&lt;\/b&gt; &amp; (&quot;|")later(&quot;|"), für alle<\/p>/);
    const other = await get('/', { accept: 'application/json' });
    assert.deepEqual([other.header('content-type'), other.body], ['text/plain; charset=utf-8', 'back at <b>12</b> & "later", für alle\n']);
    assert.equal((await get('/nobody/')).header('retry-after'), '120');
  });

  test('has words of its own when the command gave none', async () => {
    await maintain('shop', { on: true });
    assert.match((await get('/', { accept: 'text/html' })).body, /<p>This service is being worked on/);
  });

  test('comes to HEAD without a body, and to POST with one, on a connection that goes on', async () => {
    await maintain('shop', { on: true });
    const head = await ask(nginx.ports.http, '/', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [503, '']);
    const body = 'x'.repeat(100_000);
    const post = await ask(nginx.ports.http, '/', { method: 'POST', body, headers: { 'content-length': body.length } });
    assert.equal(post.status, 503);
  });

  test('is UNAVAILABLE with the message for clients of gRPC', async () => {
    await maintain('shop', { on: true, message: '50 % für alle' });
    const session = connect2(nginx.ports.h2);
    const answer = await call2(session, 'Say');
    session.close();
    assert.deepEqual([answer.status, answer.header('content-type')], [200, 'application/grpc']);
    assert.deepEqual([answer.header('grpc-status'), decodeURIComponent(answer.header('grpc-message'))], ['14', '50 % für alle']);
    assert.equal(answer.body, '');
  });

  test('gives visitors their id as always', async () => {
    await maintain('shop', { on: true });
    assert.match((await get('/')).issued, /^[0-9a-f]{16}$/);
    assert.match((await get('/page/')).issued, /^[0-9a-f]{16}$/);
  });

  test('may be a page of a location of its own, by URI or name', async () => {
    await maintain('shop', { on: true });
    for (const url of ['/page/', '/named/']) {
      const answer = await get(url);
      assert.deepEqual([answer.status, answer.body, answer.all('retry-after')], [503, PAGE, ['60']], url);
      assert.match(answer.header('cache-control'), /no-store/);
    }
    const post = await ask(nginx.ports.http, '/page/', { method: 'POST', body: 'x', headers: { 'content-length': 1 } });
    assert.deepEqual([post.status, post.body], [503, PAGE]);
  });

  test('does not run in a circle when the page is one of the service itself', async () => {
    await maintain('shop', { on: true, message: 'round and round' });
    const answer = await get('/loop/');
    assert.deepEqual([answer.status, answer.body, answer.all('retry-after')], [503, 'round and round\n', ['60']]);
  });
});

test('it is counted for itself, and neither as a request nor as an error of a track', async () => {
  const before = await stats('shop');
  await maintain('shop', { on: true });
  for (const url of ['/', '/unnamed/', '/page/', '/loop/']) await get(url);
  const { canary, stable } = await stats('shop');
  assert.equal(canary.maintenance - before.canary.maintenance, 4);
  assert.equal(stable.maintenance, before.stable.maintenance);
  assert.equal(canary.requests, before.canary.requests);
  assert.deepEqual(canary.statuses, before.canary.statuses);
});
