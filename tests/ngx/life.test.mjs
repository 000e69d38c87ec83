// The router's life: reloads, refused ones, killed and stopped workers. What holds is read through the API.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { testConfig } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { PORTS, routerHttp, startPeers, startRouter, Wire, wiresTo } from './life.mjs';

/** Sends `n` requests that get no answer; returns a function that gives them up. */
async function hang(router, n) {
  const before = await router.inFlight();
  const wires = Array.from({ length: n }, () => new Wire(router.ports.http));
  wires.forEach((wire) => wire.get('/hang').catch(() => {}));
  await becomes(router, before + n);
  return () => wires.forEach((wire) => wire.close());
}

const becomes = (router, n) =>
  waitUntil(async () => (await router.inFlight()) === n, 5_000, `${n} requests in flight`);

/** Kills the workers that are shutting down; returns how many. */
function killOld({ nginx }) {
  const killed = nginx.exitingWorkers().filter((pid) => {
    try {
      nginx.kill(pid);
      return true;
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
      return false; // it had nothing left to do
    }
  });
  return killed.length;
}

test('requests in flight of killed workers are forgotten, their peers get their part again', async (t) => {
  const peers = await startPeers(t, { stable: 2 });
  const router = await startRouter(t, peers);
  peers.services.stable[0].setMode({ hang: true });
  const wires = Array.from({ length: 40 }, () => new Wire(router.ports.http));
  const hangs = wires.map((wire) => wire.get('/').then(() => 0, () => 1));
  await waitUntil(async () => (await router.inFlight()) >= 5, 5_000, 'requests that hang');
  for (const pid of router.nginx.workers()) await router.nginx.killWorker(pid);
  await becomes(router, 0);
  const lost = (await Promise.all(hangs)).reduce((a, b) => a + b);
  peers.services.stable[0].setMode({});

  const served = { 'v1-0': 0, 'v1-1': 0 };
  const wire = new Wire(router.ports.http);
  for (let i = 0; i < 400; i += 1) served[(await wire.get('/')).headers.get('x-host')] += 1;
  wire.close();
  t.diagnostic(`${lost} requests in flight when the workers were killed; then ${JSON.stringify(served)} of 400`);
  assert.ok(served['v1-0'] > 140 && served['v1-1'] > 140, 'both peers get about half'); // 6 sigma
});

test('those of a killed worker that was shutting down, too', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const end = await hang(router, 6);
  await router.nginx.reload();
  assert.equal(await router.inFlight(), 6);
  assert.ok(killOld(router) > 0);
  await becomes(router, 0);
  end();
});

test('a stopped worker does not stop what one worker does for all', async (t) => {
  const router = await startRouter(t, await startPeers(t), { workers: 4 });
  for (let i = 0; i < 4; i += 1) {
    const end = await hang(router, 4);
    await router.nginx.reload();
    const workers = router.nginx.workers();
    const stopped = workers[i];
    const [wire] = (await wiresTo(router.ports.api, [workers[(i + 1) % 4]], '/pourover/v1/status')).values();
    process.kill(stopped, 'SIGSTOP');
    assert.ok(killOld(router) > 0);
    await waitUntil(
      async () => (await wire.get('/pourover/v1/services/shop')).json.tracks.stable.in_flight === 0,
      5_000,
      'nothing in flight',
    );
    process.kill(stopped, 'SIGCONT');
    wire.close();
    end();
  }
});

/** Everything that a refused reload must not change. The state file says anew every 10 s that the router lives. */
async function snapshot(router) {
  const status = await router.api('status');
  const file = `${router.nginx.dir}/state/router.json`;
  const { ino, mtimeNs, size } = statSync(file, { bigint: true });
  delete status.now_ms;
  delete status.checker; // a worker takes the lease with its first tick
  return {
    status,
    services: await router.api('services'),
    shop: await router.api('services/shop'),
    file: { ino, mtimeNs, size, text: readFileSync(file, 'utf8') },
  };
}

test('nginx -t and reloads that fail change no byte of zone and file', async (t) => {
  const peers = await startPeers(t);
  const router = await startRouter(t, peers, { allow: [/\[emerg\].*(unexpected|still could not bind|bind\(\) to)/] });
  const { nginx } = router;
  await router.set(250_000);
  const before = await snapshot(router);
  const workers = nginx.workers();
  const other = { stable: [peers.canary[0]], canary: [] };
  const changed = { services: ['shop', 'rpc', 'new'] };
  const says = (text) => waitUntil(() => nginx.errorLog().includes(text), 10_000, `"${text}" in error.log`);

  router.configure(routerHttp(other, changed));
  const tested = await testConfig({ ports: PORTS, http: routerHttp(other, changed), dir: nginx.dir, level: 'notice' });
  assert.equal(tested.code, 0, tested.output);
  assert.deepEqual(await snapshot(router), before, 'nginx -t');

  router.configure((place) => `${routerHttp(other, changed)(place)} }`);
  nginx.hup();
  await says('unexpected "}"');
  assert.deepEqual(await snapshot(router), before, 'a reload with an error of syntax');

  const taken = net.createServer();
  t.after(() => taken.close());
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address();
  router.configure(routerHttp(other, { ...changed, more: `server { listen 127.0.0.1:${port}; }` }));
  nginx.hup();
  await says('still could not bind');
  assert.deepEqual(await snapshot(router), before, 'a reload whose address is taken');
  assert.deepEqual(nginx.workers(), workers);
});

test('another size of the zone keeps the old one until a restart', async (t) => {
  const peers = await startPeers(t);
  const router = await startRouter(t, peers);
  const split = await router.set(777_000);
  const { instance } = await router.api('status');
  router.configure(routerHttp(peers, { size: '16m' }));
  await router.nginx.reload();
  assert.match(router.nginx.errorLog(), /\[notice\].*pourover_zone "main": size stays 8388608 bytes until restart/);
  const status = await router.api('status');
  assert.deepEqual([status.instance, status.restored], [instance, 'kept']);
  assert.deepEqual(await router.split(), split);
});

test('a reload adds and removes services and peers; what comes back has its split', async (t) => {
  const peers = await startPeers(t, { stable: 3, canary: 2 });
  const few = { stable: peers.stable.slice(0, 1), canary: peers.canary.slice(0, 1) };
  const router = await startRouter(t, few, { config: { services: ['shop', 'rpc'] } });
  const { nginx } = router;
  const addresses = async () => (await router.api('services/shop')).peers.map((peer) => peer.address).sort();
  const reload = async (http) => {
    nginx.writeConfig({ http });
    await nginx.reload();
  };

  const split = await router.set(120_000, 'rpc');
  const end = await hang(router, 3);
  await reload(routerHttp({ stable: peers.stable.slice(1), canary: peers.canary }, { services: ['shop', 'more'] }));
  assert.deepEqual((await router.api('status')).services.sort(), ['more', 'shop']);
  assert.deepEqual(await addresses(), [...peers.stable.slice(1), ...peers.canary].sort());
  const removed = await router.put({ share_ppm: 0, revision: 9, if_revision: 'any' }, 'rpc');
  assert.equal(removed.status, 404);
  assert.equal(await router.inFlight(), 3, 'requests at a removed peer still count');
  const wire = new Wire(router.ports.http);
  const answered = new Set();
  for (let i = 0; i < 60; i += 1) answered.add((await wire.get('/')).headers.get('x-host'));
  wire.close();
  assert.deepEqual([...answered].sort(), ['v1-1', 'v1-2']);
  end();
  await becomes(router, 0);

  await reload(routerHttp(peers, { services: ['shop', 'rpc', 'more'] }));
  assert.deepEqual(await router.split('rpc'), split);
  assert.deepEqual(await addresses(), [...peers.stable, ...peers.canary].sort());
  assert.deepEqual((await router.api('services/shop')).peers.map((peer) => peer.in_flight), [0, 0, 0, 0, 0]);
  assert.ok(readFileSync(`${nginx.dir}/state/router.json`, 'utf8').includes('"rpc"'));
});

test('a peer whose data center changes on reload is shown with the new one', async (t) => {
  const peers = await startPeers(t);
  const http = (dc) => ({ ports }) => `
    pourover_zone name=main size=1m;
    upstream shop { pourover zone=main; pourover_server ${peers.stable[0]} dc=${dc}; }
    server { listen 127.0.0.1:${ports.http}; location / { proxy_pass http://shop; } }
    server { listen 127.0.0.1:${ports.api}; add_header X-Worker $pid; location /pourover/ { pourover_api; } }`;
  const router = await startRouter(t, peers, { http: http('east') });
  const shown = async () => (await router.api('services/shop')).peers.map((peer) => peer.dc);
  assert.deepEqual(await shown(), ['east']);
  router.configure(http('west'));
  await router.nginx.reload();
  assert.deepEqual(await shown(), ['west']);
});

test('a service or a state file that comes with a reload begins with what the file says', async (t) => {
  const peers = await startPeers(t);
  const router = await startRouter(t, peers);
  const split = await router.set(330_000, 'rpc');
  await router.stop();
  await router.startAgain(routerHttp(peers, { services: ['shop'] }));
  await waitUntil(async () => (await router.api('status')).state.saved_at_ms > 0, 5_000, 'a state file of this start');
  router.configure(routerHttp(peers, { services: ['shop', 'rpc'] }));
  await router.nginx.reload();
  assert.deepEqual(await router.split('rpc'), split);

  await router.stop();
  await router.startAgain(routerHttp(peers, { state: false }));
  assert.equal((await router.split('rpc')).revision, 0);
  router.configure(routerHttp(peers));
  await router.nginx.reload();
  assert.deepEqual(await router.split('rpc'), split);
  assert.equal((await router.set(340_000, 'rpc')).revision, split.revision + 1);
});

test('a zone that is too small for a new configuration: refused, the old one serves on', async (t) => {
  const peers = await startPeers(t);
  const small = { size: '128k', services: ['shop'] };
  const router = await startRouter(t, peers, { config: small, allow: [/is too small/] });
  const split = await router.set(10_000);
  const workers = router.nginx.workers();
  const many = Array.from({ length: 60 }, (_, i) => `10.0.0.${i}:80`);
  const refused = [
    routerHttp(peers, { ...small, services: Array.from({ length: 12 }, (_, i) => `s${i}`).concat('shop') }),
    routerHttp({ stable: [...peers.stable, ...many, ...many.map((each) => `${each}80`)], canary: peers.canary }, small),
  ];
  for (const http of refused) {
    const before = router.nginx.errorLog().length;
    const epoch = (await router.api('status')).epoch;
    router.nginx.writeConfig({ http });
    router.nginx.hup();
    const log = () => router.nginx.errorLog().slice(before);
    await waitUntil(() => log().includes('is too small'), 5_000, 'the refusal');
    assert.match(log(), /pourover_zone "main" is too small: it has \d+ bytes left, .* need \d+; make it size=\d+k/);
    assert.equal((await router.api('status')).epoch, epoch);
  }
  assert.deepEqual(router.nginx.workers(), workers);
  assert.deepEqual(await router.split(), split);
  const enough = /make it size=(\d+k)/.exec(router.nginx.errorLog())[1];
  await router.stop();
  await router.startAgain(routerHttp(peers, { size: enough, services: ['shop'] }));
  assert.deepEqual(await router.split(), split);
  await assert.rejects(startRouter(t, peers, { config: { size: '32k' } }), /"main" is too small: .*; make it size=\d+k/);
});

test('50 reloads whose old workers stay: all see the share, none fills the zone', async (t) => {
  const RELOADS = 50;
  const router = await startRouter(t, await startPeers(t), { workers: 1 });
  const ends = [];
  for (let i = 0; i < RELOADS; i += 1) {
    ends.push(await hang(router, 1));
    await router.nginx.reload();
  }
  const old = router.nginx.exitingWorkers();
  assert.equal(old.length, RELOADS);
  assert.equal(await router.inFlight(), RELOADS);
  await waitUntil(
    async () => {
      const { workers } = await router.api('status');
      const exiting = workers.filter((worker) => worker.exiting).map((worker) => worker.pid);
      return workers.length === RELOADS + 1 && old.every((pid) => exiting.includes(pid));
    },
    5_000,
    'a list of all workers',
  );
  const { workers } = await router.api('status');
  assert.deepEqual(new Set(workers.map((worker) => worker.generation)).size, RELOADS + 1);
  ends.forEach((end) => end());
  await becomes(router, 0);
  await waitUntil(() => router.nginx.exitingWorkers().length === 0, 10_000, 'the end of the old workers');
  await waitUntil(async () => (await router.api('status')).workers.length === 1, 5_000, 'a list of one worker');
  assert.doesNotMatch(router.nginx.errorLog(), /is full/);
});

test('the same workers and websockets over 50 changes of the share', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const { nginx } = router;
  const workers = nginx.workers();
  const end = await hang(router, 4);
  for (let i = 1; i <= 50; i += 1) await router.set(i * 20_000);
  for (const [, said] of await router.eachWorker('services/shop')) {
    assert.deepEqual(said.split, { share_ppm: 1_000_000, salt: 'r1', enabled: true, revision: 50 });
  }
  const wires = await wiresTo(router.ports.http, workers, '/');
  for (const [, wire] of wires) {
    assert.equal((await wire.get('/')).headers.get('x-version'), 'v2');
    wire.close();
  }
  assert.deepEqual(nginx.workers(), workers);
  assert.equal(await router.inFlight(), 4);
  end();
});

test('a change through a worker that is shutting down is saved and seen by all', async (t) => {
  const router = await startRouter(t, await startPeers(t));
  const wire = new Wire(router.ports.api);
  await wire.connected;
  const body = JSON.stringify({ share_ppm: 90_000, revision: 1, if_revision: 0 });
  const head = 'PUT /pourover/v1/services/shop/split HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  wire.begin(`${head}Content-Length: ${body.length}\r\n\r\n`);
  await router.eachWorker('status'); // so the head was read
  const before = router.nginx.workers();
  await router.nginx.reload();
  const answer = await wire.finish(body);
  assert.deepEqual([answer.status, answer.json.saved], [200, true]);
  assert.ok(before.includes(wire.worker), 'an old worker answered');
  for (const [, said] of await router.eachWorker('services/shop')) assert.equal(said.split.share_ppm, 90_000);
});

test('worker_shutdown_timeout ends requests without a trace', async (t) => {
  const router = await startRouter(t, await startPeers(t), { main: 'worker_shutdown_timeout 1s;' });
  const end = await hang(router, 6);
  await router.nginx.reload();
  await waitUntil(() => router.nginx.exitingWorkers().length === 0, 10_000, 'the end of the old workers');
  await becomes(router, 0);
  assert.deepEqual((await router.api('status')).workers.map((worker) => worker.exiting), [false, false]);
  end();
});

test('a zone that gets full while it runs: requests are served, changes work, it is told', async (t) => {
  const config = { size: '128k', services: ['shop'] };
  const allow = [/\[alert\].*"main" is full/];
  const router = await startRouter(t, await startPeers(t), { workers: 1, config, allow });
  const wires = [];
  for (let i = 0; i < 40 && !router.nginx.errorLog().includes('is full'); i += 1) {
    const wire = new Wire(router.ports.http);
    wire.get('/hang').catch(() => {});
    await waitUntil(() => router.peers.services.stable[0].connections > i, 5_000, 'a request at the service');
    wires.push(wire);
    await router.nginx.reload();
  }
  assert.match(router.nginx.errorLog(), /pourover_zone "main" is full: .* served but not counted; make size= larger/);
  const wire = new Wire(router.ports.http);
  assert.equal((await wire.get('/')).headers.get('x-version'), 'v1');
  await router.set(1_000_000);
  assert.equal((await wire.get('/')).headers.get('x-version'), 'v2');
  wires.concat(wire).forEach((each) => each.close());

  // some of these requests were in no count: that nothing is in flight is never said again
  await waitUntil(() => router.peers.services.stable[0].connections <= 1, 5_000, 'the end of the requests');
  assert.ok((await router.api('services/shop')).peers.every((peer) => peer.in_flight > 0));
});
