// The router's statistics against the test's own ledger, to the last request: tracks, statuses, gRPC statuses, reasons,
// ids, retries, bytes; times against what the upstream waited; requests of verify apart.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { seeded } from '../support/visitors.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, ask2, call2, connect2, verdictOf, withId } from './client.mjs';

const REQUESTS = 1500;
const UNREGISTERED = { 418: '4xx-other', 599: '5xx-other' }; // one counter a class
let nginx;
let versions;

const peers = () => `server ${versions.stable.peer}; pourover_server ${versions.canary.peer} track=canary;`;

const config = ({ ports, dir }) => `
  pourover_zone name=main size=4m;
  log_format own '$pourover_track|$status|$bytes_sent|$request_length|$upstream_addr';
  upstream app {
    pourover zone=main share=50% salt=r1;
    ${peers()}
    pourover_server 127.0.0.1:${ports.dead} track=canary;
  }
  upstream verified { pourover zone=main share=50% salt=r1; ${peers()} }
  upstream slow { pourover zone=main share=50% salt=r1; ${peers()} }
  upstream grpc { pourover zone=main share=50% salt=r1; ${peers()} }
  upstream guard { pourover zone=main share=50% salt=r1; ${peers()} }
  upstream reasons { pourover zone=main share=50% salt=r1; ${peers()} }
  upstream killed { pourover zone=main share=50% salt=r1 enabled=off; ${peers()} }
  upstream lonely { pourover zone=main share=100% salt=r1; server ${versions.stable.peer}; }
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=$http_x_user_id,cookie:pourover_id;
    pourover_service app;
    add_header X-Track $pourover_track always;
    add_header X-Reason $pourover_reason always;
    proxy_next_upstream_timeout 0;
    location / { access_log ${dir}/own.log own; proxy_pass http://app; }
    location /late/ { access_log ${dir}/own.log own; proxy_read_timeout 50ms; proxy_next_upstream error; proxy_pass http://app/hang; }
    location /verified/ { pourover_service verified; proxy_pass http://verified/; }
    location /timed/ { pourover_service slow; proxy_pass http://slow/; }
    location /reasons/ { pourover_service reasons; pourover_force header:X-Release; proxy_pass http://reasons/; }
    location /killed/ { pourover_service killed; proxy_pass http://killed/; }
    location /lonely/ { pourover_service lonely; proxy_pass http://lonely/; }
    location /guarded/ { pourover_service off; auth_request /guard; root ${dir}/none; }
    location = /guard { internal; proxy_pass http://guard/status/204; }
    location /demo.Echo/ { pourover_service grpc; grpc_pass grpc://grpc; }
  }
  server {
    listen 127.0.0.1:${ports.anonymous};
    pourover_service reasons;
    add_header X-Track $pourover_track always;
    add_header X-Reason $pourover_reason always;
    location /random/ { proxy_pass http://reasons/; }
  }
  server {
    listen 127.0.0.1:${ports.moving};
    pourover_visitor id=$http_x_user_id;
    pourover_service reasons;
    pourover_version_cookie release stable=old canary=new;
    add_header X-Track $pourover_track always;
    add_header X-Reason $pourover_reason always;
    location / { proxy_pass http://reasons; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

before(async () => {
  versions = {
    stable: await startUpstream({ version: 'stable' }),
    canary: await startUpstream({ version: 'canary' }),
  };
  nginx = await startNginx({ ports: ['http', 'h2', 'anonymous', 'moving', 'api', 'dead'], http: config });
});

after(async () => {
  await nginx?.stop();
  await Promise.all(Object.values(versions).map((version) => version.stop()));
  nginx.assertCleanLog();
});

const get = (url, headers = {}) => ask(nginx.ports.http, url, { headers });
const stats = (service) => api(nginx.ports.api, `v1/services/${service}/stats`);
const total = ({ tracks }) => tracks.stable.requests + tracks.canary.requests;

/** The statistics of a service once `count` requests in all have ended. */
async function settled(service, count) {
  await waitUntil(async () => total(await stats(service)) >= count, 10_000, `${count} requests of ${service}`);
  const now = await stats(service);
  assert.equal(total(now), count);
  return now;
}

const add = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};

/** Without the keys that count nothing. */
const some = (table) => Object.fromEntries(Object.entries(table).filter(([, count]) => count > 0));

/** Calls for each of 0 .. count - 1, some at once. */
async function forEach(count, callback) {
  let next = 0;
  const one = async () => {
    while (next < count) await callback(next++);
  };
  await Promise.all(Array.from({ length: 24 }, one));
}

test(`${REQUESTS} mixed requests are counted by track, status, reason, id, retry and byte as they were`, async () => {
  const own = { stable: { statuses: {}, reasons: {} }, canary: { statuses: {}, reasons: {} }, ids: {} };
  const draw = seeded(11);
  const session = connect2(nginx.ports.h2);
  const sources = {
    valid: () => withId('0123456789abcde'.concat(Math.floor(draw() * 16).toString(16))),
    replaced: () => withId(`bad${draw()}`),
    sourced: () => ({ 'x-user-id': `user-${Math.floor(draw() * 1000)}` }),
    issued: () => ({ 'x-forwarded-for': '10.0.0.1' }), // so that streams of one connection draw each their own
  };
  const urls = ['/', '/status/204', '/status/301', '/status/404', '/status/418', '/status/500', '/status/599', '/bytes/40000', '/late/'];
  const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST'];
  const pick = (list) => list[Math.floor(draw() * list.length)];

  await forEach(REQUESTS, async () => {
    const kind = pick(Object.keys(sources));
    const method = pick(methods);
    const url = draw() < 0.02 ? '/late/' : pick(urls.slice(0, -1));
    const body = method === 'POST' ? 'x'.repeat(1 + Math.floor(draw() * 5000)) : undefined;
    const headers = { ...sources[kind](), ...(body && { 'content-length': body.length }) };
    const options = { method, headers, body };
    const answer = draw() < 0.5 ? await ask(nginx.ports.http, url, options) : await ask2(session, url, options);
    const track = own[answer.header('x-track')];
    add(track.statuses, UNREGISTERED[answer.status] ?? answer.status);
    add(track.reasons, answer.header('x-reason'));
    add(own.ids, kind);
  });
  session.close();

  // one that its client gave up
  const gone = new AbortController();
  const given = fetch(`${nginx.url('http')}/hang`, { signal: gone.signal, headers: { 'x-user-id': 'anna' } }).catch(() => {});
  await waitUntil(async () => {
    const { tracks } = await api(nginx.ports.api, 'v1/services/app');
    return tracks.stable.in_flight + tracks.canary.in_flight === 1;
  }, 5000, 'the request in flight');
  gone.abort();
  await given;
  const last = own[(await get('/', { 'x-user-id': 'anna' })).header('x-track')];
  for (const status of [499, 200]) add(last.statuses, status);
  last.reasons.split += 2;
  own.ids.sourced += 2;

  const now = await settled('app', REQUESTS + 2);
  const lines = readFileSync(path.join(nginx.dir, 'own.log'), 'utf8').split('\n').filter(Boolean).map((line) => line.split('|'));
  assert.equal(lines.length, REQUESTS + 2);
  for (const name of ['stable', 'canary']) {
    const seen = now.tracks[name];
    assert.deepEqual(some(seen.statuses), own[name].statuses);
    assert.deepEqual(some(seen.reasons), own[name].reasons);
    const logged = lines.filter(([track]) => track === name);
    const sum = (column) => logged.reduce((bytes, line) => bytes + Number(line[column]), 0);
    assert.equal(seen.requests, logged.length);
    assert.equal(seen.bytes_sent, sum(2));
    assert.equal(seen.bytes_received, sum(3));
    const attempts = logged.map(([, , , , addresses]) => addresses.split(', '));
    const retries = attempts.reduce((sum, each) => sum + each.length - 1, 0);
    const timeouts = logged.filter(([, status]) => status === '504').length;
    const refused = attempts.filter(([first]) => first.endsWith(`:${nginx.ports.dead}`)).length;
    assert.equal(seen.retries, retries);
    assert.equal(seen.first_failed, refused + attempts.filter((each, i) => logged[i][1] === '504' && each.length === 1).length);
    assert.equal(seen.crossed, 0);
    assert.ok(timeouts > 0 && (name === 'stable' || refused > 0));
  }
  assert.deepEqual(some(now.ids), own.ids);
});

test('gRPC calls are counted by their status, from trailers, from headers alone, and as missing', async () => {
  const own = { stable: {}, canary: {} };
  const session = connect2(nginx.ports.h2);
  const calls = [['Say', '0'], ['Fail', '5'], ['FailLate', '7', 7], ['Fail', 'other', 99], ['Fail', '16', 16], ['Cut', 'missing'], ['None', '12']];
  let count = 0;
  for (let n = 0; n < 8; n += 1) {
    for (const [method, status, wish] of calls) {
      const id = `grpc-${n}-${method}`;
      const call = call2(session, method, { 'x-user-id': id, ...(wish && { 'x-grpc-status': String(wish) }) });
      const answer = status === 'missing' ? await call.catch(() => null) : await call;
      const seen = answer && (answer.trailers['grpc-status'] ?? answer.header('grpc-status'));
      if (status === 'other') assert.equal(seen, '99');
      else if (status !== 'missing') assert.equal(seen, status);
      // the same id over HTTP says on which track the call was, also where it had no answer
      const track = answer?.header('x-track') || (await get('/reasons/', { 'x-user-id': id })).header('x-track');
      add(own[track], status);
      count += 1;
    }
  }
  session.close();
  const { tracks } = await settled('grpc', count);
  for (const name of ['stable', 'canary']) assert.deepEqual(some(tracks[name].grpc_statuses), own[name]);
});

test('every reason is counted under its own name', async () => {
  const before = await stats('reasons');
  const own = {};
  const from = async (port, url, headers) => {
    const answer = await ask(port, url, { headers });
    assert.equal(answer.status, 200);
    add(own, answer.header('x-reason'));
    return answer.header('x-reason');
  };
  const { http, anonymous, moving } = nginx.ports;
  assert.equal(await from(http, '/reasons/', { 'x-user-id': 'a' }), 'split');
  assert.equal(await from(http, '/reasons/', { 'x-user-id': 'a', 'x-release': 'canary' }), 'forced');
  assert.equal(await from(http, '/reasons/', { 'x-user-id': 'a', 'x-release': 'stable' }), 'forced');
  assert.equal(await from(anonymous, '/random/', {}), 'no-id');
  assert.equal(await from(moving, '/', { cookie: 'release=new' }), 'version-cookie');
  assert.equal(await from(moving, '/', {}), 'version-cookie');
  const now = await settled('reasons', total(before) + 6);
  const sums = {};
  for (const name of ['stable', 'canary']) {
    for (const [reason, count] of Object.entries(now.tracks[name].reasons)) {
      sums[reason] = (sums[reason] ?? 0) + count - before.tracks[name].reasons[reason];
    }
  }
  assert.deepEqual(some(sums), own);
  assert.equal(now.ids.none - before.ids.none, 3); // no visitor, or nothing to know one by

  assert.equal(await from(http, '/killed/', { 'x-user-id': 'a' }), 'disabled');
  assert.equal(await from(http, '/lonely/', { 'x-user-id': 'a' }), 'fallback');
  const killed = (await settled('killed', 1)).tracks.stable;
  const lonely = (await settled('lonely', 1)).tracks.stable;
  assert.deepEqual([some(killed.reasons), some(lonely.reasons)], [{ disabled: 1 }, { fallback: 1 }]);
});

test('a service that only subrequests use counts what they were answered', async () => {
  const before = await stats('guard');
  for (const id of ['a', 'b', 'c', 'd']) assert.equal((await get('/guarded/', { 'x-user-id': id })).status, 404);
  const now = await settled('guard', total(before) + 4);
  const statuses = {};
  for (const { statuses: each } of Object.values(now.tracks)) {
    for (const [status, count] of Object.entries(some(each))) statuses[status] = (statuses[status] ?? 0) + count;
  }
  assert.deepEqual(statuses, { 204: 4 });
  const times = Object.values(now.tracks).map(({ upstream_time: time }) => time.count);
  assert.equal(times[0] + times[1], 4);
  assert.equal(now.tracks.stable.retries + now.tracks.canary.retries, 0);
});

describe('times', () => {
  /** The value below which a part q of a sorted list lies. */
  const quantile = (sorted, q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  const QUANTILES = { p50_us: 0.5, p90_us: 0.9, p99_us: 0.99, p999_us: 0.999 };

  test('of headers lie within 2 % between what the upstream waited and what the client saw', async () => {
    const draw = seeded(5);
    const own = { stable: { waited: [], seen: [] }, canary: { waited: [], seen: [] } };
    const COUNT = 300;
    await Promise.all(Array.from({ length: COUNT }, async (_, n) => {
      const ms = 100 + Math.floor(draw() * 700);
      const start = process.hrtime.bigint();
      const answer = await get(`/timed/slow/${ms}`, { 'x-user-id': `timed-${n}` });
      const track = own[answer.header('x-track')];
      track.seen.push(Number(process.hrtime.bigint() - start) / 1000);
      track.waited.push((ms - 1) * 1000); // node's timers count whole milliseconds
    }));
    const { tracks } = await settled('slow', COUNT);
    for (const [name, { waited, seen }] of Object.entries(own)) {
      for (const list of [waited, seen]) list.sort((a, b) => a - b);
      for (const kind of ['header_time', 'upstream_time']) {
        const time = tracks[name][kind];
        const sum = (list) => list.reduce((us, each) => us + each, 0);
        assert.equal(time.count, waited.length);
        assert.ok(time.sum_us >= sum(waited) && time.sum_us <= sum(seen), `${name} ${kind}: sum ${time.sum_us}`);
        assert.ok(time.max_us >= waited.at(-1) && time.max_us <= seen.at(-1), `${name} ${kind}: max ${time.max_us}`);
        for (const [key, q] of Object.entries(QUANTILES)) {
          const [low, high] = [quantile(waited, q) * 0.98, quantile(seen, q) * 1.02];
          assert.ok(time[key] >= low && time[key] <= high, `${name} ${kind} ${key}: ${time[key]} not in ${low}..${high}`);
        }
        const middles = time.buckets.flatMap(([index, count]) => new Array(count).fill(middleOf(index)));
        assert.equal(middles.length, time.count);
        for (const [key, q] of Object.entries(QUANTILES)) {
          const wanted = Math.min(quantile(middles, q), time.max_us);
          assert.ok(Math.abs(time[key] / wanted - 1) < 0.016, `${key} ${time[key]}, of the buckets ${wanted}`);
        }
      }
    }
  });

  /** The middle of a bucket of base/hist.h: 32 an octave. */
  function middleOf(index) {
    if (index < 64) return index;
    const width = 2 ** (Math.floor(index / 32) - 1);
    return (32 + (index % 32)) * width + width / 2;
  }
});

describe('requests of verify', () => {
  let token;
  before(async () => {
    const answer = await api(nginx.ports.api, 'v1/verify');
    assert.equal(answer.header, 'X-Pourover-Verify');
    token = answer.token;
  });

  const verify = (value, headers = {}, url = '/verified/echo') => get(url, { 'x-pourover-verify': value, ...headers });
  const counted = async () => {
    const { tracks, ids } = await stats('verified');
    return { tracks, ids };
  };

  test('are routed as any other, told how, and counted apart', async () => {
    const before = await counted();
    const { split, peers } = await api(nginx.ports.api, 'v1/services/verified');
    const own = { stable: 0, canary: 0 };
    for (let n = 0; n < 40; n += 1) {
      const user = { 'x-user-id': `verify-${n}` };
      const answer = await verify(token, user);
      const verdict = verdictOf(answer);
      const { headers } = answer.json;
      assert.equal(headers['x-pourover-verify'], undefined);
      assert.equal(verdict.track, answer.header('x-version'));
      const bucket = Number((BigInt(`0x${headers['x-pourover-unit']}`) * 1000000n) >> 64n);
      const { address } = peers.find(({ track }) => track === verdict.track);
      const expected = { service: 'verified', reason: 'split', share_ppm: '500000', revision: String(split.revision) };
      assert.deepEqual(verdict, { ...expected, track: verdict.track, bucket: String(bucket), peer: address });
      own[verdict.track] += 1;
    }
    await waitUntil(async () => {
      const { tracks } = await counted();
      return tracks.stable.verify_requests + tracks.canary.verify_requests === 40;
    }, 5000, 'all of them counted');
    const now = await counted();
    for (const name of ['stable', 'canary']) {
      assert.equal(now.tracks[name].verify_requests - before.tracks[name].verify_requests, own[name]);
      now.tracks[name].verify_requests = before.tracks[name].verify_requests;
    }
    assert.deepEqual(now, before);
  });

  test('get an id like any other visitor', async () => {
    const answer = await verify(token);
    const verdict = verdictOf(await verify(token, withId(answer.issued)));
    assert.equal(verdict.bucket, verdictOf(answer).bucket);
  });

  test('that want the cut alone are answered without a peer', async () => {
    const arrived = () => versions.stable.ledger.entries.length + versions.canary.ledger.entries.length;
    const before = arrived();
    for (let n = 0; n < 20; n += 1) {
      const user = { 'x-user-id': `verify-${n}` };
      const answer = await verify(`${token} cut`, user);
      assert.deepEqual([answer.status, answer.body, verdictOf(answer).peer], [204, '', '-']);
      assert.equal(arrived(), before + n);
      assert.equal(verdictOf(answer).bucket, verdictOf(await verify(token, user)).bucket);
    }
  });

  test('with another token are nothing but requests', async () => {
    const before = total(await stats('verified'));
    const wrong = ['', 'x', token.slice(1), `${token}x`, `${token} cu`, `${token}  cut`, `x${token.slice(1)}`, token.toUpperCase() === token ? 'y' : token.toUpperCase()];
    for (const value of wrong) {
      const answer = await verify(value);
      assert.deepEqual([answer.status, verdictOf(answer), answer.json.headers['x-pourover-verify']], [200, null, undefined]);
    }
    await settled('verified', before + wrong.length);
  });
});
