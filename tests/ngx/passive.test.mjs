// What requests tell of a peer: failures in a row take it out for a time, a header of any answer at once; when all
// fail, failing ones are tried; what may be tried again, and where.

import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

const EJECT_MS = 600;
const upstreams = {};
let nginx;

const peer = (name) => upstreams[name].peer;

const services = ({ ports }) => ({
  pair: [`server ${peer('a')};`, `server ${peer('b')};`, `pourover_passive fails=3 eject=${EJECT_MS}ms;`],
  off: [`server ${peer('a')};`, `server ${peer('b')};`, 'pourover_passive off;'],
  alone: [`server ${peer('a')};`, `pourover_passive fails=2 eject=${EJECT_MS}ms;`],
  lost: [`server 127.0.0.1:${ports.dead};`, 'pourover_passive fails=2 eject=60s;'],
  kept: [`server 127.0.0.1:${upstreams.once.port};`, 'pourover_passive fails=1 eject=60s;', 'keepalive 4;'],
  checked: [`server ${peer('a')};`, `server ${peer('b')};`, 'pourover_check http uri=/healthz interval=60s jitter=0%;'],
  enclosed: [`server ${peer('a')};`, 'pourover_check http uri=/healthz interval=60s jitter=0%;'],
  tracks: [`server ${peer('a')};`, `pourover_server ${peer('b')} track=canary;`, `pourover_server ${peer('c')} track=canary;`,
    'pourover_passive off;'],
});

const config = ({ ports }) => `
  pourover_zone name=main size=4m;
  ${Object.entries(services({ ports })).map(([name, lines]) =>
    `upstream ${name} { pourover zone=main share=100% salt=r1; ${lines.join(' ')} }`).join('\n')}
  upstream plain { server ${peer('a')}; }
  server {
    listen 127.0.0.1:${ports.http};
    pourover_visitor id=$arg_id;
    proxy_http_version 1.1;
    proxy_set_header Connection '';
    ${Object.keys(services({ ports })).map((name) => `location /${name}/ { pourover_service ${name}; proxy_pass http://${name}/; }`).join('\n')}
    location /pair-500/ { pourover_service pair; proxy_next_upstream error timeout http_500 http_503; proxy_pass http://pair/; }
    location /checked-503/ { pourover_service checked; proxy_next_upstream http_503; proxy_pass http://checked/; }
    location /tracks-500/ { pourover_service tracks; proxy_next_upstream error http_500; proxy_pass http://tracks/; }
    location /tracks-any/ { pourover_service tracks; proxy_next_upstream error http_500 non_idempotent; proxy_pass http://tracks/; }
    location /plain/ { proxy_pass http://plain/; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

/** Answers one request a connection; a second one closes it without an answer. */
async function onceServer() {
  const server = net.createServer((socket) => {
    let requests = 0;
    socket.on('data', () => {
      requests += 1;
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nonce');
      else socket.destroy();
    });
    socket.on('error', () => {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, stop: () => new Promise((resolve) => server.close(resolve)) };
}

before(async () => {
  for (const name of ['a', 'b', 'c']) upstreams[name] = await startUpstream({ version: name, host: name });
  upstreams.once = await onceServer();
  nginx = await startNginx({ ports: ['http', 'api', 'dead'], workers: 2, http: config });
  for (const name of ['checked', 'enclosed']) {
    const up = async () => (await service(name)).peers.every(({ health }) => health === 'up');
    await waitUntil(up, 10_000, 'the first checks'); // before a test lets a peer fail
  }
});

after(async () => {
  await nginx?.stop();
  await Promise.all(Object.values(upstreams).map((upstream) => upstream.stop()));
  nginx.assertCleanLog();
});

const get = (url) => ask(nginx.ports.http, url);
const post = (url) => ask(nginx.ports.http, url, { method: 'POST', body: 'text', headers: { 'content-length': 4 } });
const service = (name) => api(nginx.ports.api, `v1/services/${name}`);
const stats = async (name, track = 'stable') => (await api(nginx.ports.api, `v1/services/${name}/stats`)).tracks[track];

async function seen(name, address) {
  return (await service(name)).peers.find((each) => each.address === address);
}

const becomes = (name, address, health) => waitUntil(
  async () => {
    const now = await seen(name, address);
    return now.health === health && now;
  },
  10_000,
  `${address} of ${name} ${health}`,
);

/** Asks until the peer has failed `count` more requests. */
async function failAt(name, address, count, url) {
  const failures = async () => (await seen(name, address)).failures;
  const wanted = (await failures()) + count;
  for (let i = 0; i < 200 && (await failures()) < wanted; i += 1) await get(url);
  assert.equal(await failures(), wanted);
}

describe('failures in a row', () => {
  test('take a peer out, seen by all workers; the first one afterwards does so again, the first success ends it', async () => {
    const b = peer('b');
    upstreams.b.setMode({ close: true });
    await failAt('pair', b, 2, '/pair/');
    assert.equal((await seen('pair', b)).health, 'unchecked');
    await failAt('pair', b, 1, '/pair/');
    const down = await seen('pair', b);
    assert.deepEqual([down.health, down.check.reason], ['down', 'passive']);
    assert.equal(down.check.text, '3 requests in a row failed, the last: the connection was closed before an answer');
    for (let i = 0; i < 20; i += 1) assert.equal((await get('/pair/')).header('x-host'), 'a');
    assert.equal((await seen('pair', b)).failures, down.failures, 'nothing went there meanwhile');

    await becomes('pair', b, 'unchecked');
    await failAt('pair', b, 1, '/pair/');
    assert.equal((await seen('pair', b)).health, 'down', 'one failure sufficed');

    await becomes('pair', b, 'unchecked');
    upstreams.b.setMode({});
    const hosts = async () => (await get('/pair/')).header('x-host');
    await waitUntil(async () => (await hosts()) === 'b', 10_000, 'an answer of the peer');
    upstreams.b.setMode({ close: true });
    await failAt('pair', b, 2, '/pair/');
    assert.equal((await seen('pair', b)).health, 'unchecked', 'it begins to count anew');
    upstreams.b.setMode({});
    await waitUntil(async () => (await hosts()) === 'b', 10_000, 'an answer of the peer');
  });

  test('are told with their kind: statuses that are tried elsewhere, and connections', async () => {
    upstreams.b.setMode({ status: 503 });
    await failAt('pair', peer('b'), 3, '/pair-500/');
    assert.match((await seen('pair', peer('b'))).check.text, /^3 requests in a row failed, the last: status 503$/);
    upstreams.b.setMode({});
    for (let i = 0; i < 2; i += 1) assert.equal((await get('/lost/')).status, 502);
    const lost = (await service('lost')).peers[0];
    assert.deepEqual([lost.health, lost.check.text], ['down', '2 requests in a row failed, the last: the connection could not be made']);
  });

  test('are none when answers come in between, and when nobody counts', async () => {
    await becomes('pair', peer('b'), 'unchecked');
    for (let i = 0; i < 6; i += 1) {
      upstreams.a.setMode({ close: i % 2 === 0 });
      assert.equal((await get('/alone/')).status, i % 2 === 0 ? 502 : 200);
    }
    assert.equal((await seen('alone', peer('a'))).health, 'unchecked');
    upstreams.a.setMode({});
    upstreams.b.setMode({ close: true });
    await failAt('off', peer('b'), 10, '/off/');
    assert.equal((await seen('off', peer('b'))).health, 'unchecked');
    upstreams.b.setMode({});
  });

  test('are none when kept connections had died, or the visitor went away', async () => {
    for (let i = 0; i < 6; i += 1) assert.equal((await get('/kept/')).status, 200);
    assert.equal((await service('kept')).peers[0].health, 'unchecked');
    for (let i = 0; i < 5; i += 1) {
      const socket = net.connect(nginx.ports.http, '127.0.0.1');
      socket.write('GET /alone/hang HTTP/1.1\r\nHost: x\r\n\r\n');
      await waitUntil(async () => (await seen('alone', peer('a'))).in_flight === 1, 5000, 'the request at the peer');
      socket.destroy();
      await waitUntil(async () => (await seen('alone', peer('a'))).in_flight === 0, 5000, 'its end');
    }
    assert.equal((await seen('alone', peer('a'))).health, 'unchecked');
  });
});

test('when all peers fail they are tried nevertheless, and that is counted', async () => {
  const before = await stats('lost');
  assert.equal((await seen('lost', `127.0.0.1:${nginx.ports.dead}`)).health, 'down');
  for (let i = 0; i < 3; i += 1) assert.equal((await get('/lost/')).status, 502);
  await waitUntil(async () => (await stats('lost')).requests === before.requests + 3, 5000, 'requests counted');
  assert.equal((await stats('lost')).panic - before.panic, 3);
  assert.equal((await stats('pair')).panic, 0);
});

describe('a peer that says that it fails', () => {
  const says = (header) => `reply?header=${header}`;

  test('is taken down at once by any answer, also one that is tried elsewhere; visitors do not see the header', async () => {
    const answer = await get(`/checked/${says('X-Pourover-Fail:1')}`);
    assert.deepEqual([answer.status, answer.header('x-pourover-fail')], [200, '']);
    const [told] = (await service('checked')).peers.filter(({ health }) => health === 'down');
    assert.deepEqual([told.check.reason, told.check.text], ['told', 'an answer said X-Pourover-Fail']);
    const other = told.address === peer('a') ? 'b' : 'a';
    for (let i = 0; i < 10; i += 1) assert.equal((await get('/checked/')).header('x-host'), other);

    assert.equal((await get(`/checked-503/${says('X-Envoy-Immediate-Health-Check-Fail:false')}&status=503`)).status, 503);
    await becomes('checked', peer(other), 'down');
  });

  test('is not taken down by another value', async () => {
    for (const header of ['X-Pourover-Fail:0', 'X-Pourover-Fail:11', 'X-Pourover-Failure:1']) {
      await get(`/enclosed/${says(header)}`);
    }
    assert.equal((await seen('enclosed', peer('a'))).health, 'up');
    const { status } = await get(`/enclosed/${says('x-envoy-immediate-health-check-fail:')}`);
    assert.equal(status, 200);
    assert.equal((await seen('enclosed', peer('a'))).health, 'down', 'Envoy obeys the name alone');
  });

  test('is not heard without checks, but the header is hidden; other upstreams keep it', async () => {
    for (const header of ['X-Pourover-Fail', 'X-Envoy-Immediate-Health-Check-Fail']) {
      const hidden = await get(`/off/${says(`${header}:1`)}`);
      assert.deepEqual([hidden.status, hidden.header(header.toLowerCase())], [200, '']);
      assert.equal((await get(`/plain/${says(`${header}:1`)}`)).header(header.toLowerCase()), '1');
    }
    assert.deepEqual((await service('off')).peers.map(({ health }) => health), ['unchecked', 'unchecked']);
  });
});

describe('a request that fails', () => {
  const arrivals = (name) => upstreams[name].ledger.entries.length;

  test('is not tried again when it is a POST that was sent, unless nginx.conf says so', async () => {
    for (const [url, tries] of [['/tracks/?id=x', 1], ['/tracks-500/?id=x', 1], ['/tracks-any/?id=x', 3]]) {
      for (const mode of url.startsWith('/tracks/') ? [{ close: true }] : [{ close: true }, { status: 500 }]) {
        for (const name of ['b', 'c']) upstreams[name].setMode(mode);
        const before = arrivals('a') + arrivals('b') + arrivals('c');
        const { status } = await post(url);
        assert.equal(arrivals('a') + arrivals('b') + arrivals('c') - before, tries, `${url} ${JSON.stringify(mode)}`);
        assert.equal(status, tries === 3 ? 200 : mode.status ?? 502);
      }
    }
    for (const name of ['b', 'c']) upstreams[name].setMode({});
  });

  test('stays on its track while that has a live peer, then crosses once', async () => {
    upstreams.b.setMode({ close: true });
    const before = arrivals('a');
    for (let i = 0; i < 20; i += 1) assert.equal((await get('/tracks/?id=x')).header('x-host'), 'c');
    assert.equal(arrivals('a'), before, 'none left the canary');
    upstreams.c.setMode({ close: true });
    upstreams.a.setMode({ close: true });
    assert.equal((await get('/tracks/?id=x')).status, 502);
    assert.equal(arrivals('a'), before + 1, 'stable was asked once');
    for (const name of ['a', 'b', 'c']) upstreams[name].setMode({});
  });
});
