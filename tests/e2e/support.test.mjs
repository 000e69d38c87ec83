// The tests' own tools, tried on an nginx without our module: what they claim about others has to hold for them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Deframer, encodeText } from '../../examples/demo-service/grpc.mjs';
import { joinLedgers, parseServiceLedger } from '../support/ledger.mjs';
import { startLoad } from '../support/load.mjs';
import { alive, startNginx, testConfig } from '../support/nginx.mjs';
import { spawnUpstream, startUpstream } from '../support/upstream.mjs';
import { seeded, Visitors } from '../support/visitors.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

/** nginx as a canary router of its own: an id as ours, split_clients, two upstreams. */
const splitting = (stable, canary, share) => ({ ports }) => `
  map $cookie_pourover_id $id { "" $request_id; default $cookie_pourover_id; }
  map $cookie_pourover_id $issue { "" "pourover_id=$request_id; Path=/"; default ""; }
  split_clients "salt$id" $track { ${share ? `${share}% canary;` : ''} * stable; }
  upstream stable { server ${stable.peer}; keepalive 32; }
  upstream canary { server ${canary.peer}; keepalive 32; }
  upstream grpc-stable { server ${stable.peer}; keepalive 32; }
  upstream grpc-canary { server ${canary.peer}; keepalive 32; }
  add_header Set-Cookie $issue always;
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    location / { proxy_pass http://$track; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /ws {
      proxy_pass http://$track;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
    location /demo.Echo/ { grpc_pass grpc://grpc-$track; }
  }`;

const PORTS = ['http', 'h2'];

/** Services v1 and v2 and the router before them; ended after the test, whatever its outcome. */
async function world(t, share) {
  const stable = await startUpstream({ version: 'v1', host: 'west1' });
  const canary = await startUpstream({ version: 'v2', host: 'west2' });
  const nginx = await startNginx({ module: false, ports: PORTS, http: splitting(stable, canary, share) });
  const target = { http: `127.0.0.1:${nginx.ports.http}`, h2: `127.0.0.1:${nginx.ports.h2}` };
  const ledgers = () => [stable.ledger.toText(), canary.ledger.toText()];
  t.after(async () => {
    await nginx.stop();
    await Promise.all([stable.stop(), canary.stop()]);
    nginx.assertCleanLog();
    nginx.remove();
  });
  return { stable, canary, nginx, target, ledgers };
}

/** startLoad, ended after the test at the latest. */
function loadFor(t, options) {
  const load = startLoad(options);
  t.after(() => load.abort());
  return load;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('a steady load: both ledgers agree to the last request, visitors keep their version', async (t) => {
  const { nginx, target, ledgers } = await world(t, 30);
  const load = loadFor(t, { target, rate: 500, streams: 6, websockets: 4, seconds: [0.5, 2], visitors: 300 });
  await pause(3000);
  const live = load.stats();
  const join = joinLedgers(await load.stop(), ledgers());
  assert.equal(join.failed, 0, JSON.stringify(join.failures));
  assert.equal(join.resent, 0, JSON.stringify(join.resends));
  assert.equal(join.answered, join.sent);
  assert.deepEqual(join.servedTwice.concat(join.servedUnanswered, join.answeredUnserved, join.contradicted), []);
  for (const kind of ['http1', 'h2', 'grpc', 'chat', 'watch', 'websocket']) assert.ok(join.kinds[kind].answered > 0, kind);
  assert.ok(join.versions.v2.answered > 0 && live.versions.v2.p99 >= live.versions.v2.p50);
  assert.deepEqual(load.visitors.moves, []);
  assert.equal(new Set(load.visitors.ids.filter(Boolean)).size, load.visitors.ids.filter(Boolean).length);
  assert.ok(nginx.workers().length === 2);
});

test('a reload each 200 ms: requests on re-used connections are resent, nothing fails', async (t) => {
  const { nginx, target, ledgers } = await world(t, 30);
  const load = loadFor(t, { target, rate: 1500, visitors: 5000 });
  for (let i = 0; i < 25; i += 1) {
    nginx.hup();
    await pause(200);
  }
  const join = joinLedgers(await load.stop(), ledgers());
  assert.equal(join.failed, 0, JSON.stringify(join.failures));
  assert.equal(join.answered, join.sent);
  assert.ok(join.resent > 0, 'plain nginx closes idle connections while requests are on their way');
  assert.deepEqual(Object.keys(join.resends).filter((why) => !/re-used|refused/.test(why)), []);
  assert.deepEqual(join.contradicted, []);
});

test('streams and websockets live through reloads and a binary upgrade', async (t) => {
  const { nginx, target, ledgers } = await world(t, 50);
  const load = loadFor(t, { target, rate: 50, streams: 8, websockets: 8, seconds: [2, 3] });
  for (let i = 0; i < 3; i += 1) await nginx.reload();
  const { old } = await nginx.upgradeBegin();
  assert.notEqual(nginx.master(), old);
  await nginx.upgradeFinish();
  const join = joinLedgers(await load.stop(), ledgers());
  assert.equal(join.failed, 0, JSON.stringify(join.failures));
  assert.ok(join.kinds.chat.answered > 0 && join.kinds.watch.answered > 0 && join.kinds.websocket.answered > 0);
});

test('what fails is called failed, with its reason', async (t) => {
  const { stable, canary, nginx, target, ledgers } = await world(t, 0);
  const load = loadFor(t, { target, rate: 300, websockets: 2, streams: 2, seconds: [20, 20] });
  await waitUntil(() => load.stats().answered > 100);
  stable.setMode({ status: 500 });
  await waitUntil(() => load.stats().failed > 50);
  stable.setMode({});
  await waitUntil(() => load.stats().inFlight >= 4);
  stable.cutConnections(); // ends websockets and streams
  const join = joinLedgers(await load.stop(), ledgers());
  const reasons = Object.keys(join.failures).join('; ');
  for (const reason of [/status 500/, /grpc-status 13/, /websocket cut while open/]) assert.match(reasons, reason);
  assert.equal(join.answered + join.failed, join.sent);
  assert.equal(canary.ledger.entries.length, 0);
  assert.ok(nginx.errorLog().includes('[error]'));
});

/** A server that answers each connection's requests by `script`: 'ok', 'close', 'half' in turn; then it closes. */
function scripted(script) {
  const server = net.createServer((socket) => {
    const steps = [...script];
    socket.on('error', () => {});
    socket.on('data', () => {
      const step = steps.shift() ?? 'close';
      if (step === 'close') socket.destroy();
      else if (step === 'ok') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no', () => socket.destroy());
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function loadOn(t, script) {
  const server = await scripted(script);
  const target = { http: `127.0.0.1:${server.address().port}` };
  const load = loadFor(t, { target, mix: { http1: 1 }, rate: 200, connections: 4 });
  await waitUntil(() => load.stats().sent >= 60);
  const ledger = await load.stop();
  server.close();
  return joinLedgers(ledger, []);
}

test('only a re-used connection that gave no byte is resent', async (t) => {
  const reused = await loadOn(t, ['ok', 'ok', 'close']);
  assert.equal(reused.failed, 0);
  assert.ok(reused.resent > 10);
  const fresh = await loadOn(t, ['close']);
  assert.equal(fresh.answered + fresh.resent, 0);
  assert.deepEqual(Object.keys(fresh.failures), ['closed before an answer, fresh connection']);
  const half = await loadOn(t, ['ok', 'half']);
  assert.equal(half.resent, 0);
  assert.deepEqual(Object.keys(half.failures), ['closed in the middle of an answer, re-used connection']);
  assert.equal(half.answered + half.failed, half.sent);
});

test('a refused HTTP/2 stream is resent once', async (t) => {
  let streams = 0;
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {}); // node reports our own refusal
    streams += 1;
    if (streams % 3 === 0) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ':status': 200 }, { endStream: true });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = { h2: `127.0.0.1:${server.address().port}` };
  const load = loadFor(t, { target, mix: { h2: 1 }, rate: 100, sessions: 1 });
  await waitUntil(() => load.stats().resent >= 5);
  const join = joinLedgers(await load.stop(), []);
  server.close();
  assert.equal(join.answered + join.failed, join.sent);
  assert.ok(Object.keys(join.resends).every((why) => why.startsWith('stream refused')));
  assert.equal(join.resent + join.sent, streams);
});

test('as programs: a service with handles, and a load on two targets side by side', async (t) => {
  const services = await Promise.all(['v1', 'v2'].map((version) => spawnUpstream({ version })));
  t.after(() => Promise.all(services.map((service) => service.stop())));
  const program = fileURLToPath(new URL('../support/load.mjs', import.meta.url));
  const targets = services.flatMap(({ version, peer }) => ['--target', `${version},http=${peer},h2=${peer}`]);
  const args = [program, ...targets, '--rate', '100', '--duration', '1', '--streams', '2', '--websockets', '2'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  for (const [version, result] of Object.entries(JSON.parse(stdout))) {
    assert.equal(result.failed + result.open, 0, JSON.stringify(result.failures));
    assert.equal(result.versions[version].answered, result.sent);
  }
  const ledger = parseServiceLedger(await services[0].ledgerText());
  assert.ok(ledger.length > 80 && ledger.every(({ number, host }) => number.startsWith('v1.') && host === 'v1-host'));
  await services[0].setMode({ status: 503 });
  assert.equal((await fetch(`http://${services[0].peer}/`)).status, 503);
});

test('the demo service: page, health, gRPC echo, log', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-service-'));
  const port = await freePort();
  const log = path.join(dir, 'log');
  const program = fileURLToPath(new URL('../../examples/demo-service/service.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, '--version', '2.0', '--host', 'west3', '--port', String(port), '--log', log, '--until-eof']);
  t.after(() => {
    child.kill();
    rmSync(dir, { recursive: true });
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/healthz`)).text(), 'ok\n');
  const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-pourover-track': 'canary' } });
  assert.match(await page.text(), /2\.0[\s\S]*host west3, track canary/);
  const load = loadFor(t, { target: { h2: `127.0.0.1:${port}` }, mix: { grpc: 1 }, rate: 100 });
  await waitUntil(() => load.stats().answered >= 5);
  const ledger = await load.stop();
  child.stdin.end();
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0);
  const join = joinLedgers(ledger, [readFileSync(log, 'utf8')]);
  assert.deepEqual([join.failed, join.answered, join.unnumbered], [0, join.sent, 1]);
  assert.deepEqual(join.answeredUnserved.concat(join.contradicted), []);
});

test('the join tells every kind of contradiction', async (t) => {
  const { target, stable, ledgers } = await world(t, 0);
  const load = loadFor(t, { target, mix: { http1: 1 }, rate: 200 });
  await waitUntil(() => load.stats().answered >= 10);
  const ledger = await load.stop();
  const forged = stable.ledger.entries[0];
  const texts = ledgers();
  const lines = texts[0].split('\n').filter(Boolean);
  const without = (pattern) => lines.filter((line) => !line.startsWith(pattern)).join('\n');
  assert.deepEqual(joinLedgers(ledger, [without('load.3\t')]).answeredUnserved, [3]);
  assert.deepEqual(joinLedgers(ledger, [texts[0], lines[4]]).servedTwice, [Number(lines[4].split('\t')[0].slice(5))]);
  const other = texts[0].replace(`${forged.number}\t${forged.at}\thttp\t200\t\tv1`, `${forged.number}\t1\thttp\t200\t\tv2`);
  assert.deepEqual(joinLedgers(ledger, [other]).contradicted, [Number(forged.number.slice(5))]);
  assert.equal(joinLedgers(ledger, [`${texts[0]}\t1\thttp\t200\t\tv1\twest1\n`]).unnumbered, 1);
  ledger.entries[5].failed = 'as a test';
  assert.deepEqual(joinLedgers(ledger, texts).servedUnanswered, [5]);
});

test('a killed worker is replaced, its line in the log is allowed, that of another is not', async (t) => {
  const nginx = await startNginx({ module: false, http: ({ ports }) => `server { listen 127.0.0.1:${ports.http}; }` });
  t.after(() => nginx.stop());
  const pid = await nginx.killWorker();
  assert.ok(!alive(pid));
  nginx.assertCleanLog();
  const stranger = nginx.workers()[0];
  process.kill(stranger, 'SIGKILL'); // not by nginx.kill: nobody said that this was meant
  await waitUntil(() => nginx.errorLog().includes(`${stranger} exited on signal 9`));
  assert.throws(() => nginx.assertCleanLog(), /exited on signal 9/);
  nginx.assertCleanLog([/exited on signal 9/]);
  const processes = nginx.processes();
  await nginx.stop();
  assert.deepEqual(processes.filter(alive), []);
});

test('nginx -t tells what is wrong, and a config that does not start is an error', async () => {
  const bad = { module: false, http: 'no_such_directive;' };
  const { code, output } = await testConfig(bad);
  assert.equal(code, 1);
  assert.match(output, /unknown directive "no_such_directive"/);
  await assert.rejects(startNginx(bad), /did not start \(exit 1\)[\s\S]*unknown directive/);
});

test('the parts: gRPC messages, visitors', () => {
  const texts = ['', 'a', 'x'.repeat(127), 'y'.repeat(128), 'z'.repeat(20_000)];
  const wire = Buffer.concat(texts.map(encodeText));
  const deframer = new Deframer();
  const got = [...wire].flatMap((byte) => deframer.push(Buffer.of(byte)));
  assert.deepEqual(got, texts);
  assert.equal(deframer.pending, 0);
  const visitors = new Visitors({ count: 3, seed: 7 });
  const first = visitors.enter();
  assert.ok([visitors.enter(), visitors.enter()].every((other) => other !== first));
  assert.equal(visitors.enter(), -1);
  visitors.saw(first, 10, 'v1', ['other=1', 'pourover_id=abc; Path=/']);
  visitors.saw(first, 20, 'v2');
  visitors.saw(first, 30, 'v2');
  assert.equal(visitors.id(first), 'abc');
  assert.deepEqual(visitors.moves, [{ visitor: first, at: 20, from: 'v1', to: 'v2' }]);
  assert.deepEqual(visitors.lastOn('v2'), [first]);
  assert.deepEqual(visitors.lastOn('v1'), []);
  [0, 1, 2].forEach((visitor) => visitors.leave(visitor));
  visitors.call([first]);
  assert.equal(visitors.enter(), first);
  assert.equal(seeded(3)(), seeded(3)());
});
