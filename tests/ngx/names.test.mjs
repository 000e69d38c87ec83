// Peers by name: addresses that the resolver gives come, change and go; what happens while it does not answer.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDns } from '../support/dns.mjs';
import { startLoad } from '../support/load.mjs';
import { alive, startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

const hosts = {}; // by name: services that listen on one port of several addresses
let dns;
let port;
let nginx;

const config = ({ ports, dir }) => `
  pourover_zone name=main size=4m state=${dir}/state/router.json;
  resolver 127.0.0.1:${dns.port} valid=1s;
  resolver_timeout 1s;
  proxy_http_version 1.1;
  proxy_set_header Connection '';
  upstream shop {
    pourover zone=main;
    pourover_server App.test:${port} resolve weight=2 dc=east;
    pourover_server next.test:${port} resolve track=canary;
    keepalive 8;
  }
  upstream mixed {
    pourover zone=main;
    pourover_server 127.0.0.9:${port};
    pourover_server app.test:${port} resolve;
  }
  server {
    listen 127.0.0.1:${ports.http};
    add_header X-Peer-Name $pourover_peer_name;
    add_header X-Worker $pid always;
    pourover_visitor id=$arg_id;
    pourover_force header:X-Track;
    location / { pourover_service shop; proxy_pass http://shop; }
    location /mixed/ { pourover_service mixed; proxy_pass http://mixed/; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

async function start(name, address) {
  hosts[name] = await startUpstream({ version: name, host: name, address, port });
}

before(async () => {
  dns = await startDns();
  port = await freePort();
  await start('a', '127.0.0.2');
  await start('b', '127.0.0.3');
  await start('six', '::1');
  await start('fixed', '127.0.0.9');
  dns.fail('silent');
  nginx = await startNginx({ ports: ['http', 'api'], http: config });
});

after(async () => {
  await nginx.stop();
  nginx.assertCleanLog();
  await Promise.all(Object.values(hosts).map((host) => host.stop()));
  await dns.stop();
});

const get = (url = '/', headers = {}) => ask(nginx.ports.http, url, { headers });
const peers = async (name = 'shop') => (await api(nginx.ports.api, `v1/services/${name}`)).peers;
const at = (...addresses) => addresses.map((address) => `${address.includes(':') ? `[${address}]` : address}:${port}`).sort();
const addresses = async (track = 'stable', name = 'shop') =>
  (await peers(name)).filter((peer) => peer.track === track).map((peer) => peer.address).sort();

/** The resolver says this of app.test from now on; waits until it is so in the zone. */
async function resolves(...list) {
  dns.set('app.test', list);
  const wanted = JSON.stringify(at(...list));
  await waitUntil(async () => JSON.stringify(await addresses()) === wanted, 10_000, `peers ${wanted}`);
}

/** Requests one after the other; how often each host answered. */
async function answers(count, url = '/') {
  const seen = {};
  for (let n = 0; n < count; n += 1) {
    const answer = await get(url);
    const who = answer.status === 200 ? answer.header('x-host') : String(answer.status);
    seen[who] = (seen[who] ?? 0) + 1;
  }
  return seen;
}

test('nginx starts without an answer of the resolver, without peers', async () => {
  assert.deepEqual(await addresses(), []);
  assert.deepEqual(await answers(1), { 502: 1 });
  assert.deepEqual(await answers(3, '/mixed/'), { fixed: 3 });
  await waitUntil(() => /"app\.test:\d+": the resolver failed: Operation timed out; the last addresses stay/.test(nginx.errorLog()), 10_000, 'a line of the log');
});

test('peers come when the resolver answers, with what nginx.conf says of their name', async () => {
  dns.set('app.test', ['127.0.0.2', '127.0.0.3']);
  dns.set('next.test', ['::1']);
  dns.fail(null);
  await waitUntil(async () => (await peers()).length === 3, 15_000, 'three peers');
  assert.deepEqual(await addresses(), at('127.0.0.2', '127.0.0.3'));
  assert.deepEqual(await addresses('canary'), at('::1'));
  const [peer] = (await peers()).filter(({ address }) => address === at('127.0.0.2')[0]);
  assert.deepEqual([peer.name, peer.dc, peer.weight, peer.state], ['app.test', 'east', 2, 'ready']);
  assert.deepEqual(Object.keys(await answers(30)).sort(), ['a', 'b']);
  const canary = await get('/', { 'x-track': 'canary' });
  assert.deepEqual([canary.header('x-host'), canary.header('x-peer-name')], ['six', 'next.test']);
  assert.match(nginx.errorLog(), /"app\.test:\d+": is resolved again/);
});

test('one that goes gets no more requests, one that stays keeps its counts', async () => {
  await resolves('127.0.0.3');
  assert.deepEqual(await answers(10), { b: 10 });
  const [before] = await peers();
  await resolves('127.0.0.3', '::1');
  const after = (await peers()).find(({ address }) => address === before.address);
  assert.equal(after.requests, before.requests);
  assert.deepEqual(Object.keys(await answers(40)).sort(), ['b', 'six']);
});

test('a name without an address has no peers, the others of the service go on', async () => {
  await resolves();
  assert.deepEqual(await answers(3), { 502: 3 });
  assert.deepEqual(await answers(3, '/mixed/'), { fixed: 3 });
  dns.set('app.test', undefined);
  await waitUntil(() => /"app\.test:\d+": it has no address/.test(nginx.errorLog()), 5000, 'a line of the log');
  await resolves('127.0.0.2');
});

test('under load a container is made again with another address: nobody notices', async () => {
  await resolves('127.0.0.2', '127.0.0.3');
  const load = startLoad({ target: { http: `127.0.0.1:${nginx.ports.http}` }, rate: 150, connections: 16, mix: { http1: 1 } });
  try {
    for (const [next, orderly] of [['127.0.0.4', true], ['127.0.0.2', false]]) {
      if (orderly) await resolves('127.0.0.3'); // else it goes first, and the resolver hears of it afterwards
      await hosts.a.stop();
      await resolves('127.0.0.3');
      await start('a', next);
      await resolves('127.0.0.3', next);
      await waitUntil(() => hosts.a.ledger.entries.length > 10, 10_000, `requests at ${next}`);
    }
  } finally {
    const ledger = await load.stop();
    assert.deepEqual(ledger.entries.filter(({ failed }) => failed).map(({ failed }) => failed), []);
    assert.ok(ledger.entries.length > 300);
  }
});

describe('while the resolver fails', () => {
  test('the last addresses stay, it is told once, and what it says later is done', async () => {
    await resolves('127.0.0.2');
    const told = () => nginx.errorLog().match(/"app\.test:\d+": the resolver failed/g)?.length ?? 0;
    const before = told();
    dns.fail('failure');
    dns.set('app.test', ['127.0.0.3']);
    await waitUntil(() => told() > before, 10_000, 'a line of the log');
    const { asked } = dns;
    await waitUntil(() => dns.asked > asked + 4, 15_000, 'more queries');
    assert.equal(told() - before, 2, 'one line for each of two services');
    assert.deepEqual(await answers(5), { a: 5 });
    dns.fail(null);
    await resolves('127.0.0.3');
    assert.deepEqual(await answers(5), { b: 5 });
  });

  test('a dead one is the same, and a reload keeps the addresses and does not wait', async () => {
    await resolves('127.0.0.2');
    await dns.stop();
    const { asked } = dns;
    const old = nginx.workers();
    const load = startLoad({ target: { http: `127.0.0.1:${nginx.ports.http}` }, rate: 50, connections: 4, mix: { http1: 1 } });
    await nginx.reload();
    await waitUntil(() => old.every((pid) => !alive(pid)), 5000, 'the end of the old workers');
    const bad = (await load.stop()).entries.filter(({ failed }) => failed);
    assert.deepEqual(bad, []);
    assert.deepEqual(await addresses(), at('127.0.0.2'));
    dns.set('app.test', ['127.0.0.3']);
    await dns.start(dns.port);
    assert.equal(dns.asked, asked);
    await resolves('127.0.0.3');
  });
});

describe('a name in the API', () => {
  const name = async () => (await api(nginx.ports.api, 'v1/services/shop')).names.find(({ address }) => address === `app.test:${port}`);
  const order = (body, where = `app.test:${port}`) => call({ port: nginx.ports.api }, 'PATCH', `v1/services/shop/peers/${where}`, body);

  test('tells what it resolves to, since when, and why it does not', async () => {
    await resolves('127.0.0.2', '127.0.0.3');
    const { resolved_at_ms: at, ...rest } = await name();
    assert.deepEqual(rest, { address: `app.test:${port}`, track: 'stable', dc: 'east', weight: 2, state: 'ready', drain: null, addresses: 2, error: '' });
    assert.ok(Math.abs(Date.now() - at) < 60_000);
    dns.fail('failure');
    await waitUntil(async () => /^the resolver failed: .*; the last addresses stay$/.test((await name()).error), 10_000, 'an error');
    assert.equal((await name()).addresses, 2);
    dns.fail(null);
    await waitUntil(async () => (await name()).error === '', 15_000, 'no error');
  });

  test('is drained with its addresses, also those that come later, until it is ready again', async () => {
    await resolves('127.0.0.2');
    assert.equal((await order({ state: 'draining', by: 'release 12', requests_ms: 60_000 })).status, 200);
    assert.equal((await name()).state, 'draining');
    const states = async () => (await peers()).filter(({ track }) => track === 'stable').map(({ state, drain }) => `${state} by ${drain?.by}`);
    assert.deepEqual(await states(), ['draining by release 12']);
    await resolves('127.0.0.3', '::1');
    assert.deepEqual(await states(), ['draining by release 12', 'draining by release 12']);
    assert.deepEqual(await answers(2), { 502: 2 });
    await nginx.reload();
    assert.deepEqual(await states(), ['draining by release 12', 'draining by release 12']);
    const { dir, ports } = nginx;
    await nginx.stop();
    nginx.assertCleanLog();
    nginx = await startNginx({ dir, ports: [], http: () => config({ ports, dir }) });
    Object.assign(nginx.ports, ports);
    await waitUntil(async () => (await states()).length === 2, 10_000, 'addresses after a restart');
    assert.deepEqual(await states(), ['draining by release 12', 'draining by release 12']);
    assert.equal((await order({ state: 'ready' })).status, 200);
    assert.deepEqual(Object.keys(await answers(30)).sort(), ['b', 'six']);
  });

  test('is what its addresses are changed by, not each for itself', async () => {
    await resolves('127.0.0.2');
    const { status, body } = await order({ weight: 5 }, `127.0.0.2:${port}`);
    assert.deepEqual([status, body.error.code], [409, 'conflict']);
    assert.equal((await order({ weight: 5 })).status, 200);
    assert.equal((await peers()).find(({ track }) => track === 'stable').weight, 5);
    assert.equal((await order({ weight: 2 })).status, 200);
  });
});

test('a binary upgrade, whose new master knows no address yet, fails no request', async () => {
  await resolves('127.0.0.2');
  dns.delay = 100;
  const answers = [];
  let stop = false;
  const visitors = Array.from({ length: 4 }, async () => {
    while (!stop) answers.push(await get()); // each on a connection of its own
  });
  await nginx.upgradeBegin();
  const workers = nginx.workers().map(String);
  const ofNew = () => answers.filter((answer) => workers.includes(answer.header('x-worker')));
  await waitUntil(() => ofNew().length > 50, 10_000, 'answers of the new master\'s workers');
  await nginx.upgradeFinish();
  stop = true;
  await Promise.all(visitors);
  dns.delay = 0;
  assert.deepEqual(answers.filter(({ status }) => status !== 200).map(({ status }) => status), []);
});

test('when a worker is killed another resolves', async () => {
  let next = ['127.0.0.2', '127.0.0.3'];
  for (const pid of nginx.workers()) {
    await nginx.killWorker(pid);
    await resolves(next[0]);
    next = next.reverse();
  }
  assert.equal((await get()).status, 200);
});

test('who waits for the first addresses gets the track that is right when they are there', async (t) => {
  dns.set('app.test', ['127.0.0.3']);
  dns.set('next.test', ['::1']);
  dns.delay = 300;
  const fresh = await startNginx({
    ports: ['http'],
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      resolver 127.0.0.1:${dns.port} valid=1s;
      upstream shop {
        pourover zone=main share=100%;
        pourover_server next.test:${port} resolve track=canary;
        pourover_server app.test:${port} resolve;
      }
      server {
        listen 127.0.0.1:${ports.http};
        add_header X-Why "$pourover_track $pourover_reason" always;
        pourover_visitor id=$arg_id;
        location / { pourover_service shop; proxy_pass http://shop; }
      }`,
  });
  t.after(async () => {
    dns.delay = 0;
    await fresh.stop();
    fresh.assertCleanLog();
  });
  const first = await ask(fresh.ports.http, '/?id=somebody');
  assert.deepEqual([first.status, first.header('x-host'), first.header('x-why')], [200, 'six', 'canary split']);
});
