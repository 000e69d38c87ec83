// What a request costs in instructions and system calls, with the module and without: counts of the program
// itself, which hold on a busy machine where times do not. The configurations are those of bench/router, so the
// baseline is stock NGINX with split_clients on the same cookie. One worker, one connection, one request after
// the other: every turn of the event loop is the same, and two runs differ by less than a thousandth.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MODULE } from '../support/nginx.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

const CONFIGS = fileURLToPath(new URL('../../bench/router/', import.meta.url));
const TRACE = 'ngx_process_events_and_timers'; // a turn of the event loop; start and end are not counted
const TICK = 'ngx_http_pourover_tick'; // runs by the clock: a busy machine has more of them for the same requests
const REQUESTS = 2_500;

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-instructions-'));
const peers = {};
const running = new Set();

before(async () => {
  for (const name of ['STABLE1', 'STABLE2', 'CANARY1', 'CANARY2']) peers[name] = await freePort();
  await run([], 'backend', 'backend.conf', peers.STABLE1);
});

after(async () => {
  await Promise.all([...running].map((nginx) => nginx.stop()));
  rmSync(dir, { recursive: true, force: true });
});

/** NGINX as a single process, run by another program (valgrind, strace). stop() resolves with what was printed. */
async function run(wrapper, name, template, port, setting) {
  const place = path.join(dir, name);
  mkdirSync(place);
  const ours = { HEADERS: 'on', STATE: 'state=state/router.json', SIZE: '8m', MORE: '', CHECK: '', SERVICE: '', FLEET: '' };
  const values = { MAIN: 'daemon off; master_process off;', PORT: port, MODULE, SET: '', ...ours, ...setting };
  for (const [from, to] of [[template, 'nginx.conf'], ['common.conf', 'common.conf']]) {
    const text = readFileSync(path.join(CONFIGS, from), 'utf8');
    writeFileSync(path.join(place, to), text.replace(/@(\w+)@/g, (_, key) => ({ ...values, ...peers })[key]));
  }
  const nginx = ['/usr/sbin/nginx', '-p', place, '-e', `${place}/error.log`, '-c', `${place}/nginx.conf`];
  const [command, ...args] = [...wrapper, ...nginx];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const ended = new Promise((resolve) => child.once('close', resolve));
  // NGINX listens before it writes its pid
  const pid = await waitUntil(() => {
    assert.equal(child.exitCode, null, output);
    return pidIn(path.join(place, 'nginx.pid'));
  }, 60_000, `${command} to start NGINX`);
  const it = {
    async stop() {
      if (running.delete(it)) process.kill(pid, 'SIGTERM');
      await ended;
      return output;
    },
  };
  running.add(it);
  return it;
}

const pidIn = (file) => existsSync(file) && Number(readFileSync(file, 'utf8'));

/** So many requests of returning visitors on one connection, each sent when the answer before it is complete. */
function visit(port, requests) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let [sent, answer] = [0, ''];
    const next = () => {
      if (sent === requests) return resolve(socket.destroy());
      const id = (BigInt(sent) * 0x9e3779b97f4a7c15n & 0xffffffffffffffffn).toString(16).padStart(16, '0');
      sent += 1;
      socket.write(`GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: pourover_id=${id}\r\n\r\n`);
    };
    socket.on('connect', next);
    socket.on('error', reject);
    socket.on('data', (data) => {
      answer += data;
      if (!answer.endsWith('hello, world\n')) return;
      if (!answer.startsWith('HTTP/1.1 200 ')) return reject(new Error(`request ${sent}: ${answer}`));
      answer = '';
      next();
    });
    socket.on('end', () => reject(new Error(`the connection ended after ${sent} requests`)));
  });
}

async function instructions({ template, ...setting }) {
  const port = await freePort();
  const toggles = [TRACE, TICK].map((name) => `--toggle-collect=${name}`);
  const valgrind = ['valgrind', '--tool=callgrind', ...toggles, '--callgrind-out-file=/dev/null'];
  const nginx = await run(valgrind, `callgrind-${port}`, template, port, setting);
  await visit(port, REQUESTS);
  const output = await nginx.stop();
  return Number(/Collected : (\d+)/.exec(output)?.[1] ?? assert.fail(output)) / REQUESTS;
}

/** Calls per request by name; what is called less than every tenth request is the tick's. */
async function systemCalls({ template, ...setting }) {
  const count = async (requests) => {
    const port = await freePort();
    const table = path.join(dir, `strace-${port}`);
    const nginx = await run(['strace', '-c', '-o', table], `strace-run-${port}`, template, port, setting);
    await visit(port, requests);
    await nginx.stop();
    const rows = readFileSync(table, 'utf8').matchAll(/^ +[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$/gm);
    const calls = Object.fromEntries([...rows].map(([, n, name]) => [name, Number(n)]));
    delete calls.sched_yield; // so NGINX waits for its threads when it ends
    return calls;
  };
  const [few, many] = [await count(200), await count(1_200)];
  const perRequest = Object.keys(many).map((name) => [name, Math.round((many[name] - (few[name] ?? 0)) / 100) / 10]);
  return Object.fromEntries(perRequest.filter(([, calls]) => calls > 0).sort());
}

const show = (calls) => Object.entries(calls).map(([name, n]) => `${name} ${n}`).join(', ');

const PLAIN = { template: 'plain.conf' };
const PLAIN_WITH_HEADERS = {
  template: 'plain.conf',
  SET: `proxy_set_header X-Pourover-Track $upstream;
    proxy_set_header X-Pourover-Unit $cookie_pourover_id;
    proxy_set_header X-Pourover-Start $msec;`,
};
const BARE = { template: 'pourover.conf', HEADERS: 'off' };
const FULL = { template: 'pourover.conf' };

// Above the figures of docs/performance.md by two to three hundredths: on one machine two runs differ by less than a
// thousandth, but on another installation the same build took 285 instructions more. The page says what the goals
// are. The baseline counts nothing, sets no header and saves no state.
const LIMITS = [
  ['pourover, all on / plain NGINX that sets the same headers', FULL, PLAIN_WITH_HEADERS, 1.0],
  ['pourover without injected headers / plain NGINX', BARE, PLAIN, 1.08],
  ['pourover, all on / plain NGINX', FULL, PLAIN, 1.13],
];

test('instructions per request stay where they are beside split_clients', { timeout: 280_000 }, async (t) => {
  const counts = new Map();
  for (const setting of [PLAIN, PLAIN_WITH_HEADERS, BARE, FULL]) counts.set(setting, await instructions(setting));
  const ratios = LIMITS.map(([what, ours, theirs, limit]) => {
    const [a, b] = [counts.get(ours), counts.get(theirs)];
    t.diagnostic(`${what}: ${a.toFixed(0)} / ${b.toFixed(0)} = ${(a / b).toFixed(3)}, at most ${limit}`);
    return { what, ratio: a / b, limit };
  });
  assert.deepEqual(ratios.filter(({ ratio, limit }) => ratio > limit), []);
});

test('a request makes the same system calls as with split_clients', { timeout: 280_000 }, async (t) => {
  const plain = await systemCalls(PLAIN);
  t.diagnostic(`per request: ${show(plain)}`);
  assert.ok(plain.writev >= 2 && plain.recvfrom >= 2, show(plain));
  for (const setting of [BARE, FULL]) {
    assert.deepEqual(await systemCalls(setting), plain, JSON.stringify(setting));
  }
});
