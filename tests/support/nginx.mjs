// Starts a real nginx for a test, in a directory of its own under the system's temp dir, on loopback ports.
//
//   const nginx = await startNginx({
//     ports: ['http', 'h2'],
//     http: ({ ports }) => `server { listen 127.0.0.1:${ports.http}; location / { return 204; } }`,
//   });
//   ... nginx.url('http') ...
//   await nginx.reload();
//   await nginx.stop();
//   nginx.assertCleanLog();
//
// Environment: POUROVER_NGINX (default /usr/sbin/nginx), POUROVER_BUILD_DIR (default build/release of this
// repository), POUROVER_ASAN=1 (preload the sanitizers' libraries into nginx).

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, waitUntil } from './wait.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NGINX = process.env.POUROVER_NGINX ?? '/usr/sbin/nginx';
const ASAN = process.env.POUROVER_ASAN === '1';

export const BUILD_DIR = path.resolve(ROOT, process.env.POUROVER_BUILD_DIR ?? 'build/release');
export const MODULE = path.join(BUILD_DIR, 'ngx/ngx_http_pourover_module.so');

/**
 * Options of startNginx and testConfig:
 *   http     body of the http block: text, or a function of {ports, dir} that returns it
 *   ports    names of the ports to choose, default ['http']
 *   module   load our module (default true)
 *   workers  number of workers (default 2)
 *   main     more lines for the main context
 *   events   more lines for the events block
 *   level    level of error.log (default info)
 *   config   the whole file instead: text or function; `http`, `main`, `workers` ... are then ignored
 *   dir      the directory to use (default: a new one)
 */
export async function startNginx(options) {
  const place = await prepare(options);
  const run = command(place);
  if (run.status !== 0) {
    rmSync(place.dir, { recursive: true, force: true });
    throw new Error(`nginx did not start (exit ${run.status ?? run.signal}):\n${run.stderr}${run.log}`);
  }
  const nginx = new Nginx(place, options);
  cleanUpAtExit(nginx);
  await waitUntil(() => nginx.master() && nginx.workers().length >= nginx.workerCount(), 15_000, 'workers of nginx');
  return nginx;
}

const started = new Set();

/** A test that fails half way leaves neither processes nor directories (POUROVER_KEEP=1 keeps the directories). */
function cleanUpAtExit(nginx) {
  if (started.size === 0) {
    process.once('exit', () => started.forEach((each) => each.cleanUp()));
    process.once('SIGTERM', () => setImmediate(() => process.exit(143))); // after what others do about it
  }
  started.add(nginx);
}

/** `nginx -t` with a config: {code, output}; output is what it printed and wrote to its error log. */
export async function testConfig(options) {
  const place = await prepare(options);
  const run = command(place, '-t');
  if (!options.dir) rmSync(place.dir, { recursive: true, force: true });
  return { code: run.status, output: run.stderr + run.log };
}

async function prepare(options) {
  const dir = options.dir ?? mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  const ports = {};
  for (const name of options.ports ?? ['http']) ports[name] = await freePort();
  const place = { dir, ports, conf: path.join(dir, 'nginx.conf'), errorLog: path.join(dir, 'error.log') };
  writeFileSync(place.conf, configText(place, options));
  return place;
}

function configText(place, options) {
  const text = (part) => (typeof part === 'function' ? part({ ports: place.ports, dir: place.dir }) : part ?? '');
  if (options.config) return text(options.config);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    'user root;', // workers write the zone's state and, in coverage builds, their counts
    options.module === false ? '' : `load_module ${MODULE};`,
    `worker_processes ${options.workers ?? 2};`,
    `pid ${place.dir}/nginx.pid;`,
    `error_log ${place.errorLog} ${options.level ?? 'info'};`,
    ASAN ? 'env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;' : '', // else lost in a binary upgrade
    text(options.main),
    `events { worker_connections 4096; ${text(options.events)} }`,
    'http {',
    '  access_log off;',
    ...temp.map((name) => `  ${name}_temp_path ${place.dir}/${name}_temp;`),
    text(options.http),
    '}',
    '',
  ].join('\n');
}

function command(place, ...args) {
  const before = logText(place).length;
  const run = spawnSync(NGINX, ['-p', place.dir, '-e', place.errorLog, '-c', place.conf, ...args], {
    env: environment(place),
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 30_000,
  });
  return { ...run, log: logText(place).slice(before) };
}

/** The environment that nginx of `place.dir` runs in: with the sanitizers' libraries if they are asked for. */
export function environment(place) {
  if (!ASAN) return process.env;
  const library = (name) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  return {
    ...process.env,
    LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
    ASAN_OPTIONS: `detect_leaks=0:log_path=${place.dir}/sanitizer`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${place.dir}/sanitizer`,
  };
}

const logText = (place) => (existsSync(place.errorLog) ? readFileSync(place.errorLog, 'utf8') : '');

/** A running nginx. Its processes change over reloads and upgrades; methods always look at /proc. */
export class Nginx {
  #place;
  #options;
  #killed = new Set();

  constructor(place, options) {
    this.#place = place;
    this.#options = options;
  }

  get dir() {
    return this.#place.dir;
  }

  get ports() {
    return this.#place.ports;
  }

  url(name = 'http', scheme = 'http') {
    return `${scheme}://127.0.0.1:${this.ports[name]}`;
  }

  /** The pid of the master named in nginx.pid, or 0. */
  master() {
    return pidIn(path.join(this.dir, 'nginx.pid'));
  }

  /** The pid of the old master while a binary upgrade is under way, or 0. */
  oldMaster() {
    return pidIn(path.join(this.dir, 'nginx.pid.oldbin'));
  }

  /** Pids of the workers of `master` that take new connections. */
  workers(master = this.master()) {
    return children(master).filter((pid) => commandLine(pid) === 'nginx: worker process');
  }

  /** Pids of the workers of `master` that finish what they have (after a reload). */
  exitingWorkers(master = this.master()) {
    return children(master).filter((pid) => commandLine(pid) === 'nginx: worker process is shutting down');
  }

  workerCount() {
    return Number(/worker_processes\s+(\d+)/.exec(readFileSync(this.#place.conf, 'utf8'))?.[1] ?? 1);
  }

  /** Writes another config of the same form as at the start (`changes` over the first options). */
  writeConfig(changes) {
    this.#options = { ...this.#options, ...changes };
    writeFileSync(this.#place.conf, configText(this.#place, this.#options));
  }

  /** HUP, without waiting for anything. */
  hup() {
    process.kill(this.master(), 'SIGHUP');
  }

  /** HUP, and wait until as many new workers take connections as the config says. */
  async reload() {
    const before = new Set(this.workers());
    this.hup();
    await waitUntil(
      () => {
        const now = this.workers();
        return now.length >= this.workerCount() && now.every((pid) => !before.has(pid));
      },
      15_000,
      `new workers after a reload; log:\n${this.errorLog().slice(-2000)}`,
    );
  }

  /** Sends a signal to one of nginx's processes and remembers it, for assertCleanLog. */
  kill(pid, signal = 'SIGKILL') {
    this.#killed.add(pid);
    process.kill(pid, signal);
  }

  /** Kills a worker with SIGKILL and waits until the master has another in its place. Returns the killed pid. */
  async killWorker(pid = this.workers()[0]) {
    this.kill(pid);
    await waitUntil(
      () => !alive(pid) && this.workers().length >= this.workerCount(),
      15_000,
      `a new worker in the place of ${pid}`,
    );
    return pid;
  }

  /** USR2: from here on two masters serve the same sockets. Returns {old, new}: their pids. */
  async upgradeBegin() {
    const old = this.master();
    process.kill(old, 'SIGUSR2');
    await waitUntil(
      () => this.oldMaster() === old && this.master() !== old && this.workers().length >= this.workerCount(),
      15_000,
      `a new master beside ${old}; log:\n${this.errorLog().slice(-2000)}`,
    );
    return { old, new: this.master() };
  }

  /** QUIT to the old master; waits `ms` until it and its workers ended. */
  async upgradeFinish(ms = 30_000) {
    const old = this.oldMaster();
    process.kill(old, 'SIGQUIT');
    await waitUntil(() => !alive(old), ms, `the end of the old master ${old}`);
  }

  /** The whole binary upgrade. */
  async upgrade() {
    await this.upgradeBegin();
    await this.upgradeFinish();
  }

  /** Ends every process of this nginx, gently at first. The directory stays until remove() or process exit. */
  async stop({ gently = 'SIGQUIT', ms = 3_000 } = {}) {
    for (const [signal, wait] of [[gently, ms], ['SIGTERM', 3_000], ['SIGKILL', 5_000]]) {
      for (const pid of signal === 'SIGKILL' ? this.processes() : [this.master(), this.oldMaster()]) {
        if (pid) signalIfAlive(pid, signal);
      }
      if (await waitUntil(() => this.processes().length === 0, wait).catch(() => false)) break;
    }
    assert.deepEqual(this.processes(), [], 'processes of nginx that outlived SIGKILL');
  }

  /** Every live process that has a file of our directory open: masters, workers, orphans. */
  processes() {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && commandLine(name).startsWith('nginx:'))
      .filter((pid) => openFiles(pid).includes(this.#place.errorLog))
      .map(Number);
  }

  /** Without waiting: what a process does for its children before it exits. */
  cleanUp() {
    this.processes().forEach((pid) => signalIfAlive(pid, 'SIGKILL'));
    if (process.env.POUROVER_KEEP !== '1') this.remove();
  }

  remove() {
    rmSync(this.dir, { recursive: true, force: true });
  }

  errorLog() {
    return logText(this.#place);
  }

  /**
   * Fails on every [alert], [emerg], death by signal and sanitizer report, but for the master's own lines about
   * pids that this test killed, and lines that match one of `allow` (regular expressions).
   */
  assertCleanLog(allow = []) {
    const bad = this.errorLog()
      .split('\n')
      .filter((line) => /\[alert\]|\[emerg\]|exited on signal|Sanitizer|runtime error:/.test(line))
      .filter((line) => !this.#isAboutKilled(line) && !allow.some((pattern) => pattern.test(line)));
    const reports = readdirSync(this.dir)
      .filter((name) => name.startsWith('sanitizer'))
      .map((name) => readFileSync(path.join(this.dir, name), 'utf8'));
    const found = [...bad, ...reports];
    assert.ok(found.length === 0, `${found.length} bad lines in error.log of ${this.dir}:\n${found.join('\n')}`);
  }

  #isAboutKilled(line) {
    const pid = /process (\d+) exited on signal|was locked by (\d+)/.exec(line);
    return pid !== null && this.#killed.has(Number(pid[1] ?? pid[2]));
  }
}

/** True for a live process that is no zombie. */
export function alive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function pidIn(file) {
  try {
    return Number(readFileSync(file, 'utf8').trim());
  } catch {
    return 0;
  }
}

function children(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').trim();
  } catch {
    return '';
  }
}

/** Where the open files of a process are; none for one that is gone. */
export function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkTarget(`/proc/${pid}/fd/${fd}`));
  } catch {
    return [];
  }
}

function linkTarget(link) {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // closed in the meantime
  }
}

function signalIfAlive(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // it ended in the meantime
  }
}
