// The API of a router as docs/reference/api.md says: shapes, errors, who may call.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import { environment, startNginx, testConfig } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { waitUntil } from '../support/wait.mjs';

const TOKEN = 'correct-horse-battery-staple';

let nginx;
let port;

const get = (name, headers) => call({ port }, 'GET', name, undefined, headers);
const put = (name, body, headers) => call({ port }, 'PUT', `v1/services/${name}/split`, body, headers);

before(async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  writeFileSync(path.join(dir, 'token'), `${TOKEN}\n`, { mode: 0o600 });
  nginx = await startNginx({
    dir,
    ports: ['http', 'h2', 'stable', 'canary', 'token'],
    http: ({ ports }) => `
      pourover_zone name=main size=4m state=${dir}/state/router.json;
      upstream shop {
        pourover zone=main share=25% salt=r1;
        server 127.0.0.1:${ports.stable};
        pourover_server 127.0.0.1:${ports.canary} track=canary dc=east weight=3;
      }
      pourover_cut other zone=main;
      server { listen 127.0.0.1:${ports.stable}; location / { return 200 stable; } location /bad { return 502 stable; } }
      server { listen 127.0.0.1:${ports.canary}; location / { return 200 canary; } location /bad { return 502 canary; } }
      server {
        listen 127.0.0.1:${ports.http}; listen unix:${dir}/api.sock;
        pourover_visitor id=$http_x_user;
        pourover_service shop;
        location /pourover/ { pourover_api; }
        location / { proxy_pass http://shop; proxy_http_version 1.1; }
      }
      server { listen 127.0.0.1:${ports.h2} http2; location /pourover/ { pourover_api; } }
      server {
        listen 127.0.0.1:${ports.token}; set_real_ip_from 127.0.0.1; real_ip_header X-Client-Address;
        location /pourover/ { pourover_api token=${dir}/token; }
        location /plain/ { pourover_api; }
      }`,
  });
  port = nginx.ports.http;
});

after(async () => {
  await nginx.stop();
  nginx.assertCleanLog();
  nginx.remove();
});

test('status', async () => {
  await waitUntil(async () => (await get('v1/status')).body.state.saved, 5_000, 'the state file written');
  const { status, headers, body } = await get('v1/status');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(headers.etag, undefined);
  const { epoch, instance, started_at_ms, now_ms, state, checker, workers, zone_size_bytes: size, zone_used_bytes: used, ...rest } = body;
  assert.deepEqual(rest, {
    pourover: '0.1.0', nginx: rest.nginx, zone: 'main', restored: 'fresh', restored_reason: '', upgrading: false,
    healthcheck: { failing: false, by: '', since_ms: 0, flag_file: '' }, services: ['shop', 'other'],
  });
  assert.ok(Number.isSafeInteger(epoch) && epoch > 0);
  assert.ok(used > 10_000 && used < size && size < 4 << 20);
  assert.match(rest.nginx, /^1\.\d+\.\d+$/);
  assert.match(instance, /^[0-9a-f]{16}$/);
  assert.ok(started_at_ms <= now_ms && Math.abs(now_ms - Date.now()) < 10_000);
  assert.deepEqual({ ...state, saved_at_ms: 0 }, { file: `${nginx.dir}/state/router.json`, saved: true, saved_at_ms: 0, error: '' });
  assert.ok(nginx.workers().includes(checker.pid) && checker.lease > 0);
  assert.deepEqual([checker.checks, checker.late], [0, 0]);
  assert.deepEqual(workers.map(({ pid }) => pid).sort(), nginx.workers().sort());
  for (const { slot, generation, exiting } of workers) {
    assert.ok(Number.isInteger(slot));
    assert.deepEqual([generation, exiting], [1, false]);
  }
});

test('services, one with its peers', async () => {
  const split = { share_ppm: 250_000, salt: 'r1', enabled: true, revision: 0 };
  const track = { peers: 1, live: 1, failing: 0, unknown: 0, in_flight: 0 };
  const tracks = { stable: track, canary: track };
  const { body } = await get('v1/services');
  assert.deepEqual(Object.keys(body), ['epoch', 'services']);
  const maintenance = { on: false, by: '', message: '', since_ms: 0 };
  assert.deepEqual(body.services[0], { name: 'shop', kind: 'balancer', split, restored: 'fresh', maintenance, tracks });
  assert.equal(body.services[1].kind, 'cut');
  const { epoch, peers, names, ...one } = (await get('v1/services/shop')).body;
  assert.ok(epoch > 0);
  assert.deepEqual(one, body.services[0]);
  const check = { reason: 'none', text: '', at_ms: 0, took_us: 0, streak: 0, changes: 0 };
  const idle = { state: 'ready', health: 'unchecked', check, drain: null, in_flight: 0, requests: 0, failures: 0 };
  const [stable, canary] = [nginx.ports.stable, nginx.ports.canary].map((p) => `127.0.0.1:${p}`);
  assert.deepEqual(peers, [
    { address: stable, name: stable, origin: 'config', track: 'stable', dc: '', weight: 1, weight_now: 1, ...idle },
    { address: canary, name: canary, origin: 'config', track: 'canary', dc: 'east', weight: 3, weight_now: 3, ...idle },
  ]);
  assert.deepEqual(names, []);
});

test('statistics and metrics say the same, and what was sent', async () => {
  const sent = { stable: { 200: 0, 502: 0 }, canary: { 200: 0, 502: 0 } };
  for (let i = 0; i < 120; i += 1) {
    const answer = await fetch(`${nginx.url()}/${i % 4 ? '' : 'bad'}`, { headers: { 'X-User': `u${i}` } });
    sent[await answer.text()][answer.status] += 1;
  }
  assert.ok(sent.stable[200] > 20 && sent.canary[200] > 5, JSON.stringify(sent));
  const total = (track) => sent[track][200] + sent[track][502];
  const stats = await waitUntil(async () => {
    const { body } = await get('v1/services/shop/stats');
    return body.tracks.stable.requests === total('stable') && body.tracks.canary.requests === total('canary') && body;
  }, 5_000, 'all requests counted');
  assert.equal(stats.service, 'shop');
  assert.deepEqual(stats.ids, { valid: 0, issued: 0, replaced: 0, sourced: 120, none: 0 });
  const { text, headers } = await get('metrics');
  assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const metrics = parseMetrics(text);
  for (const track of ['stable', 'canary']) {
    const { statuses, reasons, header_time } = stats.tracks[track];
    assert.deepEqual(statuses, Object.fromEntries(Object.entries(sent[track]).map(([k, v]) => [k, v])));
    assert.equal(reasons.split, total(track));
    assert.equal(header_time.count, total(track));
    assert.equal(header_time.buckets.reduce((sum, [, n]) => sum + n, 0), total(track));
    assert.ok(header_time.p50_us <= header_time.p99_us && header_time.p99_us <= header_time.max_us * 1.02);
    const labels = `service="shop",track="${track}"`;
    assert.equal(metrics.get(`pourover_requests_total{${labels},reason="split"}`), total(track));
    assert.equal(metrics.get(`pourover_responses_total{${labels},status="502"}`), sent[track][502]);
    assert.equal(metrics.get(`pourover_events_total{${labels},kind="app"}`), sent[track][502]);
    assert.equal(metrics.get(`pourover_ready_peers{${labels},health="unchecked"}`), 1);
    assert.equal(metrics.get(`pourover_request_duration_seconds_count{${labels}}`), total(track));
    assert.equal(metrics.get(`pourover_request_duration_seconds_bucket{${labels},le="+Inf"}`), total(track));
    assert.ok(Math.abs(metrics.get(`pourover_request_duration_seconds_sum{${labels}}`) - header_time.sum_us / 1e6) < 1e-9);
    const within = header_time.buckets.filter(([index]) => lowOf(index) < 4096).reduce((sum, [, n]) => sum + n, 0);
    assert.equal(metrics.get(`pourover_request_duration_seconds_bucket{${labels},le="0.004096"}`), within);
  }
  assert.equal(metrics.get('pourover_share_ratio{service="shop"}'), 0.25);
  assert.equal(metrics.get('pourover_ids_total{service="shop",came="sourced"}'), 120);
  assert.equal(metrics.get('pourover_state_saved'), 1);
});

/** Least value of a bucket of the log-linear histogram (base/hist.h). */
const lowOf = (index) => (index < 64 ? index : (32 + (index % 32)) * 2 ** (Math.floor(index / 32) - 1));

/** Reads Prometheus text and throws where it breaks the format's rules. Returns {series: value}. */
function parseMetrics(text) {
  const values = new Map();
  const types = new Map();
  let family = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const head = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (head?.[1] === 'HELP') {
      assert.ok(!types.has(head[2]), `${head[2]} in two places`);
      family = head[2];
      types.set(family, '');
    } else if (head) {
      assert.equal(head[2], family);
      types.set(family, head[3]);
      assert.equal(head[3] === 'counter', family.endsWith('_total'), `${family} is a ${head[3]}`);
    } else {
      const [, name, , value] = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line) ?? assert.fail(line);
      const base = types.get(family) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
      assert.equal(base, family, line);
      assert.ok(Number.isFinite(Number(value)), line);
      const series = line.slice(0, line.lastIndexOf(' '));
      assert.ok(!values.has(series), `${series} twice`);
      values.set(series, Number(value));
    }
  }
  return values;
}

test('verify tells the token', async () => {
  const { body } = await get('v1/verify');
  assert.deepEqual({ ...body, epoch: 0, token: '' }, { epoch: 0, header: 'X-Pourover-Verify', token: '' });
  assert.match(body.token, /^[0-9a-f]{32}$/);
});

test('HEAD has the headers of GET and no body', async () => {
  const head = await call({ port }, 'HEAD', 'v1/services/other');
  const whole = await get('v1/services/other');
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal(head.headers['content-length'], whole.headers['content-length']);
});

test('errors all have the same shape and say what would be right', async () => {
  const right = { share_ppm: 1, revision: 1, if_revision: 0 };
  const cases = [
    [() => get('v1/servces'), 404, 'not_found', '', /there is no call "v1\/servces"; did you mean "v1\/services"\?/],
    [() => get('nothing'), 404, 'not_found', '', /there is no call "nothing"; calls are v1\/status/],
    [() => get(''), 404, 'not_found', '', /there is no call ""/],
    [() => get('v1/services/'), 404, 'not_found', '', /no call/],
    [() => get('v1/services/shp'), 404, 'not_found', '', /there is no service "shp"; did you mean "shop"\?/],
    [() => get('v1/services/xyzzy/stats'), 404, 'not_found', '', /there is no service "xyzzy"; v1\/services lists them all/],
    [() => get('v1/services/%00%ff%22/stats'), 400, null],
    [() => get('v1/services/%ff%22%0a/stats'), 404, 'not_found', '', /there is no service/],
    [() => get(`v1/services/${'x'.repeat(2000)}`), 404, 'not_found', '', /there is no service "x{128}"/],
    [() => put('shp', right), 404, 'not_found', '', /did you mean "shop"/],
    [() => get('v1/services/shop/split'), 405, 'method', '', /the method is GET; right for this call is PUT/],
    [() => call({ port }, 'DELETE', 'v1/services/shop'), 405, 'method', '', /the method is DELETE; right for this call is GET, HEAD/],
    [() => call({ port }, 'POST', 'v1/services/shop/split', right), 405, 'method', '', /POST/],
    [() => put('shop', right, { 'Content-Type': 'text/plain' }), 415, 'media_type', '', /application\/json/],
    [() => put('shop', right, { 'Content-Type': 'application/jsonx' }), 415, 'media_type', '', /application\/json/],
    [() => put('shop', `{"share_ppm":${' '.repeat(20_000)}1}`), 413, 'too_large', '', /16384 bytes/],
    [() => put('shop', `{"share_ppm":${' '.repeat(20_000)}1}`, { 'Transfer-Encoding': 'chunked' }), 413, 'too_large', '', /16384/],
    [() => put('shop', ''), 400, 'invalid', '', /no JSON/],
    [() => put('shop', '{"share_ppm":1'), 400, 'invalid', '', /no JSON: .*line 1, column/],
    [() => put('shop', { ...right, share_pp: 1 }), 400, 'invalid', 'share_pp', /unknown field "share_pp"; did you mean "share_ppm"\?/],
    [() => put('shop', '{"share_ppm":1,"share_ppm":2,"revision":1,"if_revision":0}'), 400, 'invalid', 'share_ppm', /there twice/],
    [() => put('shop', { ...right, share_ppm: 1_000_001 }), 400, 'invalid', 'share_ppm', /from 0 to 1000000/],
    [() => put('shop', { ...right, share_ppm: 0.5 }), 400, 'invalid', 'share_ppm', /share_ppm is 0.5; a whole number/],
    [() => put('shop', { ...right, share_ppm: '1%' }), 400, 'invalid', 'share_ppm', /share_ppm is "1%"/],
    [() => put('shop', { ...right, salt: 'a b' }), 400, 'invalid', 'salt', /A-Z a-z 0-9/],
    [() => put('shop', { ...right, enabled: 'yes' }), 400, 'invalid', 'enabled', /true or false/],
    [() => put('shop', { share_ppm: 1, if_revision: 0 }), 400, 'invalid', 'revision', /revision is missing/],
    [() => put('shop', { share_ppm: 1, revision: 1 }), 400, 'invalid', 'if_revision', /if_revision is missing/],
    [() => put('shop', { revision: 1, if_revision: 0 }), 400, 'invalid', 'share_ppm', /nothing to set/],
    [() => put('shop', { ...right, if_revision: 7 }), 409, 'conflict', 'if_revision', /if_revision is 7, but the split is at revision 0/],
    [() => put('shop', { ...right, revision: 1, share_ppm: 900_000, if_revision: 'any' }), 409, 'conflict', 'if_revision', /could move visitors to the canary/],
    [() => get('v1/status', { Origin: 'http://127.0.0.1' }), 403, 'forbidden', '', /Origin/],
    [() => put('shop', right, { Origin: 'null' }), 403, 'forbidden', '', /Origin/],
  ];
  const split = (await get('v1/services/shop')).body.split;
  for (const [send, status, code, field, message] of cases) {
    const answer = await send();
    assert.equal(answer.status, status, answer.text);
    if (code === null) continue; // nginx's own answer
    assert.deepEqual(Object.keys(answer.body), code === 'conflict' ? ['epoch', 'error', 'split'] : ['epoch', 'error']);
    assert.deepEqual(Object.keys(answer.body.error), ['code', 'message', 'field']);
    assert.deepEqual([answer.body.error.code, answer.body.error.field], [code, field], answer.text);
    assert.match(answer.body.error.message, message);
    assert.equal(answer.headers['cache-control'], 'no-store');
    if (status === 405) assert.match(answer.headers.allow, /^(GET, HEAD|PUT)$/);
  }
  assert.deepEqual((await get('v1/services/shop')).body.split, split, 'nothing was done');
});

test('a change: what is not named stays, the epoch rises, a replay is refused', async () => {
  const { epoch } = (await get('v1/status')).body;
  const first = await put('other', { salt: 'r9', revision: 5, if_revision: 0 }, { 'Content-Type': 'application/json; charset=utf-8' });
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.body, { epoch: first.body.epoch, saved: true, split: { share_ppm: 0, salt: 'r9', enabled: true, revision: 5 } });
  assert.ok(first.body.epoch > epoch);
  const replay = await put('other', { salt: 'r9', revision: 5, if_revision: 0 });
  assert.deepEqual([replay.status, replay.body.split.revision], [409, 5]);
  const off = await put('other', { enabled: false, revision: 6, if_revision: 'any' });
  assert.deepEqual(off.body.split, { share_ppm: 0, salt: 'r9', enabled: false, revision: 6 });
  const on = await put('other', { enabled: true, revision: 7, if_revision: 'any' });
  assert.equal(on.status, 409);
});

test('calls over HTTP/2, over a unix socket, and with a chunked body', async () => {
  const socket = await call({ socketPath: path.join(nginx.dir, 'api.sock'), host: undefined }, 'GET', 'v1/status');
  assert.equal(socket.status, 200);
  const body = { share_ppm: 10, revision: 20, if_revision: 'any' };
  const refused = await put('other', body, { 'Transfer-Encoding': 'chunked' });
  assert.equal(refused.status, 409, refused.text);

  const session = http2.connect(`http://127.0.0.1:${nginx.ports.h2}`);
  const request = session.request({ ':method': 'PUT', ':path': '/pourover/v1/services/other/split', 'content-type': 'application/json' });
  let status;
  let text = '';
  request.on('response', (headers) => {
    status = headers[':status'];
  });
  request.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  request.end(JSON.stringify({ share_ppm: 77, revision: 30, if_revision: 6 }));
  await waitUntil(() => request.closed, 5_000, 'the end of the HTTP/2 request');
  session.close();
  assert.equal(status, 200, text);
  assert.equal(JSON.parse(text).split.share_ppm, 77);
});

test('clients that go away in the middle of a change harm nothing', async () => {
  const body = (revision) => JSON.stringify({ share_ppm: 0, revision, if_revision: 'any' });
  for (let revision = 100; revision < 140; revision += 1) {
    const socket = net.connect(port, '127.0.0.1');
    const text = body(revision);
    socket.write(`PUT /pourover/v1/services/other/split HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (revision % 2) socket.resetAndDestroy?.() ?? socket.destroy();
    else socket.end();
    socket.on('error', () => {});
  }
  const answer = await put('other', { share_ppm: 0, revision: 1000, if_revision: 'any' });
  assert.equal(answer.status, 200, answer.text);
});

test('a token is asked of everybody, realip or not', async () => {
  const target = { port: nginx.ports.token };
  const ask = (headers) => call(target, 'GET', 'v1/status', undefined, headers);
  for (const headers of [{}, { Authorization: TOKEN }, { Authorization: 'Bearer ' }, { Authorization: `Bearer ${TOKEN}x` }, { Authorization: `Bearer ${TOKEN.slice(0, -1)}` }, { Authorization: `Basic ${TOKEN}` }]) {
    const answer = await ask(headers);
    assert.deepEqual([answer.status, answer.body.error.code], [401, 'unauthorized'], JSON.stringify(headers));
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="pourover"');
  }
  assert.equal((await ask({ Authorization: `Bearer ${TOKEN}` })).status, 200);
  assert.equal((await ask({ Authorization: `bearer ${TOKEN}` })).status, 200);
  assert.equal((await ask({ Authorization: `Bearer ${TOKEN}`, Origin: 'http://x' })).status, 403);
  // the socket's address counts, whatever realip makes of the client's
  const plain = await fetch(`http://127.0.0.1:${nginx.ports.token}/plain/v1/status`, { headers: { 'X-Client-Address': '192.0.2.1' } });
  assert.equal(plain.status, 200);
  assert.ok(!nginx.errorLog().includes(TOKEN), 'the token is in the log');
});

test('wrong configurations of the API: place, value and the right form', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  const secret = (name, text, mode = 0o600) => {
    writeFileSync(path.join(dir, name), text, { mode });
    chmodSync(path.join(dir, name), mode);
    return path.join(dir, name);
  };
  const zone = 'pourover_zone name=main size=2m; pourover_cut a zone=main;';
  const server = (listen, location) => `${zone} server { listen ${listen}; ${location} }`;
  const api = (params) => server('127.0.0.1:1', `location /p/ { pourover_api ${params}; }`);
  const cases = [
    [server('1', 'location /p/ { pourover_api; }'), /pourover_api could be called by anybody who reaches 0\.0\.0\.0:1; let its server listen on 127\.0\.0\.1.*in .*nginx\.conf:\d+/],
    [server('[::]:1', 'location /p/ { pourover_api; }'), /anybody who reaches \[::\]:1/],
    [server('127.0.0.1:1; listen 192.0.2.1:1', 'location /p/ { pourover_api; }'), /anybody who reaches 192\.0\.2\.1:1/],
    [server('127.0.0.1:1', 'location /p { pourover_api; }'), /right is a prefix that ends in a slash.* in .*nginx\.conf:\d+/],
    [server('127.0.0.1:1', 'location = /p/ { pourover_api; }'), /right is a prefix/],
    [server('127.0.0.1:1', 'location ~ ^/p/ { pourover_api; }'), /right is a prefix/],
    [server('127.0.0.1:1', 'location /p/ { pourover_api; pourover_api; }'), /pourover_api is duplicate/],
    [api('allow='), /allow/],
    [api('allow=10.0.0.300'), /allow: "10\.0\.0\.300" is no address or network; right is allow=/],
    [api('insecure=yes'), /invalid parameter "insecure=yes"; it takes \[token=FILE\]/],
    [api('insecure=on allow=10.0.0.1'), /insecure=on lets everybody in/],
    [api(`token=${dir}/absent`), /cannot open .*absent.*No such file/],
    [api(`token=${secret('empty', '')}`), /has 0 bytes, it must have 16 to/],
    [api(`token=${secret('short', 'fifteen-bytes-x')}`), /has 15 bytes, it must have 16 to/],
    ['server { listen 127.0.0.1:1; location /p/ { pourover_api; } }', /pourover_api has nothing to tell; write "pourover_zone/],
  ];
  for (const [http, message] of cases) {
    const result = await testConfig({ dir, http });
    assert.equal(result.code, 1, http);
    assert.match(result.output, message);
  }
  const open = await testConfig({ dir, http: api(`token=${secret('open', 'sixteen-bytes-xx', 0o644)}`) });
  assert.equal(open.code, 0, open.output);
  assert.match(open.output, /\[warn\].*every user may read the secret/);
  for (const params of ['insecure=on', 'allow=10.0.0.0/8,::1', `token=${secret('fine', 'sixteen-bytes-xx')}`]) {
    const fine = await testConfig({ dir, http: server('1', `location /p/ { pourover_api ${params}; }`) });
    assert.equal(fine.code, 0, fine.output);
  }
  rmSync(dir, { recursive: true });
});

// Another address than loopback's is there only in a network of our own.
const apart = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

test('other addresses are refused unless allowed', { skip: apart ? false : 'needs unshare -n and ip' }, async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  writeFileSync(path.join(dir, 'token'), TOKEN, { mode: 0o600 });
  // only to have the file written: the address is not there yet, so nginx cannot bind to it
  await testConfig({
    dir,
    http: `pourover_zone name=main size=2m; pourover_cut a zone=main;
      server { listen 10.9.8.7:81; listen 127.0.0.1:81;
        set_real_ip_from 0.0.0.0/0; real_ip_header X-Real-IP;
        location /allow/ { pourover_api allow=10.9.8.0/24; } location /else/ { pourover_api allow=10.1.0.0/16; }
        location /token/ { pourover_api token=${dir}/token; } location /open/ { pourover_api insecure=on; } }`,
  });
  const ask = (to, where, more = '') => `curl -s -o /dev/null -w '%{http_code} ' ${more} http://${to}:81/${where}/v1/status`;
  const script = `ip link set lo up; ip addr add 10.9.8.7/32 dev lo
    LD_PRELOAD="$PRELOAD" ${process.env.POUROVER_NGINX ?? '/usr/sbin/nginx'} -p ${dir} -c ${dir}/nginx.conf -e ${dir}/error.log || exit 1
    ${ask('10.9.8.7', 'allow')}; ${ask('10.9.8.7', 'else')}; ${ask('10.9.8.7', 'else', '-H "X-Real-IP: 127.0.0.1"')}
    ${ask('127.0.0.1', 'else')}; ${ask('10.9.8.7', 'token')}; ${ask('10.9.8.7', 'token', `-H "Authorization: Bearer ${TOKEN}"`)}
    ${ask('10.9.8.7', 'open')}
    kill $(cat ${dir}/nginx.pid)`;
  const { LD_PRELOAD: PRELOAD = '', ...env } = environment({ dir });
  const run = spawnSync('unshare', ['-n', 'bash', '-c', script], { encoding: 'utf8', timeout: 20_000, env: { ...env, PRELOAD } });
  assert.equal(run.stdout.trim(), '200 403 403 200 401 200 200', run.stderr);
  rmSync(dir, { recursive: true });
});

test('without a token nobody speaks through a local proxy or by a name', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  writeFileSync(path.join(dir, 'token'), TOKEN, { mode: 0o600 });
  const nginx = await startNginx({
    dir,
    ports: ['http', 'proxied'],
    http: ({ ports }) => `pourover_zone name=main size=2m; pourover_cut a zone=main;
      server { listen 127.0.0.1:${ports.http};
        location /plain/ { pourover_api; } location /token/ { pourover_api token=${dir}/token; }
        location /allow/ { pourover_api allow=10.9.8.0/24; } location /open/ { pourover_api insecure=on; } }
      server { listen 127.0.0.1:${ports.proxied} proxy_protocol; location /plain/ { pourover_api; } }`,
  });
  const ask = (where, ...more) => {
    const url = nginx.url(where === 'proxied' ? 'proxied' : 'http');
    const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', ...more, `${url}/${where === 'proxied' ? 'plain' : where}/v1/verify`];
    return Number(spawnSync('curl', args, { encoding: 'utf8' }).stdout);
  };
  const header = (text) => ['-H', text];
  for (const name of ['X-Forwarded-For: 203.0.113.9', 'Via: 1.1 front', 'Forwarded: for=203.0.113.9', 'X-Real-IP: 203.0.113.9']) {
    assert.equal(ask('plain', ...header(name)), 403, name);
    assert.equal(ask('allow', ...header(name)), 403, name);
    assert.equal(ask('open', ...header(name)), 200, name);
    assert.equal(ask('token', ...header(name), ...header(`Authorization: Bearer ${TOKEN}`)), 200, name);
  }
  assert.equal(ask('plain', ...header('Host: attacker.example')), 403);
  assert.equal(ask('token', ...header('Host: router.example'), ...header(`Authorization: Bearer ${TOKEN}`)), 200);
  for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1:9900', '[::1]:9900']) assert.equal(ask('plain', ...header(`Host: ${host}`)), 200, host);
  assert.equal(ask('proxied', '--haproxy-protocol'), 403);
  await nginx.stop();
  nginx.assertCleanLog();
});

test('a thousand services are listed, and the list is whole', async () => {
  const names = Array.from({ length: 1000 }, (_, i) => `service-${i}`);
  const many = await startNginx({
    http: ({ ports, dir }) => `pourover_zone name=main size=256m state=${dir}/state/router.json;
      ${names.map((name) => `upstream ${name} { pourover zone=main; server 127.0.0.1:1; pourover_server 127.0.0.1:2 track=canary; }`).join('\n')}
      server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`,
  });
  const target = { port: many.ports.http };
  const { body } = await call(target, 'GET', 'v1/services');
  assert.deepEqual(body.services.map(({ name }) => name).sort(), [...names].sort());
  assert.ok(body.services.every(({ tracks }) => tracks.stable.live === 1 && tracks.canary.live === 1));
  const metrics = parseMetrics((await call(target, 'GET', 'metrics')).text);
  assert.equal(metrics.get('pourover_share_ratio{service="service-999"}'), 0);
  const answer = await call(target, 'PUT', 'v1/services/service-999/split', { share_ppm: 5, revision: 1, if_revision: 0 });
  assert.equal(answer.body.saved, true);
  await many.stop();
  many.assertCleanLog();
  many.remove();
});
