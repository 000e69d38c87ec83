// The program and two real routers: peers and names, drains and their limits, maintenance, health and events.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { startDns } from '../support/dns.mjs';
import { startNginx } from '../support/nginx.mjs';
import { json, run, start } from '../support/program.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

const host = {}; // by name: the services behind the routers
const routers = [];
let dns;
let namePort;

async function startRouter(router) {
  router.nginx = await startNginx({
    dir: router.dir,
    ports: [],
    http: `
      pourover_zone name=main size=4m state=${router.dir}/router.json;
      resolver 127.0.0.1:${dns.port} valid=1s;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      upstream shop {
        pourover zone=main salt=r42;
        pourover_check http uri=/ready interval=100ms timeout=80ms rise=1 fall=2;
        pourover_server ${host.a.peer} dc=here;
        pourover_server ${host.b.peer};
        pourover_server app.test:${namePort} resolve track=canary;
        keepalive 8;
      }
      server {
        listen 127.0.0.1:${router.visitors};
        pourover_visitor id=$arg_id;
        pourover_force header:X-Track;
        location / { proxy_pass http://shop; }
        location = /healthz { pourover_healthcheck shop; }
      }
      server { listen 127.0.0.1:${router.port}; location /pourover/ { pourover_api; } }`,
  });
}

/** A request of a visitor at a router: {status, body}; `track` forces it. */
function ask(router, url, { track, onResponse } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ port: router.visitors, host: '127.0.0.1', path: url, agent: false, headers: track ? { 'X-Track': track } : {} }, (response) => {
      onResponse?.(response);
      let body = '';
      response.on('data', (chunk) => { body += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, body }));
      response.on('error', () => resolve({ status: response.statusCode, body, cut: true }));
    });
    request.on('error', reject);
  });
}

const api = async (router, what) => (await fetch(`${router.api}/${what}`)).json();
const shop = (router) => api(router, 'v1/services/shop');
const peerOf = async (router, address) => (await shop(router)).peers.find((peer) => peer.address === address);
const router = (...args) => run(['router', ...args], routers);

async function ok(...args) {
  const result = await router(...args);
  assert.equal(result.code, 0, `pourover router ${args.join(' ')}\n${result.out}${result.err}`);
  return result;
}

/** Sends requests that are then in flight at the peer; `done` resolves to what became of them. */
async function hold(at, address, urls) {
  const before = (await peerOf(at, address)).in_flight;
  const requests = urls.map((url) => ask(at, url).catch((error) => ({ error: error.code })));
  await waitUntil(async () => (await peerOf(at, address)).in_flight === before + urls.length, 10_000, 'the requests to be in flight');
  return { done: Promise.all(requests) };
}

const allUp = () => Promise.all(routers.map((each) => waitUntil(async () => {
  const { peers } = await shop(each);
  return peers.length >= 3 && peers.every((peer) => peer.health === 'up' && peer.state === 'ready');
}, 20_000, 'all peers to be up')));

before(async () => {
  dns = await startDns();
  namePort = await freePort();
  for (const name of ['a', 'b', 'late']) host[name] = await startUpstream({ version: 'old', host: name });
  host.named = await startUpstream({ version: 'new', host: 'named', port: namePort });
  dns.set('app.test', ['127.0.0.1']);
  for (const name of ['east', 'west']) {
    const each = { dir: mkdtempSync(path.join(tmpdir(), `pourover-${name}-`)), visitors: await freePort(), port: await freePort() };
    each.api = `http://127.0.0.1:${each.port}/pourover`;
    routers.push(each);
    await startRouter(each);
  }
  await allUp();
});

afterEach(async () => {
  for (const each of Object.values(host)) each.setMode({});
  await router('undrain', host.a.peer, host.b.peer, `app.test:${namePort}`);
});

after(async () => {
  for (const { nginx } of routers) {
    await nginx.stop();
    nginx.assertCleanLog();
    nginx.remove();
  }
  await Promise.all(Object.values(host).map((each) => each.stop()));
  await dns.stop();
});

test('peers of both routers with health, data center and name', async () => {
  const { out } = await ok('peers', '-v');
  for (const name of ['east', 'west']) {
    assert.match(out, new RegExp(`${name} +${host.a.peer} +stable +here +1 +ready +up +0 +\\d+\n`));
    assert.match(out, new RegExp(`${name} +127\\.0\\.0\\.1:${namePort} \\(app\\.test\\S*\\) +canary +1 +ready +up`));
    assert.match(out, new RegExp(`${name}: ${host.b.peer}: from config, 0 failures; last seen: ok: .*\\d+ in a row`));
  }
  const body = await json(['router', 'peers'], routers);
  assert.deepEqual([body.agree, body.differences], [true, []]);
  assert.equal(body.routers[1].names[0].addresses, 1);
});

test('a peer that fails is told with the reason', async () => {
  host.b.setMode({ status: 503 });
  await waitUntil(async () => (await router('peers')).out.match(new RegExp(`${host.b.peer} .* down: .*503.* \\(\\d+ in a row, \\d\\.\\ds ago\\)`)), 10_000, 'the reason');
  assert.match((await router('status')).out, /1 failing: stable/);
  const refused = await router('drain', host.a.peer);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /refused: stable would be left without a peer that takes requests/);
  host.b.setMode({});
  await allUp();
});

test('a drain waits for what is in flight at either router, and new requests go elsewhere', async () => {
  const slow = ask(routers[1], '/slow/1500');
  const at = await waitUntil(async () => (await shop(routers[1])).peers.find((peer) => peer.in_flight > 0)?.address, 10_000, 'the request');
  const child = start(['router', 'drain', at, '--by', 'release 12'], routers);
  await waitUntil(async () => (await peerOf(routers[1], at)).state === 'draining', 10_000, 'the drain');
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(routers[1], '/echo')));
  assert.ok(answers.every((answer) => answer.status === 200));
  const result = await child.done;
  assert.equal(result.code, 0, result.err);
  assert.equal((await slow).status, 200, 'it was answered first');
  assert.match((await router('peers')).out, new RegExp(`${at} .* draining by release 12 for `));
  assert.equal((await peerOf(routers[0], at)).in_flight, 0);
  assert.match((await ok('undrain', at)).out, /ready +1 +up +0 +ready\n/);
});

test('a drain is kept over a reload', async () => {
  await ok('drain', host.a.peer);
  for (const { nginx } of routers) await nginx.reload();
  assert.equal((await peerOf(routers[0], host.a.peer)).state, 'draining');
  assert.match((await ok('peers')).out, new RegExp(`west +${host.a.peer} .* draining`));
});

test('limits end what is in flight, and it is listed', async () => {
  await ok('drain', host.b.peer); // so that all goes to a
  const [east] = routers;
  const held = await hold(east, host.a.peer, ['/hang?x=1', '/sse?n=10000']);
  const result = await router('drain', host.a.peer, '--force', '--requests', '300ms', '--streams', '900ms');
  assert.equal(result.code, 0, result.err);
  assert.match(result.out, new RegExp(`east: ${host.a.peer}: cut: GET /hang\\S*, \\d\\.\\ds old, .*client 127\\.0\\.0\\.1\n`));
  assert.match(result.out, new RegExp(`east: ${host.a.peer}: cut: GET /sse\\S*, a stream, `));
  const [hung, stream] = await held.done;
  assert.ok(hung.status >= 500 || hung.cut || hung.error, JSON.stringify(hung));
  assert.ok(stream.cut, 'the stream is broken off');
});

test('what still is in flight when the time is over is listed', async () => {
  await ok('drain', host.b.peer);
  const [, west] = routers;
  const held = await hold(west, host.a.peer, ['/slow/2500']);
  const result = await router('drain', host.a.peer, '--force', '--wait', '800ms');
  assert.equal(result.code, 4);
  assert.match(result.err, /router west: .*: not proved: 1 in flight/);
  assert.match(result.out, new RegExp(`west: ${host.a.peer}: in flight: GET /slow\\S*, \\d\\.\\ds old`));
  assert.equal((await held.done)[0].status, 200);
});

test('a name is drained with its addresses, and its visitors fall back to stable', async () => {
  const name = `app.test:${namePort}`;
  assert.equal((await ask(routers[0], '/echo', { track: 'canary' })).status, 200);
  const before = host.named.ledger.entries.filter((entry) => entry.kind !== 'check').length;
  await ok('drain', name);
  assert.equal((await shop(routers[1])).names[0].state, 'draining');
  for (let i = 0; i < 5; i += 1) assert.equal((await ask(routers[0], '/echo', { track: 'canary' })).status, 200);
  const served = (await peerOf(routers[0], `127.0.0.1:${namePort}`)).requests;
  assert.ok(served <= before, 'none of them reached the canary');
  const address = await router('drain', `127.0.0.1:${namePort}`);
  assert.equal(address.code, 2);
  assert.match(address.err, /is an address of the name app\.test/);
});

test('a peer added at run time gets requests, and none after it was removed', async () => {
  const { peer } = host.late;
  await ok('add', peer, '--weight', '3', '--dc', 'there');
  await allUp();
  const took = async () => (await peerOf(routers[0], peer)).requests;
  await waitUntil(async () => {
    await ask(routers[0], '/echo');
    return (await took()) > 0;
  }, 10_000, 'a request at the new peer');
  await ok('weight', peer, '1');
  assert.match((await ok('peers')).out, new RegExp(`west +${peer} +stable +there +1 +ready`));
  await ok('remove', peer);
  assert.equal(await peerOf(routers[1], peer), undefined);
  const unknown = await router('drain', peer);
  assert.equal(unknown.code, 2);
});

test('a router that was away differs, and is told', async () => {
  const [, west] = routers;
  await west.nginx.stop();
  const drain = await router('drain', host.a.peer, '--timeout', '1s');
  assert.equal(drain.code, 3);
  assert.match(drain.out, /east .* drained\n.*west .*not proved: /);
  await startRouter(west);
  const differ = await waitUntil(async () => {
    const result = await router('peers');
    return result.code === 1 && result;
  }, 10_000, 'the router to be back');
  assert.match(differ.out, new RegExp(`${host.a.peer} \\(stable\\) is draining at east, ready at west\n`));
  await ok('undrain', host.a.peer);
  await allUp();
  await ok('peers');
});

test('maintenance: a page for visitors, and back', async () => {
  await ok('maintenance', 'on', '--message', 'back at 12:00', '--by', 'mia');
  for (const each of routers) {
    const answer = await ask(each, '/echo');
    assert.equal(answer.status, 503);
  }
  assert.match((await ok('status')).out, /in maintenance: back at 12:00/);
  await ok('maintenance', 'off');
  assert.equal((await ask(routers[0], '/echo')).status, 200);
});

test('health: the checks answered here fail by command, over a reload, until ok', async () => {
  assert.equal((await ask(routers[0], '/healthz')).status, 200);
  await ok('health', 'fail', '--by', 'release 12');
  for (const each of routers) assert.equal((await ask(each, '/healthz')).status, 503);
  await routers[0].nginx.reload();
  assert.match((await ok('health')).out, /east +FAIL +release 12, \d+\.\ds ago/);
  assert.equal((await ask(routers[0], '/healthz')).status, 503);
  await ok('health', 'ok');
  await waitUntil(async () => (await ask(routers[0], '/healthz')).status === 200, 10_000, 'the checks to pass');
});

test('events of both routers, and what is recorded besides failures', async () => {
  await ok('record', '--slow', '50ms', '--also', '4xx');
  const [east, west] = routers;
  await ask(east, '/status/500?id=one', { track: 'canary' });
  await ask(west, '/status/404?id=two');
  await ask(west, '/slow/80?id=three');
  const kinds = async () => (await ok('events', '--json')).out.split('\n').filter((line) => line).map((line) => JSON.parse(line));
  const all = await waitUntil(async () => {
    const seen = await kinds();
    return ['app', 'client-error', 'slow'].every((kind) => seen.some((event) => event.kind === kind)) && seen;
  }, 10_000, 'the events');
  const app = all.find((event) => event.kind === 'app');
  assert.deepEqual([app.router, app.assigned, app.status, app.peer], ['east', 'canary', 500, `127.0.0.1:${namePort}`]);
  assert.ok(all.filter((event) => event.start_ms).every((event, i, list) => i === 0 || list[i - 1].start_ms <= event.start_ms), 'in order');
  assert.match((await ok('events', '--kind', 'slow')).out, /west stable slow: longer than 50\.0ms, after \d+\.\dms( at \S+)?, /);
});

test('the details of the status', async () => {
  const { out } = await ok('status', '-v');
  assert.match(out, /east: stable: 2 peers, 2 live, 0 failing, 0 unknown; 0 times in panic/);
  assert.match(out, /west: process \d+ checks the peers: \d+ checks, \d+ late\n/);
  assert.match(out, /east: visitors under revision \d+ \(0\): about \d+ on stable, \d+ on the canary/);
});
