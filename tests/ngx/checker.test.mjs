// The one who checks: killed, stopped, reloaded, told to end, and with more to do than it may do at once. Peers must
// not notice more than the promise allows, and health must not change by any of it.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MODULE, startNginx } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

const cleanups = [];
after(() => cleanups.forEach((each) => each()));

/** A server that notes when it is asked; `answer` may be changed at any time, null holds the request. */
class Checked {
  arrivals = [];
  held = [];
  answer = (response) => response.writeHead(200).end('fine');

  static async start() {
    const checked = new Checked();
    checked.server = http.createServer((request, response) => {
      checked.arrivals.push(performance.now());
      if (checked.answer) checked.answer(response);
      else checked.held.push(response);
    });
    await new Promise((resolve) => checked.server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      checked.server.closeAllConnections();
      checked.server.close();
    });
    return checked;
  }

  get line() {
    return `server 127.0.0.1:${this.server.address().port};`;
  }
}

const startChecked = (n) => Promise.all(Array.from({ length: n }, () => Checked.start()));

const lines = (peers, check) => ({ ports }) => `
  pourover_zone name=main size=4m;
  upstream app { pourover zone=main; ${peers.map(({ line }) => line).join(' ')} ${check && `pourover_check ${check};`} }
  server {
    listen 127.0.0.1:${ports.http};
    location / { proxy_pass http://app; }
    location /pourover/ { pourover_api; }
  }`;

async function start(peers, check, options = {}) {
  const nginx = await startNginx({ http: lines(peers, check), ...options });
  cleanups.push(() => nginx.cleanUp());
  return nginx;
}

async function finish(nginx) {
  await nginx.stop();
  nginx.assertCleanLog();
}

const peersOf = async (nginx) => (await api(nginx.ports.http, 'v1/services/app')).peers;
const checkerOf = async (nginx) => (await api(nginx.ports.http, 'v1/status')).checker;

const allAre = (nginx, health) => waitUntil(
  async () => {
    const peers = await peersOf(nginx);
    return peers.every((one) => one.health === health) && peers;
  },
  10_000,
  `all peers ${health}`,
);

test('after the checking worker is killed every peer is checked again within one interval', async () => {
  const [INTERVAL, SLACK] = [2_000, 300]; // slack: for this process to note that a request is there
  const peers = await startChecked(6);
  const nginx = await start(peers, `http interval=${INTERVAL}ms`, { workers: 3 });
  await allAre(nginx, 'up');
  for (let round = 1; round <= 3; round += 1) {
    const before = await checkerOf(nginx);
    const seen = peers[round].arrivals.length;
    await waitUntil(() => peers[round].arrivals.length > seen, 3 * INTERVAL, 'a check');
    await sleep((INTERVAL / 4) * round); // long enough that it matters from when the next one counts
    const killed = performance.now();
    await nginx.killWorker(before.pid);
    for (const peer of peers) {
      const next = await waitUntil(() => peer.arrivals.find((at) => at > killed), 3 * INTERVAL, 'the next check');
      const last = peer.arrivals.findLast((at) => at <= killed);
      assert.ok(next - last <= INTERVAL + SLACK, `${next - last} ms after the one before, ${next - killed} after the kill`);
    }
    const now = await checkerOf(nginx);
    assert.notEqual(now.pid, before.pid);
    assert.ok(now.lease > before.lease);
  }
  for (const one of await allAre(nginx, 'up')) assert.equal(one.check.changes, 0);
  await finish(nginx);
});

test('a checking worker that is stopped is replaced, and what it saw before counts no more', async () => {
  const [peer] = await startChecked(1);
  const nginx = await start([peer], 'http interval=3s timeout=3s fall=1', { workers: 2 });
  await allAre(nginx, 'up');
  const { pid: stopped, lease } = await checkerOf(nginx);
  const fine = peer.answer;
  peer.answer = null;
  await waitUntil(() => peer.held.length > 0, 10_000, 'a check of the first holder');
  peer.answer = fine;
  process.kill(stopped, 'SIGSTOP');
  try {
    // only another holder can ask again while the first one waits for its answer
    await waitUntil(() => peer.arrivals.length > peer.held.length + 1, 3_000, 'a check of the second holder');
    peer.held[0].writeHead(200, { 'X-Pourover-Fail': '1' }).end(); // would take the peer down at once
  } finally {
    process.kill(stopped, 'SIGCONT');
  }
  const seen = peer.arrivals.length;
  await waitUntil(async () => {
    const [one] = await peersOf(nginx);
    assert.deepEqual([one.health, one.check.reason, one.check.changes], ['up', 'ok', 0]);
    return peer.arrivals.length > seen;
  }, 20_000, 'one check more');
  const now = await checkerOf(nginx);
  assert.ok(now.pid !== stopped && now.lease > lease, JSON.stringify(now));
  await finish(nginx);
});

describe('over a reload', () => {
  test('no health changes, no streak begins anew, and no peer is unknown', async () => {
    const peers = await startChecked(3);
    peers[1].answer = (response) => response.writeHead(500).end();
    const nginx = await start(peers, 'http interval=200ms fall=2');
    const expected = ['up', 'down', 'up'];
    const shown = async () => (await peersOf(nginx)).map(({ health }) => health).join();
    await waitUntil(async () => (await shown()) === expected.join(), 10_000, expected.join());
    const before = await peersOf(nginx);
    let going = true;
    const watched = (async () => {
      while (going) assert.equal(await shown(), expected.join());
    })();
    for (let i = 0; i < 5; i += 1) await nginx.reload();
    const streaks = before.map(({ check }) => check.streak);
    const later = await waitUntil(async () => {
      const now = await peersOf(nginx);
      return now.every(({ check }, i) => check.streak >= streaks[i] + 3) && now;
    }, 20_000, 'streaks that go on');
    going = false;
    await watched;
    assert.deepEqual(later.map(({ check }) => check.changes), before.map(({ check }) => check.changes));
    await finish(nginx);
  });

  test('checks come and go with their directive', async () => {
    const peers = await startChecked(2);
    const nginx = await start(peers, '');
    await allAre(nginx, 'unchecked');
    assert.equal(peers[0].arrivals.length, 0);
    nginx.writeConfig({ http: lines(peers, 'http interval=200ms') });
    await nginx.reload();
    await allAre(nginx, 'up');
    nginx.writeConfig({ http: lines(peers, '') });
    await nginx.reload();
    for (const one of await allAre(nginx, 'unchecked')) assert.equal(one.check.streak, 0);
    const { checks } = await checkerOf(nginx);
    await waitUntil(() => nginx.exitingWorkers().length === 0, 10_000, 'the end of the old workers');
    assert.equal((await checkerOf(nginx)).checks, checks, 'no check any more');
    await finish(nginx);
  });

  test('other parameters hold from then on', async () => {
    const [peer] = await startChecked(1);
    const nginx = await start([peer], 'http interval=100ms');
    await allAre(nginx, 'up');
    nginx.writeConfig({ http: lines([peer], 'http interval=100ms status=204') });
    await nginx.reload();
    const [one] = await allAre(nginx, 'down');
    assert.deepEqual([one.check.reason, one.check.text], ['status', 'status 200']);
    await finish(nginx);
  });
});

test('a worker that is told to end does not wait for its checks, and leaves no socket open', async () => {
  const peers = await startChecked(4);
  for (const peer of peers) peer.answer = null;
  const nginx = await start(peers, 'http interval=60s timeout=60s');
  await waitUntil(() => peers.every(({ held }) => held.length === 1), 10_000, 'checks of all peers');
  process.kill(nginx.master(), 'SIGQUIT');
  await waitUntil(() => nginx.processes().length === 0, 10_000, 'the end of nginx');
  nginx.assertCleanLog(); // "open socket left in connection" is an ALERT
});

test('no more than a quarter of the connections are checks, and those that wait are counted', async () => {
  let [open, most] = [0, 0];
  const mute = net.createServer((socket) => {
    open += 1;
    most = Math.max(most, open);
    socket.on('error', () => {});
    socket.on('close', () => { open -= 1; });
    socket.resume();
  });
  await new Promise((resolve) => mute.listen(0, '0.0.0.0', resolve));
  cleanups.push(() => mute.close());
  const peers = Array.from({ length: 40 }, (_, i) => ({ line: `server 127.0.1.${i + 1}:${mute.address().port};` }));
  const config = lines(peers, 'tcp expect=x interval=200ms timeout=200ms');
  const nginx = await startNginx({
    config: ({ ports, dir }) => `
      user root;
      load_module ${MODULE};
      worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log info;
      events { worker_connections 32; }
      http { access_log off; ${config({ ports })} }`,
  });
  cleanups.push(() => nginx.cleanUp());
  const { late } = await waitUntil(async () => {
    const checker = await checkerOf(nginx);
    return checker.late > 0 && checker;
  }, 20_000, 'late checks');
  assert.ok(late > 0);
  await allAre(nginx, 'down'); // each had its turn
  assert.ok(most <= 16, `${most} at once`); // 8, and the ends of those before that this process has not seen yet
  await finish(nginx);
});

test('when all peers fail, requests still go to them', async () => {
  const peers = await startChecked(2);
  for (const peer of peers) peer.answer = (response) => response.writeHead(404).end('still here');
  const nginx = await start(peers, 'http interval=200ms');
  await allAre(nginx, 'down');
  const { tracks } = await api(nginx.ports.http, 'v1/services/app');
  assert.deepEqual([tracks.stable.live, tracks.stable.failing, tracks.stable.unknown], [0, 2, 0]);
  for (let i = 0; i < 10; i += 1) assert.equal((await ask(nginx.ports.http)).body, 'still here');
  await finish(nginx);
});
