// What a release asks of its routers (src/gateway/port.h), by tests/support/port_driver.c, of two real ones: each call is
// proved at both; one is away, comes back, hangs; somebody else changes things meanwhile.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { renameSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fakeRouter } from '../support/fake-router.mjs';
import { BUILD_DIR, startNginx } from '../support/nginx.mjs';
import { call as callApi } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask } from './client.mjs';
import { PORTS, Router } from './life.mjs';

const DRIVER = path.join(BUILD_DIR, 'tests/port_driver');
const BY = 'release 42';
const LONG = 60_000; // a deadline that no test waits for

/** A service before peers a, b (stable, one in each data center) and c (canary), whose checks are quick. */
const config = ({ a, b, c }) => ({ ports, dir }) => `
  pourover_zone name=main size=4m state=${dir}/state/router.json;
  upstream shop {
    pourover zone=main salt=r1;
    pourover_server ${a.peer} dc=east;
    pourover_server ${b.peer} dc=west;
    pourover_server ${c.peer} track=canary dc=east weight=3;
    pourover_check http uri=/healthz interval=100ms timeout=90ms rise=1 fall=1;
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    pourover_service shop;
    proxy_next_upstream off;
    location / { proxy_pass http://shop; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

const hosts = {};
const routers = {};
const all = () => Object.values(routers);
const addressOf = ({ ports }) => `http://127.0.0.1:${ports.api}/pourover`;
const both = () => Object.entries(routers).map(([name, router]) => [name, addressOf(router)]);

/**
 * The driver on routers, [[name, url]]: .done is what it printed, one object a call. Calls are lists of arguments and
 * are made at once. Options: ms until the deadline, and until another thread cancels.
 */
function start(list, { deadline = 10_000, cancelAfter, service = 'shop' } = {}, ...calls) {
  const args = list.flatMap(([name, url]) => ['--router', `${name}=${url}`]);
  args.push('--service', service, '--deadline', String(deadline), ...(cancelAfter ? ['--cancel-after', String(cancelAfter)] : []));
  args.push(...calls.flatMap((call, i) => [...(i > 0 ? ['+'] : []), ...call.map(String)]));
  const child = spawn(DRIVER, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.out = '';
  let err = '';
  child.stdout.on('data', (chunk) => { child.out += chunk; });
  child.stderr.on('data', (chunk) => { err += chunk; });
  child.done = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0 || err !== '') reject(new Error(`port_driver ended in ${code}: ${err}`));
      else resolve(JSON.parse(child.out.split('\n').at(-2)));
    });
  });
  child.done.catch(() => {}); // whoever waits for it hears of it
  return child;
}

/** One call at both routers; with its deadline. */
const port = async (...args) => (await start(both(), {}, args).done)[0];
const within = async (deadline, ...args) => (await start(both(), { deadline }, args).done)[0];

function ok(result, pattern = /^/) {
  assert.equal(result.code, 'ok', result.error);
  assert.match(result.told, pattern);
  return result;
}

function fails(result, code, pattern) {
  assert.equal(result.code, code, `${result.error} ${result.told}`);
  assert.match(result.error, pattern);
  return result;
}

async function order(router, host, body) {
  const answer = await callApi({ port: router.ports.api }, 'PATCH', `v1/services/shop/peers/${host.peer}`, body);
  assert.equal(answer.status, 200, answer.text);
}

const peerAt = async (router, { peer }) => (await router.api('services/shop')).peers.find(({ address }) => address === peer);
const statesOf = (host) => Promise.all(all().map(async (router) => (await peerAt(router, host))?.state));
const until = (router, host, member, value) => waitUntil(
  async () => (await peerAt(router, host))?.[member] === value, 10_000, `${member} of ${host.host} is ${value}`);

/** A request that stays at `host`; resolves when it is there, to {status} or {error} when it has ended. */
async function hang(router, host, url = '/hang') {
  const other = host === hosts.a ? hosts.b : hosts.a;
  await order(router, other, { state: 'down' });
  const ended = ask(router.ports.http, url, { method: 'POST', body: 'x', headers: { 'content-length': 1 } })
    .then(({ status }) => ({ status }), (error) => ({ error }));
  await until(router, host, 'in_flight', 1);
  await order(router, other, { state: 'ready' });
  return { ended };
}

/** An address that takes connections and never answers, as the router west. */
async function hanging(t) {
  const open = new Set();
  const server = net.createServer((socket) => { open.add(socket.on('error', () => {})); });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => {
    open.forEach((socket) => socket.destroy());
    server.close();
  });
  return ['west', `http://127.0.0.1:${server.address().port}/pourover`];
}

/** West is stopped; it comes back with startAgain(). */
async function west(t) {
  await routers.west.stop();
  let away = true;
  const back = async () => {
    if (away) await routers.west.startAgain(config(hosts));
    away = false;
  };
  t.after(back);
  return { back };
}

/** Requests to both routers until the end of the test. */
function traffic(t) {
  let over = false;
  const run = async ({ ports }) => { while (!over) await ask(ports.http, '/').catch(() => {}); };
  const ended = Promise.all(all().map(run));
  t.after(() => { over = true; return ended; });
}

async function load(router, url, n) {
  for (let i = 0; i < n; i += 1) await ask(router.ports.http, url);
}

describe('what a release asks of its routers', () => {
  before(async () => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((host) => startUpstream({ host, version: host })));
    Object.assign(hosts, { a, b, c });
    for (const name of ['east', 'west']) {
      const nginx = await startNginx({ ports: PORTS, http: config(hosts) });
      routers[name] = new Router(nginx, {}, []);
    }
  });

  after(async () => {
    await Promise.all(all().map((router) => router.stop()));
    await Promise.all(Object.values(hosts).map((host) => host.stop()));
  });

  /** All peers ready and up, and one split at both: nobody on the canary. */
  beforeEach(async () => {
    Object.values(hosts).forEach((host) => host.setMode({}));
    const services = await Promise.all(all().map((router) => router.api('services/shop')));
    const revision = Math.max(...services.map(({ split }) => split.revision)) + 1;
    const one = services.every(({ split }) => split.revision === revision - 1 && split.share_ppm === 0 && split.enabled);
    await Promise.all(all().map(async (router, i) => {
      const { peers, split } = services[i];
      const seen = (host) => peers.find(({ address }) => address === host.peer);
      for (const host of Object.values(hosts)) {
        if (seen(host).state !== 'ready') await order(router, host, { state: 'ready' });
        if (seen(host).health !== 'up') await until(router, host, 'health', 'up');
      }
      if (one) return;
      const { status } = await router.put({ share_ppm: 0, salt: 'r1', enabled: true, revision, if_revision: split.revision });
      assert.equal(status, 200);
    }));
  });

  describe('drain', () => {
    test('is set at both by name, again by the same, and is quiet', async () => {
      ok(await port('drain', hosts.a.peer, BY, 30_000, 60_000));
      for (const router of all()) {
        const { state, drain } = await peerAt(router, hosts.a);
        assert.equal(state, 'draining');
        assert.equal(drain.by, BY);
        assert.ok(drain.streams_until_ms - drain.requests_until_ms > 20_000);
      }
      const [first] = await Promise.all(all().map((router) => peerAt(router, hosts.a)));
      ok(await port('drain', hosts.a.peer, BY, 30_000, 60_000));
      const again = await peerAt(routers.east, hosts.a);
      assert.equal(again.drain.requests_until_ms, first.drain.requests_until_ms, 'the limits go on, not anew');
      ok(await port('drain', hosts.a.peer, BY, 1_000, 60_000));
      const sooner = await peerAt(routers.west, hosts.a);
      assert.ok(sooner.drain.requests_until_ms < first.drain.requests_until_ms, 'earlier limits hold');
      ok(await port('quiet', hosts.a.peer), /^$/);
    });

    test('by somebody else is kept and named', async () => {
      await order(routers.west, hosts.a, { state: 'draining', by: 'mia' });
      fails(await port('drain', hosts.a.peer, BY, 0, 0), 'conflict', /^router west: .* is drained by "mia", not by "release 42"/);
      assert.equal((await peerAt(routers.west, hosts.a)).drain.by, 'mia');
      await order(routers.west, hosts.a, { state: 'down' });
      fails(await port('drain', hosts.a.peer, BY, 0, 0), 'conflict', /^router west: somebody else took .* down/);
    });

    test('of a peer that is not there, and of a service that is not there', async () => {
      fails(await port('drain', '127.0.0.1:1', BY, 0, 0), 'not found', /no router has a peer 127\.0\.0\.1:1/);
      fails(await port('quiet', '127.0.0.1:1'), 'not found', /no router has a peer 127\.0\.0\.1:1/);
      fails(await port('drain', 'a b', BY, 0, 0), 'invalid', /no address/);
      const [result] = await start(both(), {}, ['drain', hosts.a.peer, '', 0, 0]).done;
      fails(result, 'invalid', /who drains/);
      const [nowhere] = await start(both(), { service: 'shoe' }, ['drain', hosts.a.peer, BY, 0, 0]).done;
      fails(nowhere, 'remote', /^router (east|west).*shoe/);
    });

    test('of a peer that one router lacks is told', async () => {
      const answer = await callApi({ port: routers.west.ports.api }, 'PUT', 'v1/services/shop/peers/127.0.0.1:9', { track: 'stable' });
      assert.equal(answer.status, 200, answer.text);
      const half = ok(await port('capacity', '127.0.0.1:9', '-'));
      assert.deepEqual([half.known, half.somewhere], [false, true]);
      ok(await port('drain', '127.0.0.1:9', BY, 0, 0), /^router east has no peer 127\.0\.0\.1:9\n$/);
      ok(await port('quiet', '127.0.0.1:9'), /^router east has no peer 127\.0\.0\.1:9\n$/);
      fails(await port('ready', '127.0.0.1:9', 'stable'), 'not found', /^router east: there is no peer/);
      ok(await port('remove', '127.0.0.1:9'));
    });

    test('waits for a router that is away and comes back before the deadline', async (t) => {
      const { back } = await west(t);
      const child = start(both(), { deadline: LONG }, ['drain', hosts.a.peer, BY, 0, 0]);
      await until(routers.east, hosts.a, 'state', 'draining');
      await back();
      ok((await child.done)[0]);
      assert.deepEqual(await statesOf(hosts.a), ['draining', 'draining']);
    });

    test('is not proved while one is away or hangs: that one is named, the other drains', async (t) => {
      const hung = [both()[0], await hanging(t)];
      const child = start(hung, { deadline: 1000 }, ['drain', hosts.b.peer, BY, 0, 0]);
      fails((await child.done)[0], 'unreachable', /^not draining at router west: no answer in \d+ ms/);
      assert.equal((await peerAt(routers.east, hosts.b)).state, 'draining');
      await west(t);
      fails(await within(700, 'drain', hosts.a.peer, BY, 0, 0), 'unreachable', /^not draining at router west: .*127\.0\.0\.1/);
      assert.equal((await peerAt(routers.east, hosts.a)).state, 'draining');
    });

    test('what the limits cut is told; what goes on at the deadline, too', async () => {
      const { ended } = await hang(routers.west, hosts.a, '/hang?secret=1');
      ok(await port('drain', hosts.a.peer, BY, 0, 0));
      const late = fails(await within(600, 'quiet', hosts.a.peer), 'timeout', /^not quiet at router west: 1 in flight/);
      assert.match(late.told, /^router west: 127\.0\.0\.1:\d+: in flight: POST \/hang after \d+\.\d{3} s\n$/);
      ok(await port('drain', hosts.a.peer, BY, 200, 200));
      ok(await port('quiet', hosts.a.peer), /^router west: 127\.0\.0\.1:\d+: cut: POST \/hang after \d+\.\d{3} s\n$/);
      assert.notEqual((await ended).status, 200);
    });

    test('that somebody ends meanwhile is a conflict', async () => {
      const { ended } = await hang(routers.west, hosts.a);
      ok(await port('drain', hosts.a.peer, BY, 0, 0));
      const child = start(both(), { deadline: LONG }, ['quiet', hosts.a.peer]);
      await setTimeout(300); // it has been looked at
      await order(routers.west, hosts.a, { state: 'ready' });
      fails((await child.done)[0], 'conflict', /^router west: somebody else ended the drain/);
      hosts.a.cutConnections();
      await ended;
    });

    test('that somebody ends at one while the other is away is a conflict', async (t) => {
      const { back } = await west(t);
      const child = start(both(), { deadline: LONG }, ['drain', hosts.a.peer, BY, 0, 0]);
      await until(routers.east, hosts.a, 'state', 'draining');
      await setTimeout(600); // older than a reading may be when all hold
      await order(routers.east, hosts.a, { state: 'ready' });
      await back();
      fails((await child.done)[0], 'conflict', /^router east: somebody else ended the drain/);
    });

    test('is given up when another thread cancels', async (t) => {
      const hung = [both()[0], await hanging(t)];
      const [drain, quiet] = await start(hung, { deadline: LONG, cancelAfter: 400 }, ['drain', hosts.a.peer, BY, 0, 0], ['split']).done;
      fails(drain, 'cancelled', /cancelled/);
      fails(quiet, 'cancelled', /cancelled/);
      assert.ok(drain.ms < LONG / 2 && quiet.ms < LONG / 2);
    });

    test('during an upgrade of nginx nothing is proved', async (t) => {
      const fake = await fakeRouter({ upgrading: true });
      t.after(() => fake.close());
      const [a] = fake.shop.peers;
      const list = [['east', fake.api]];
      ok((await start(list, {}, ['drain', a.address, BY, 0, 0]).done)[0]);
      fails((await start(list, { deadline: 500 }, ['quiet', a.address]).done)[0], 'timeout', /nginx is being upgraded/);
    });

    test('that is in effect but not saved is not enough', async (t) => {
      const state = `${routers.west.nginx.dir}/state`;
      routers.west.allow = [/router\.json/];
      renameSync(state, `${state}-away`);
      t.after(() => {
        renameSync(`${state}-away`, state);
        return order(routers.west, hosts.a, { state: 'ready' }); // saved with the next change
      });
      fails(await within(700, 'drain', hosts.a.peer, BY, 0, 0), 'io', /^not draining at router west: in effect, but not saved: /);
      assert.deepEqual(await statesOf(hosts.a), ['draining', 'draining']);
    });
  });

  describe('ready', () => {
    test('is proved by traffic', async (t) => {
      ok(await port('drain', hosts.a.peer, BY, 0, 0));
      traffic(t);
      ok(await port('ready', hosts.a.peer, 'stable'), /^$/);
      assert.deepEqual(await statesOf(hosts.a), ['ready', 'ready']);
    });

    test('without traffic is told; where nobody is sent nothing is waited for', async () => {
      ok(await port('drain', hosts.a.peer, BY, 0, 0));
      const told = ok(await within(1200, 'ready', hosts.a.peer, 'stable')).told.split('\n');
      assert.equal(told.length, 3);
      assert.match(told[0], /^router east: .* is ready on stable, not proved by traffic: 0 requests to stable since, none to it$/);
      assert.match(told[1], /^router west: /);
      ok(await port('ready', hosts.c.peer, 'canary'), /the split sends nobody there/);
    });

    test('waits for the check: the reason is said when it does not pass in time', async (t) => {
      traffic(t);
      ok(await port('drain', hosts.a.peer, BY, 0, 0));
      hosts.a.setMode({ status: 503 });
      await until(routers.east, hosts.a, 'health', 'down');
      await until(routers.west, hosts.a, 'health', 'down');
      fails(await within(700, 'ready', hosts.a.peer, 'stable'), 'timeout',
        /^not proved ready at router east \(and 1 more\): its check fails: status, status 503/);
      const child = start(both(), { deadline: LONG }, ['ready', hosts.a.peer, 'stable']);
      hosts.a.setMode({});
      ok((await child.done)[0]);
    });

    test('that somebody changes meanwhile is a conflict', async () => {
      hosts.a.setMode({ status: 503 });
      for (const router of all()) await until(router, hosts.a, 'health', 'down');
      const child = start(both(), { deadline: LONG }, ['ready', hosts.a.peer, 'stable']);
      await setTimeout(300); // it has been looked at
      await order(routers.west, hosts.a, { state: 'draining', by: 'mia' });
      fails((await child.done)[0], 'conflict', /^router west: somebody else changed .*: it is draining on stable/);
      assert.equal((await peerAt(routers.west, hosts.a)).state, 'draining');
    });

    test('is not believed when the track is served and the peer gets nothing', async (t) => {
      const fake = await fakeRouter({});
      const timer = setInterval(() => fake.serve('stable', { requests: 10 }), 20);
      t.after(() => { clearInterval(timer); return fake.close(); });
      const { address } = fake.shop.peers.find(({ track }) => track === 'stable');
      const list = [['east', fake.api]];
      const [result] = await start(list, { deadline: 900 }, ['ready', address, 'stable']).done;
      fails(result, 'timeout', /^not proved ready at router east: \d+ requests went to stable since it is ready, and none to it/);
    });
  });

  describe('members', () => {
    test('are added draining, moved, made ready and removed at both', async (t) => {
      traffic(t);
      const extra = await startUpstream({ host: 'd', version: 'd' });
      try {
        ok(await port('add', extra.peer, 'canary', 'west', 5, BY));
        for (const router of all()) {
          const { state, track, dc, weight, drain } = await peerAt(router, extra);
          assert.deepEqual({ state, track, dc, weight, by: drain.by }, { state: 'draining', track: 'canary', dc: 'west', weight: 5, by: BY });
        }
        ok(await port('add', extra.peer, 'canary', 'west', 5, BY));
        fails(await port('add', extra.peer, 'stable', '-', 0, BY), 'conflict', /is a peer of canary already/);
        ok(await port('track', extra.peer, 'stable'));
        assert.deepEqual(await statesOf(extra), ['draining', 'draining'], 'its state stays');
        ok(await port('ready', extra.peer, 'stable'));
        ok(await port('remove', extra.peer));
        assert.deepEqual(await statesOf(extra), [undefined, undefined]);
        ok(await port('remove', extra.peer));
        fails(await port('track', extra.peer, 'stable'), 'not found', /there is no peer/);
      } finally {
        await extra.stop();
      }
    });

    test('the least that any router sees is the capacity', async () => {
      const { peer } = hosts.a;
      const whole = ok(await port('capacity', peer, 'east'));
      assert.deepEqual(whole.weight, { stable: 2, canary: 3 });
      assert.deepEqual(whole.without, { stable: 1, canary: 3 });
      assert.equal(whole.peers_dc_without, 0, 'a is the only one of east');
      assert.equal(ok(await port('capacity', peer, 'west')).peers_dc_without, 1);
      assert.deepEqual([whole.known, whole.track], [true, 'stable']);
      hosts.c.setMode({ status: 500 });
      await until(routers.west, hosts.c, 'health', 'down');
      await order(routers.west, hosts.b, { state: 'draining', by: 'mia' });
      const least = ok(await port('capacity', peer, '-'));
      assert.deepEqual(least.weight, { stable: 1, canary: 0 });
      assert.deepEqual(least.without, { stable: 0, canary: 0 });
      assert.equal(ok(await port('capacity', '127.0.0.1:1', '-')).known, false);
      assert.equal(ok(await port('capacity', '-', '-')).known, false);
    });
  });

  describe('share', () => {
    const shares = () => Promise.all(all().map(async (router) => (await router.split()).share_ppm));

    test('is raised and lowered at both', async () => {
      ok(await port('share', 200_000, '-'));
      assert.deepEqual(await shares(), [200_000, 200_000]);
      ok(await port('share', 300_000, 'r2'));
      const split = ok(await port('split'));
      assert.deepEqual([split.share_ppm, split.salt, split.enabled], [300_000, 'r2', true]);
      assert.deepEqual(await routers.east.split(), await routers.west.split());
      ok(await port('share', 300_000, 'r2'));
      assert.equal(ok(await port('split')).revision, split.revision, 'nothing was to be done');
      ok(await port('share', 0, '-'));
      assert.deepEqual(await shares(), [0, 0]);
    });

    test('is not raised while a router is away, but when it comes back in time', async (t) => {
      const { back } = await west(t);
      fails(await within(700, 'share', 100_000, '-'), 'unreachable', /router west/);
      assert.equal((await routers.east.split()).share_ppm, 0, 'nothing was raised');
      const child = start(both(), { deadline: LONG }, ['share', 100_000, '-']);
      await back();
      ok((await child.done)[0]);
      assert.deepEqual(await shares(), [100_000, 100_000]);
    });

    test('is lowered within a second where a router answers, though another hangs', async (t) => {
      ok(await port('share', 500_000, '-'));
      const list = [both()[0], await hanging(t)];
      for (const share of [100_000, 0]) {
        const child = start(list, { deadline: 1000 }, ['share', share, '-']);
        const begin = Date.now();
        await waitUntil(async () => (await routers.east.split()).share_ppm === share, 5_000, 'east to be lowered');
        assert.ok(Date.now() - begin < 1000, 'a promise: a lowering takes less than a second');
        fails((await child.done)[0], 'unreachable', /^router west: not proved: no answer/);
      }
    });

    test('of a router that is away is lowered when it comes back', async (t) => {
      ok(await port('share', 500_000, '-'));
      const { back } = await west(t);
      fails(await within(600, 'share', 400_000, '-'), 'unreachable', /^router west: not proved: .*127\.0\.0\.1/);
      assert.equal((await routers.east.split()).share_ppm, 400_000);
      const child = start(both(), { deadline: LONG }, ['share', 0, '-']);
      await waitUntil(async () => (await routers.east.split()).share_ppm === 0, 5_000, 'east to be lowered');
      await back();
      ok((await child.done)[0]);
      assert.deepEqual(await shares(), [0, 0]);
    });

    test('conflicts are told: routers that differ, a switch that is off', async () => {
      await routers.west.set(10_000);
      fails(await port('split'), 'conflict', /the routers differ: .*east.*west/);
      fails(await port('share', 500_000, '-'), 'conflict', /differ/);
      await routers.west.set(0);
      ok(await port('share', 0, '-'));
      const { revision } = await routers.east.split();
      for (const router of all()) await router.put({ enabled: false, revision: revision + 5, if_revision: 'any' });
      fails(await port('share', 500_000, '-'), 'conflict', /disabled/);
    });

    test('is verified by visitors; wrong ones, strange addresses and none are told', async () => {
      ok(await port('share', 100_000, '-'));
      const visits = all().map(({ ports }) => `http://127.0.0.1:${ports.http}/`);
      ok(await port('verify', 100_000, ...visits), /^router east: \d+ of \d+ test visitors .*\nrouter west: \d+ of \d+ .*\n$/);
      fails(await port('verify', 200_000, ...visits), 'conflict', /a share of 10%, not 20%/);
      fails(await port('verify', 100_000, visits[0], `http://${hosts.a.peer}/`), 'remote', /^router west: .*did not come from this router/);
      ok(await port('verify', 100_000), /^not verified by visitors/);
      fails(await port('verify', 100_000, ...visits, visits[0]), 'invalid', /3 visitors' addresses for 2 routers/);
      fails(await within(600, 'verify', 100_000, 'http://127.0.0.1:1/'), 'unreachable', /^router east: no visit to/);
    });
  });

  describe('figures', () => {
    test('between two looks are those of a known load', async () => {
      await load(routers.east, '/', 5);
      const child = start(both(), {}, ['between']);
      await waitUntil(() => child.out.includes('looked'), 10_000, 'the first look');
      await load(routers.east, '/', 30);
      await load(routers.west, '/status/500', 6);
      await load(routers.west, '/slow/300', 1);
      child.stdin.end('\n');
      const [figures] = await child.done;
      ok(figures);
      assert.deepEqual(figures.requests, { stable: 37, canary: 0 });
      assert.deepEqual(figures.errors, { stable: 6, canary: 0 });
      assert.equal(figures.broken, false);
      assert.ok(figures.p99_us.stable >= 295_000, `p99 of 37 is the slowest: ${figures.p99_us.stable}`);
      assert.equal(figures.p99_us.canary, 0);
    });

    test('over a restart of a router there are none', async (t) => {
      const child = start(both(), {}, ['between']);
      await waitUntil(() => child.out.includes('looked'), 10_000, 'the first look');
      const { back } = await west(t);
      await back();
      await load(routers.east, '/', 3);
      child.stdin.end('\n');
      const [figures] = await child.done;
      ok(figures);
      assert.equal(figures.broken, true);
      assert.deepEqual(figures.requests, { stable: 0, canary: 0 });
    });
  });

  test('calls in several threads at once all hold', async (t) => {
    traffic(t);
    const visits = all().map(({ ports }) => `http://127.0.0.1:${ports.http}/`);
    const results = await start(both(), { deadline: LONG }, ['drain', hosts.a.peer, BY, 0, 0], ['capacity', hosts.b.peer, '-'],
      ['ready', hosts.c.peer, 'canary'], ['split'], ['verify', 0, ...visits], ['capacity', '-', 'east'], ['ready', hosts.b.peer, 'stable'],
      ['split']).done;
    assert.equal(results.length, 8);
    results.forEach((result) => ok(result));
    assert.deepEqual(await statesOf(hosts.a), ['draining', 'draining']);
  });
});
