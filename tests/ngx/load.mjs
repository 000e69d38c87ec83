// The router and a plain nginx side by side, of one version, before the same services, under the same load, through the
// same events: changes of the share (ours alone), reloads, a binary upgrade, killed workers. What plain nginx costs its
// visitors is the measure of what ours may.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinLedgers } from '../support/ledger.mjs';
import { startLoad } from '../support/load.mjs';
import { startNginx } from '../support/nginx.mjs';
import { spawnUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { startRouter } from './life.mjs';

const CHANGE_MS = 100;
const RELOAD_MS = 200;
const KILL_MS = 500;
const SERVICES = ['shop', 'rpc'];

/** What people do without our module: the same cut by split_clients. */
const plainHttp = ({ stable, canary }) => ({ ports }) => `
  map $cookie_pourover_id $id { "" $request_id; default $cookie_pourover_id; }
  map $cookie_pourover_id $issue { "" "pourover_id=$request_id; Path=/"; default ""; }
  split_clients "r1$id" $track { 50% canary; * stable; }
  ${[['stable', stable], ['canary', canary]].map(([track, [peer]]) => `
  upstream ${track} { server ${peer}; keepalive 32; }
  upstream grpc-${track} { server ${peer}; keepalive 32; }`).join('')}
  add_header Set-Cookie $issue always;
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / { proxy_pass http://$track; }
    location /ws { proxy_pass http://$track; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
    location /demo.Echo/ { grpc_pass grpc://grpc-$track; }
  }`;

/** Both, with their services in processes of their own; ended after the test. */
export async function startPair(t) {
  const services = [
    await spawnUpstream({ version: 'v1', host: 'v1-0' }),
    await spawnUpstream({ version: 'v2', host: 'v2-0' }),
  ];
  t.after(() => Promise.all(services.map((each) => each.stop())));
  const peers = { stable: [services[0].peer], canary: [services[1].peer] };
  const router = await startRouter(t, peers);
  const plain = await startNginx({ module: false, ports: ['http', 'h2'], http: plainHttp(peers) });
  t.after(async () => {
    await plain.stop();
    plain.assertCleanLog();
  });
  return { router, plain, services };
}

const target = ({ ports }) => ({ http: `127.0.0.1:${ports.http}`, h2: `127.0.0.1:${ports.h2}` });

/** The same load on both; `stop()` returns the joins of both ledgers with those of the services. */
export function startLoads(t, { router, plain, services }, options) {
  const loads = [['ours', router.nginx], ['plain', plain]].map(([run, nginx]) =>
    startLoad({ run, target: target(nginx), visitors: 3000, ...options }));
  t.after(() => loads.forEach((load) => load.abort()));
  const stop = async () => {
    const ledgers = await Promise.all(loads.map((load) => load.stop()));
    const texts = await Promise.all(services.map((each) => each.ledgerText()));
    const [ours, other] = ledgers.map((ledger) => joinLedgers(ledger, texts));
    return { ours, plain: other };
  };
  return { ours: loads[0], plain: loads[1], stop };
}

/**
 * Sets the share over what holds now, as a careful operator does: reads again when another master was ahead (409) or
 * the worker died before its answer.
 */
async function setShare(router, service, share_ppm, state) {
  for (let tries = 1; ; tries += 1) {
    try {
      const { revision } = await router.split(service);
      const { status, body } = await router.put({ share_ppm, revision: revision + 1, if_revision: revision }, service);
      if (status === 200) return body.split;
      assert.equal(status, 409, JSON.stringify(body));
    } catch (error) {
      if (!error.code?.startsWith('ECONN') || tries === 20) throw error;
    }
    state.again += 1;
  }
}

/** Changes of the share of both services each CHANGE_MS until stop(), which returns what was set last. */
export function startChanges(router, shareOf) {
  const state = { stopped: false, changes: 0, again: 0, last: null };
  const run = async () => {
    while (!state.stopped) {
      const next = sleep(CHANGE_MS);
      const share = shareOf(state.changes);
      const splits = [];
      for (const service of SERVICES) splits.push(await setShare(router, service, share, state));
      state.last = splits;
      state.changes += 1;
      await next;
    }
    return state;
  };
  const done = run();
  done.catch(() => {}); // told by stop()
  return () => {
    state.stopped = true;
    return done;
  };
}

/** `n` reloads of both, one each RELOAD_MS; on a busy machine later, when all have obeyed the last one and what it may have cost has ended. */
export async function reloads({ router, plain }, loads, n) {
  const both = [router.nginx, plain];
  for (let i = 0; i < n; i += 1) {
    const old = both.map((nginx) => new Set(nginx.workers()));
    both.forEach((nginx) => nginx.hup());
    await sleep(RELOAD_MS);
    const renewed = (nginx, k) => {
      const now = nginx.workers();
      return now.length === nginx.workerCount() && now.every((pid) => !old[k].has(pid));
    };
    await waitUntil(() => both.every(renewed), 20_000, 'new workers alone');
    await ended(shortOnes(loads));
  }
  return n;
}

const hasEnded = (entry) => entry.answeredAt > 0 || entry.failed !== '';

/** The short requests that are under way at this moment. */
const shortOnes = ({ ours, plain }) => [ours, plain].flatMap(({ ledger }) =>
  ledger.entries.filter((entry) => ['http1', 'h2', 'grpc'].includes(entry.kind) && !hasEnded(entry)));

/** Nobody sends a request a third time: what one event has touched ends before the next. */
const ended = (entries) => waitUntil(() => entries.every(hasEnded), 40_000, 'the end of the requests under way');

/** USR2, a while with two masters, QUIT to the old one. */
export async function upgrades({ router, plain }, seconds, ms) {
  await Promise.all([router.nginx.upgradeBegin(), plain.upgradeBegin()]);
  await sleep(seconds * 1000);
  await Promise.all([router.nginx.upgradeFinish(ms), plain.upgradeFinish(ms)]);
}

/** `n` times a worker of each is killed, every KILL_MS, when what the last one may have cost has ended. */
export async function kills({ router, plain }, loads, n) {
  for (let i = 0; i < n; i += 1) {
    await Promise.all([router.nginx, plain].map((nginx) => nginx.killWorker(nginx.workers()[i % 2])));
    const touched = shortOnes(loads);
    await sleep(KILL_MS);
    await ended(touched);
  }
  return n;
}

/** Every worker says what was set last; nothing is in flight any more. */
export async function assertStateAsSet(router, last) {
  for (const [i, service] of SERVICES.entries()) {
    for (const [, said] of await router.eachWorker(`services/${service}`)) assert.deepEqual(said.split, last[i]);
    await waitUntil(async () => (await router.inFlight(service)) === 0, 10_000, `nothing in flight in ${service}`);
  }
}

/** Visitors who were moved back from v2 to v1, judged by service: pages and calls are two services. */
export function flips(load) {
  const seen = new Map();
  const service = { http1: 'shop', h2: 'shop', websocket: 'shop' };
  let back = 0;
  for (const { kind, visitor, version } of load.ledger.entries) {
    if (!version) continue;
    const key = `${visitor} ${service[kind] ?? 'rpc'}`;
    back += seen.get(key) === 'v2' && version === 'v1';
    seen.set(key, version);
  }
  return back;
}

/**
 * What came of a phase, as lines and assertions. Ours fails nothing but for what `allowed` matches; it may fail so and
 * resend as often as plain nginx, up to chance.
 */
export function judge(t, { ours, plain }, allowed = null) {
  const figures = ({ sent, answered, failed, resent, failures }) =>
    JSON.stringify({ sent, answered, failed, resent, ...(failed ? { failures } : {}) });
  t.diagnostic(`ours  ${figures(ours)}`);
  t.diagnostic(`plain ${figures(plain)}`);
  const most = (a, b) => b + 5 + 4 * Math.sqrt(a + b);
  const unexpected = Object.keys(ours.failures).filter((why) => !allowed?.test(why));
  assert.deepEqual(unexpected, [], 'failures of ours');
  assert.ok(ours.failed <= most(ours.failed, plain.failed), 'ours fails more often than plain nginx');
  assert.ok(ours.resent <= most(ours.resent, plain.resent), 'ours resends more often than plain nginx');
  assert.equal(ours.answered + ours.failed, ours.sent);
  assert.deepEqual([...ours.contradicted, ...ours.answeredUnserved, ...ours.servedTwice], []);
}
