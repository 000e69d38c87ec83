// What commands change while the router runs, and what of it is kept: peers, maintenance, failing health checks, watch.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { startUpstream } from '../support/upstream.mjs';
import { call, readState } from '../support/router-api.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask } from './client.mjs';
import { routerHttp, startPeers, startRouter, wiresTo } from './life.mjs';

const PEERS = 'v1/services/shop/peers';

/** A router with two stable peers and a canary, in this process. */
async function start(t, options = {}) {
  const peers = await startPeers(t, { stable: 2 });
  const router = await startRouter(t, peers, options);
  return control(t, router, peers);
}

/** The router with calls of its API: peer(method, address, body, args), and what it says of peers. */
function control(t, router, peers) {
  const api = (method, path, body, headers) => call({ port: router.ports.api }, method, path, body, headers);
  const peer = (method, address, body, args = '') => api(method, `${PEERS}/${address}${args}`, body);
  const service = async () => (await api('GET', 'v1/services/shop')).body;
  const told = async (address, track) => (await service()).peers.find((p) => p.address === address && p.track === (track ?? p.track));
  const file = () => readState(readFileSync(`${router.nginx.dir}/state/router.json`, 'utf8'));
  const [a, b] = peers.stable;
  const [c] = peers.canary;
  const add = async (version = 'v3') => {
    const upstream = await startUpstream({ version, host: version });
    t.after(() => upstream.stop());
    return upstream;
  };
  return { router, nginx: router.nginx, peers, api, peer, service, told, file, add, a, b, c };
}

async function ok(promise) {
  const answer = await promise;
  assert.equal(answer.status, 200, answer.text);
  return answer.body;
}

/** Hosts that answered `n` requests. */
async function hosts(r, n = 40) {
  const seen = {};
  for (const answer of await Promise.all(Array.from({ length: n }, () => ask(r.router.ports.http, '/')))) {
    assert.equal(answer.status, 200, answer.body);
    const [, , host] = answer.body.trim().split(' ');
    seen[host] = (seen[host] ?? 0) + 1;
  }
  return seen;
}

test('a peer is added, gets requests, is drained with limits, comes back, and is removed', async (t) => {
  const r = await start(t);
  const fresh = await r.add();
  const { peer } = await ok(r.peer('PUT', fresh.peer, { weight: 2, dc: 'east' }));
  assert.deepEqual(
    [peer.address, peer.name, peer.origin, peer.track, peer.dc, peer.weight, peer.state, peer.drain],
    [fresh.peer, fresh.peer, 'api', 'stable', 'east', 2, 'ready', null],
  );
  assert.ok((await hosts(r)).v3 > 5, 'the new one is chosen');

  const before = Date.now();
  const drained = await ok(r.peer('PATCH', fresh.peer, { state: 'draining', by: 'release 12', requests_ms: 60_000, streams_ms: 90_000 }));
  assert.equal(drained.saved, true);
  const { drain } = drained.peer;
  assert.equal(drain.by, 'release 12');
  assert.ok(drain.since_ms >= before - 5 && drain.since_ms <= Date.now() + 5);
  assert.deepEqual([drain.requests_until_ms - drain.since_ms, drain.streams_until_ms - drain.since_ms], [60_000, 90_000]);
  assert.equal((await hosts(r)).v3, undefined, 'none goes there');

  const anew = await ok(r.peer('PATCH', fresh.peer, { state: 'draining', by: 'me' }));
  assert.deepEqual(anew.peer.drain, { by: 'me', since_ms: drain.since_ms, requests_until_ms: 0, streams_until_ms: 0 });
  const one = await ok(r.peer('GET', fresh.peer));
  assert.deepEqual(one.peer.drain, anew.peer.drain);
  const back = await ok(r.peer('PATCH', fresh.peer, { state: 'ready', weight: 5 }));
  assert.deepEqual([back.peer.state, back.peer.drain, back.peer.weight], ['ready', null, 5]);
  assert.ok((await hosts(r)).v3 > 5);

  const gone = await ok(r.peer('DELETE', fresh.peer));
  assert.deepEqual(Object.keys(gone), ['epoch', 'saved']);
  assert.equal(await r.told(fresh.peer), undefined);
  assert.equal((await hosts(r)).v3, undefined);
});

test('a removed peer ends the requests that it has, then its place is used again', async (t) => {
  const r = await start(t);
  const fresh = await r.add();
  for (const address of r.peers.stable) await ok(r.peer('PATCH', address, { state: 'down' }));
  await ok(r.peer('PUT', fresh.peer, {}));
  const slow = ask(r.router.ports.http, '/slow/1500');
  await waitUntil(async () => (await r.told(fresh.peer)).in_flight === 1, 5_000, 'the request at the peer');
  await ok(r.peer('DELETE', fresh.peer));
  for (const address of r.peers.stable) await ok(r.peer('PATCH', address, { state: 'ready' }));
  await hosts(r, 10);
  assert.equal((await slow).status, 200);
  assert.equal((await ok(r.peer('PUT', fresh.peer, {}))).peer.requests, 0, 'its counts are new');
});

test('a peer moves to the other track and keeps what is in flight; nginx.conf has it on both', async (t) => {
  const r = await start(t);
  const slow = ask(r.router.ports.http, '/slow/1500');
  const busy = await waitUntil(async () => (await r.service()).peers.find((p) => p.in_flight === 1), 5_000, 'a request in flight');
  const moved = await ok(r.peer('PATCH', busy.address, { track: 'canary' }));
  assert.deepEqual([moved.peer.track, moved.peer.origin, moved.peer.in_flight], ['canary', 'config', 1]);
  const { tracks } = await r.service();
  assert.deepEqual([tracks.stable.live, tracks.canary.live], [1, 2]);
  assert.equal((await slow).status, 200);

  // now on both
  const second = await ok(r.peer('PUT', busy.address, {}, '?track=stable'));
  assert.deepEqual([second.peer.track, second.peer.origin], ['stable', 'api']);
  const vague = await r.peer('PATCH', busy.address, { weight: 3 });
  assert.deepEqual([vague.status, vague.body.error.code], [409, 'conflict']);
  assert.match(vague.body.error.message, /\?track=stable or \?track=canary/);
  assert.equal((await ok(r.peer('PATCH', busy.address, { weight: 3 }, '?track=canary'))).peer.weight, 3);
  assert.equal((await r.told(busy.address, 'stable')).weight, 1);
});

test('unix sockets and IPv6 addresses, escaped or not, as NGINX prints them', async (t) => {
  const r = await start(t);
  for (const [sent, address] of [
    ['unix:/run/app.sock', 'unix:/run/app.sock'],
    ['unix%3A%2Frun%2Fsplit', 'unix:/run/split'],
    ['[0:0::1]:8080', '[::1]:8080'],
    ['%5B2001:db8::0:5%5D:443', '[2001:db8::5]:443'],
  ]) {
    assert.equal((await ok(r.peer('PUT', sent, { state: 'down' }))).peer.address, address);
    assert.equal((await ok(r.peer('GET', sent))).peer.state, 'down');
    await ok(r.peer('DELETE', sent));
  }
});

test('what is wrong with calls is said, and nothing is done', async (t) => {
  const r = await start(t, { config: { more: 'pourover_cut cut zone=main;' } });
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const origin = { Origin: 'http://127.0.0.1' };
  const near = `${r.a.slice(0, -1)}${(Number(r.a.at(-1)) + 1) % 10}`;
  const cases = [
    [() => r.peer('PUT', 'app:8080', {}), 400, 'invalid', '', /A name would be resolved once only: "pourover_server NAME resolve"/],
    [() => r.peer('PUT', '10.0.0.1', {}), 400, 'invalid', '', /no address; right is an IP address with a port/],
    [() => r.peer('PUT', 'unix:app.sock', {}), 400, 'invalid', '', /no address/],
    [() => r.peer('PUT', '10.0.0.1:80', { weight: 0 }), 400, 'invalid', 'weight', /from 1 to 1000/],
    [() => r.peer('PUT', '10.0.0.1:80', { weigth: 1 }), 400, 'invalid', 'weigth', /did you mean "weight"/],
    [() => r.peer('PUT', '10.0.0.1:80', { track: ['stable'] }), 400, 'invalid', 'track', /track is an array/],
    [() => r.peer('PUT', '10.0.0.1:80', '{'), 400, 'invalid', '', /no JSON/],
    [() => r.peer('PUT', '10.0.0.1:80', {}, '?track=blue'), 400, 'invalid', 'track', /\?track= is "blue"; stable or canary/],
    [() => r.peer('GET', r.a, undefined, '?track='), 400, 'invalid', 'track', /\?track= is ""/],
    [() => r.peer('PUT', r.a, { state: 'ready' }), 400, 'invalid', 'state', /PATCH changes it/],
    [() => r.peer('PUT', r.a, { dc: 'west' }), 409, 'conflict', 'dc', /change it in nginx.conf/],
    [() => r.peer('PATCH', near, { weight: 1 }), 404, 'not_found', '', new RegExp(`no peer "${near}".*did you mean "127`)],
    [() => r.peer('DELETE', '10.11.12.13:80'), 404, 'not_found', '', /there is no peer "10.11.12.13:80" in this service$/],
    [() => r.peer('GET', 'unix:/x'), 404, 'not_found', '', /there is no peer/],
    [() => r.peer('GET', r.a, undefined, '?track=canary'), 404, 'not_found', '', /on track canary/],
    [() => r.peer('PATCH', r.a, { by: 'me', weight: 1 }), 400, 'invalid', 'by', /is of a drain/],
    [() => r.peer('PATCH', r.a, {}), 400, 'invalid', 'state', /nothing to change/],
    [() => r.peer('PATCH', r.a, { state: 'removed' }), 400, 'invalid', 'state', /ready, draining or down/],
    [() => r.peer('DELETE', r.a, { weight: 1 }), 400, 'invalid', '', /a DELETE has none/],
    [() => r.peer('POST', r.a, {}), 405, 'method', '', /right for this call is GET, HEAD, PUT, PATCH, DELETE/],
    [() => r.api('GET', `${PEERS}/`), 404, 'not_found', '', /there is no call/],
    [() => r.api('GET', PEERS), 404, 'not_found', '', /there is no call/],
    [() => r.api('PUT', 'v1/services/shp/peers/10.0.0.1:80', {}), 404, 'not_found', '', /there is no service "shp"; did you mean "shop"/],
    [() => r.api('PUT', 'v1/services/cut/peers/10.0.0.1:80', {}), 409, 'conflict', '', /it has a split but no peers/],
    [() => r.api('PUT', `${PEERS}/10.0.0.1:80`, {}, { 'Content-Type': 'text/plain' }), 415, 'media_type', '', /application\/json/],
    [() => r.api('PATCH', `${PEERS}/${r.a}`, `{"weight":${' '.repeat(20_000)}1}`), 413, 'too_large', '', /16384/],
    [() => r.api('PUT', 'v1/services/shop/maintenance', {}), 400, 'invalid', 'on', /on is missing/],
    [() => r.api('GET', 'v1/services/shop/maintenance'), 405, 'method', '', /right for this call is PUT$/],
    [() => r.api('PUT', 'v1/services/shop/watch', { slow_us: [2, 1] }), 400, 'invalid', 'slow_us', /thresholds that rise/],
    [() => r.api('PUT', 'v1/services/shop/watch', { slow_us: 5 }), 400, 'invalid', 'slow_us', /a list/],
    [() => r.api('GET', 'healthcheck/fail'), 405, 'method', '', /right for this call is POST$/],
    [() => r.api('POST', 'healthcheck/fial'), 404, 'not_found', '', /did you mean "healthcheck\/fail"/],
    [() => r.api('POST', 'healthcheck/fail', { on: true }), 400, 'invalid', 'on', /unknown field/],
    // what a page in a browser can send
    [() => r.api('POST', 'healthcheck/fail', 'by=me', form), 415, 'media_type', '', /application\/json/],
    [() => r.api('POST', 'healthcheck/fail', '', form), 415, 'media_type', '', /application\/json/],
    [() => r.api('POST', 'healthcheck/fail', '{}', { 'Content-Type': 'text/plain' }), 415, 'media_type', '', /application\/json/],
    [() => r.api('POST', 'healthcheck/fail', undefined, origin), 403, 'forbidden', '', /Origin/],
    [() => r.api('POST', 'healthcheck/ok', undefined, { Origin: 'null' }), 403, 'forbidden', '', /Origin/],
    [() => r.api('DELETE', `${PEERS}/${r.a}`, undefined, origin), 403, 'forbidden', '', /Origin/],
    [() => r.api('PATCH', `${PEERS}/${r.a}`, { weight: 1 }, origin), 403, 'forbidden', '', /Origin/],
  ];
  await waitUntil(async () => (await r.router.api('status')).state.saved, 5_000, 'the state file written');
  const service = await r.service();
  for (const [send, status, code, field, message] of cases) {
    const answer = await send();
    assert.equal(answer.status, status, `${send}: ${answer.text}`);
    assert.deepEqual(Object.keys(answer.body), ['epoch', 'error']);
    assert.deepEqual([answer.body.error.code, answer.body.error.field], [code, field], answer.text);
    assert.match(answer.body.error.message, message);
    if (status === 405) assert.match(answer.headers.allow, /^(GET, HEAD, PUT, PATCH, DELETE|PUT|POST)$/);
  }
  assert.deepEqual(await r.service(), service);
  assert.equal((await r.router.api('status')).healthcheck.failing, false);
});

test('peers are kept over reload, restart, and kill -9 behind each answer', async (t) => {
  const r = await start(t);
  const fresh = await r.add();
  const others = await r.add('v4');
  const steps = [
    () => r.peer('PUT', fresh.peer, { weight: 4, dc: 'east', name: 'app' }),
    () => r.peer('PATCH', r.a, { state: 'draining', by: 'release 12', streams_ms: 600_000 }),
    () => r.peer('PATCH', r.b, { weight: 7 }),
    () => r.peer('DELETE', r.c),
    () => r.peer('PUT', others.peer, { track: 'canary', state: 'down' }),
    () => r.api('PUT', 'v1/services/shop/maintenance', { on: true, by: 'mia', message: 'back at 12:00' }),
    () => r.api('POST', 'healthcheck/fail', { by: 'release 12' }),
    () => r.peer('DELETE', fresh.peer),
    () => r.peer('PUT', r.c, {}),
    () => r.api('POST', 'healthcheck/ok'),
    () => r.api('PUT', 'v1/services/shop/maintenance', { on: false }),
  ];
  const kept = ({ address, name, origin, track, dc, weight, state, drain }) =>
    ({ address, name, origin, track, dc, weight, state, drain });
  const all = async () => {
    const { peers, maintenance } = await r.service();
    const { failing, by, since_ms } = (await r.router.api('status')).healthcheck;
    const sorted = peers.map(kept).sort((x, y) => (x.address < y.address ? -1 : 1));
    return { peers: sorted, maintenance, healthcheck: { failing, by, since_ms } };
  };
  let before = await all();
  for (const step of steps) {
    assert.equal((await ok(step())).saved, true);
    await r.router.stop('SIGKILL');
    await r.router.startAgain();
    const said = await all();
    assert.notDeepEqual(said, before, `${step} is kept`);
    assert.equal((await r.router.api('status')).restored, 'file');
    before = said;
    await r.router.nginx.reload();
    assert.deepEqual(await all(), said, 'after a reload');
    await waitUntil(() => r.router.nginx.exitingWorkers().length === 0, 10_000, 'the end of the old workers');
  }
  const { peers } = await all();
  assert.equal(peers.find(({ address }) => address === r.a).drain.by, 'release 12');
  assert.deepEqual(r.file().peers.map((line) => [line.peer, line.config, line.state]), [
    [r.a, 'stable', 'draining'], [r.b, 'stable', 'ready'], [others.peer, '', 'down'],
  ]);
  assert.deepEqual(Object.keys(await hosts(r)), ['v1-1'], 'the other stable one is drained still');
});

test('nginx.conf is the base: what it drops is forgotten, what it adds later inherits', async (t) => {
  const r = await start(t);
  const fresh = await r.add();
  const peers = (stable, canary = r.peers.canary) => routerHttp({ stable, canary });
  const configure = async (http) => {
    r.router.configure(http);
    await r.router.nginx.reload();
  };
  // removed by command, then dropped by nginx.conf and added again: it is there
  await ok(r.peer('DELETE', r.a));
  await configure(peers([r.a, r.b]));
  assert.equal(await r.told(r.a), undefined, 'a reload brings nothing back');
  assert.match(r.router.nginx.errorLog(), new RegExp(`\\[warn\\] .*"shop": peer "${r.a}" stays removed`), 'and says so');
  await configure(peers([r.b]));
  await configure(peers([r.a, r.b]));
  assert.equal((await r.told(r.a)).state, 'ready');

  // ... and over a restart without it in between
  await ok(r.peer('DELETE', r.a));
  await r.router.stop();
  await r.router.startAgain(peers([r.b]));
  await ok(r.peer('PATCH', r.b, { weight: 2 }));
  await r.router.stop();
  await r.router.startAgain(peers([r.a, r.b]));
  assert.equal((await r.told(r.a)).state, 'ready');
  assert.equal((await r.told(r.b)).weight, 2);

  // added and drained by command, then nginx.conf has it, with another weight and data center
  await ok(r.peer('PUT', fresh.peer, { weight: 4, dc: 'west' }));
  await ok(r.peer('PATCH', fresh.peer, { state: 'draining', by: 'me' }));
  const both = ({ ports, dir }) =>
    peers([r.a, r.b])({ ports, dir }).replace('keepalive', `pourover_server ${fresh.peer} weight=6 dc=east; keepalive`);
  const inherited = async () => {
    const { origin, weight, dc, state, drain } = await r.told(fresh.peer);
    return [origin, weight, dc, state, drain?.by];
  };
  await configure(both);
  assert.deepEqual(await inherited(), ['config', 6, 'east', 'draining', 'me']);
  assert.equal((await r.service()).peers.length, 4);
  assert.equal((await hosts(r)).v3, undefined);
  await r.router.stop();
  await r.router.startAgain(both);
  assert.deepEqual(await inherited(), ['config', 6, 'east', 'draining', 'me']);

  // what nginx.conf says anew is done unless a command said otherwise
  await configure(({ ports, dir }) => both({ ports, dir }).replace('weight=6', 'weight=9').replace(`server ${r.b};`, `server ${r.b} weight=5;`));
  assert.equal((await r.told(fresh.peer)).weight, 9);
  assert.equal((await r.told(r.b)).weight, 2, 'a command said so');
});

test('changes of many writers at once, of peers and of the split: none is lost', async (t) => {
  const r = await start(t, { workers: 4 });
  const address = (i) => `10.0.0.${i}:80`;
  let revision = 0;
  const changes = Array.from({ length: 40 }, (_, i) => ok(r.peer('PUT', address(i + 1), { state: 'down', weight: i + 1 })));
  for (let i = 0; i < 10; i += 1) {
    const { split } = await ok(r.api('PUT', 'v1/services/shop/split', { share_ppm: i, revision: revision + 1, if_revision: revision }));
    revision = split.revision;
  }
  assert.ok((await Promise.all(changes)).every(({ saved }) => saved));
  const removed = Array.from({ length: 20 }, (_, i) => ok(r.peer('DELETE', address(2 * i + 1))));
  await Promise.all(removed);
  const { peers, services, controls } = r.file();
  assert.deepEqual(peers.map((line) => line.weight).sort((x, y) => x - y), Array.from({ length: 20 }, (_, i) => 2 * i + 2));
  assert.deepEqual([services.get('shop').revision, controls.get('shop').revision], [10, 60]);
});

test('a change that cannot be saved is 507, and in effect in memory', async (t) => {
  const r = await start(t, { allow: [/state file ".*" was not written/] });
  const state = `${r.nginx.dir}/state`;
  await waitUntil(() => existsSync(`${state}/router.json`), 5_000, 'the file');
  renameSync(state, `${state}.away`);
  for (const [send, member] of [
    [() => r.peer('PATCH', r.a, { state: 'draining' }), 'peer'],
    [() => r.peer('PUT', '10.0.0.1:80', { state: 'down' }), 'peer'],
    [() => r.api('PUT', 'v1/services/shop/maintenance', { on: true }), 'maintenance'],
    [() => r.api('POST', 'healthcheck/fail'), 'healthcheck'],
  ]) {
    const answer = await send();
    assert.deepEqual([answer.status, answer.body.saved, answer.body.error.code], [507, false, 'not_saved'], answer.text);
    assert.deepEqual(Object.keys(answer.body), ['epoch', 'saved', 'error', member]);
  }
  const refused = await r.peer('PATCH', '10.9.9.9:80', { weight: 1 });
  assert.equal(refused.status, 404, 'what is wrong is not "not saved"');
  assert.equal((await r.told(r.a)).state, 'draining');
  assert.equal((await r.service()).maintenance.on, true);
  assert.equal((await r.router.api('status')).healthcheck.failing, true);
  const watch = await ok(r.api('PUT', 'v1/services/shop/watch', { sample: 64 }));
  assert.deepEqual(Object.keys(watch), ['epoch', 'watch'], 'which is not saved at all');
  renameSync(`${state}.away`, state);
  await waitUntil(() => r.file().peers.length === 2, 15_000, 'all of it in the file');
  assert.deepEqual([r.file().failing.failing, r.file().controls.get('shop').maintenance], [true, true]);
});

test('a zone without room says so, and goes on with what it has', async (t) => {
  const r = await start(t, { config: { size: '640k', services: ['shop'] }, workers: 1 });
  let full;
  let added = 0;
  for (; !full && added < 1100; added += 1) {
    const answer = await r.peer('PUT', `10.0.${added >> 8}.${added & 255}:80`, { state: 'down' });
    if (answer.status !== 200) full = answer;
  }
  assert.deepEqual([full.status, full.body.saved, full.body.error.code], [507, false, 'full'], full.text);
  assert.match(full.body.error.message, /no room for peer "10\.0\.\d+\.\d+:80"/);
  assert.deepEqual(Object.keys(full.body), ['epoch', 'saved', 'error']);
  assert.ok(added > 16, `${added} peers`);
  await r.router.nginx.reload(); // a worker more: its counts find room
  await hosts(r);
  await ok(r.peer('DELETE', '10.0.0.0:80'));
  await ok(r.peer('PUT', '10.1.0.0:80', { state: 'down' }));
  await ok(r.peer('PATCH', r.a, { weight: 2 }));
});

test('without a state file commands hold in memory and are not called saved', async (t) => {
  const r = await start(t, { config: { state: false } });
  assert.equal((await ok(r.peer('PATCH', r.a, { state: 'down' }))).saved, false);
  assert.equal((await ok(r.api('POST', 'healthcheck/fail'))).saved, false);
  await r.router.nginx.reload();
  assert.equal((await r.told(r.a)).state, 'down');
  assert.equal((await r.router.api('status')).healthcheck.failing, true);
});

test('maintenance tells who and since when; a change of its text is no new beginning', async (t) => {
  const r = await start(t);
  const put = (body) => ok(r.api('PUT', 'v1/services/shop/maintenance', body));
  const first = (await put({ on: true, by: 'mia', message: 'back at 12:00' })).maintenance;
  assert.deepEqual([first.on, first.by, first.message], [true, 'mia', 'back at 12:00']);
  assert.ok(Math.abs(first.since_ms - Date.now()) < 10_000);
  const second = (await put({ on: true, message: 'soon' })).maintenance;
  assert.deepEqual(second, { on: true, by: '', message: 'soon', since_ms: first.since_ms });
  assert.deepEqual((await r.service()).maintenance, second);
  assert.equal((await put({ on: false, by: 'tom' })).maintenance.on, false);
  const { body } = await r.api('GET', 'v1/services');
  assert.deepEqual(body.services.map(({ name, maintenance }) => [name, maintenance.on]), [['shop', false], ['rpc', false]]);
});

test('a watch keeps what is not named, over a reload, and starts anew with the router', async (t) => {
  const r = await start(t);
  const put = async (body) => (await ok(r.api('PUT', 'v1/services/shop/watch', body))).watch;
  assert.deepEqual(await put({ slow_us: [500_000, 2_000_000] }), { slow_us: [500_000, 2_000_000], hang_ms: 60_000, sample: 0, kinds: [] });
  const all = { slow_us: [500_000, 2_000_000], hang_ms: 0, sample: 64, kinds: ['4xx', '3xx'] };
  assert.deepEqual(await put({ hang_ms: 0, sample: 64, kinds: ['3xx', '4xx'] }), all);
  await r.router.nginx.reload();
  assert.deepEqual(await put({ sample: 64 }), all);
  await r.router.stop();
  await r.router.startAgain();
  assert.deepEqual(await put({ sample: 0 }), { slow_us: [], hang_ms: 60_000, sample: 0, kinds: [] });
});

test('a flag file makes the router start failing until it is told ok', async (t) => {
  const peers = await startPeers(t);
  const http = (place) => routerHttp(peers)(place).replace('state=', `fail_file=${place.dir}/fail state=`);
  const router = await startRouter(t, peers, { http, allow: [/cannot remove ".*\/fail"/] });
  const r = control(t, router, peers);
  const flag = `${r.nginx.dir}/fail`;
  const told = async () => (await router.api('status')).healthcheck;
  assert.deepEqual(await told(), { failing: false, by: '', since_ms: 0, flag_file: flag });

  writeFileSync(flag, '');
  await router.nginx.reload();
  assert.equal((await told()).failing, false, 'a reload is no start');
  await router.stop();
  await router.startAgain(http);
  assert.deepEqual([(await told()).failing, (await told()).by], [true, 'fail_file']);
  await waitUntil(() => r.file().failing?.failing, 5_000, 'the flag in the state file');

  const good = await ok(r.api('POST', 'healthcheck/ok', { by: 'mia' }));
  assert.deepEqual([good.saved, good.healthcheck.failing, good.healthcheck.by], [true, false, 'mia']);
  assert.equal('flag_file_left' in good, false);
  assert.equal(existsSync(flag), false);
  await router.stop('SIGKILL');
  await router.startAgain(http);
  assert.equal((await told()).failing, false);

  // the flag that a command set is one of the state file, and holds without a flag file
  const failed = await ok(r.api('POST', 'healthcheck/fail', { by: 'release 12' }));
  await router.stop();
  await router.startAgain(http);
  assert.deepEqual(await told(), failed.healthcheck);
  mkdirSync(flag);
  assert.equal((await ok(r.api('POST', 'healthcheck/ok'))).flag_file_left, true);
  rmdirSync(flag);
});

/** A change through one of `pids`, over a connection of its own. */
async function through(r, pids, method, path, body) {
  const [wire] = (await wiresTo(r.router.ports.api, [pids[0]], '/pourover/v1/status')).values();
  const text = body === undefined ? '' : JSON.stringify(body);
  const type = text ? `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n` : '';
  const { status, json } = await wire.finish(`${method} /pourover/${path} HTTP/1.1\r\nHost: localhost\r\n${type}\r\n${text}`);
  wire.close();
  assert.equal(status, 200, JSON.stringify(json));
  return json;
}

test('in a binary upgrade what is told to one master holds in the other too', async (t) => {
  const r = await start(t);
  const fresh = await r.add();
  const { nginx } = r.router;
  await ok(r.peer('PATCH', r.b, { weight: 3 }));
  const masters = await nginx.upgradeBegin();
  const seen = (what, condition) =>
    waitUntil(async () => {
      const said = await r.router.eachWorker('services/shop');
      const status = await r.router.eachWorker('status');
      return [...said].every(([pid, service]) => condition(service, status.get(pid)));
    }, 5_000, `${what} in both masters`);
  const state = (service, address) => service.peers.find((p) => p.address === address)?.state;

  for (const [mine, other] of [['old', 'new'], ['new', 'old']]) {
    const pids = nginx.workers(masters[mine]);
    const others = nginx.workers(masters[other]);
    await through(r, pids, 'PATCH', `${PEERS}/${r.a}`, { state: 'draining', by: mine });
    await seen('a drain', ({ peers }) => peers.find((p) => p.address === r.a).drain?.by === mine);
    await through(r, others, 'PUT', `${PEERS}/${fresh.peer}`, { dc: mine });
    await seen('an added peer, and the drain still', (s) => state(s, fresh.peer) === 'ready' && state(s, r.a) === 'draining');
    await through(r, pids, 'DELETE', `${PEERS}/${fresh.peer}`);
    await through(r, pids, 'DELETE', `${PEERS}/${r.c}`);
    await seen('removed peers', (s) => !state(s, fresh.peer) && !state(s, r.c));
    await through(r, others, 'PUT', `${PEERS}/${r.c}`, {});
    await through(r, others, 'PUT', 'v1/services/shop/maintenance', { on: true, by: mine });
    await seen('maintenance, and the removed one back', (s) => s.maintenance.by === mine && state(s, r.c) === 'ready');
    await through(r, pids, 'POST', 'healthcheck/fail', { by: mine });
    await seen('the flag', (s, status) => status.healthcheck.by === mine && status.upgrading);
    await through(r, others, 'POST', 'healthcheck/ok');
    await seen('the end of the flag', (s, status) => !status.healthcheck.failing);
  }
  await nginx.upgradeFinish();
  const { peers } = await r.service();
  assert.deepEqual(
    peers.map(({ address, state: s, weight }) => [address, s, weight]).sort(),
    [[r.a, 'draining', 1], [r.b, 'ready', 3], [r.c, 'ready', 1]].sort(),
  );
});
