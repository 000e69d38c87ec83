// A small world to release in: hosts that are folders with processes, routers before them, visitors, and ledgers.
//
//   const world = await ReleaseWorld.start(t, { datacenters: { west: 2, east: 2 } });
//   await world.install('1.0');
//   await world.startLoad();
//   const run = await world.machine.release('2.0').done;
//   const join = await world.assertNothingLost(t);
//
// Everything lives in one temporary folder, on ports of 127.0.0.1. What is started carries that folder in its command
// line or environment: by this it is found and ended, also what outlives the controller by design.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeVersion } from '../../examples/demo-service/make-version.mjs';
import { joinLedgers, parseServiceLedger } from './ledger.mjs';
import { startLoad } from './load.mjs';
import { alive, openFiles, startNginx } from './nginx.mjs';
import { fleetFile, releaseFile, routerConfig, sidecarConfig } from './release-files.mjs';
import { Machine } from './release-run.mjs';
import { freePort, waitUntil } from './wait.mjs';

const DEMO = fileURLToPath(new URL('../../examples/demo-service/', import.meta.url));

const DEFAULTS = {
  datacenters: { west: 2, east: 2 }, // hosts are west-1, west-2, east-1, ...
  routers: 1,
  sidecar: true, // an nginx on each host, through which the routers reach it
  slots: 1, // 2: copies beside each other, without a sidecar
  strategy: 'rolling',
  pool: undefined, // canary: names of the hosts of the pool; undefined: a copy beside
  grow: false,
  worker: false,
  cron: false,
  check: '100ms', // interval of the routers' checks
  overrides: {}, // put over release.yaml
};

const started = new Set();

/** Whatever happens, nothing that a world started outlives its test. */
function cleanUpAtExit(world) {
  if (started.size === 0) process.once('exit', () => started.forEach((each) => each.cleanUp()));
  started.add(world);
}

/** A host: its name, data center and ports; `ports` as fleet.yaml has them. */
class Host {
  constructor(name, dc, ports, track) {
    Object.assign(this, { name, dc, ports, track });
  }

  port(name, slot = 0) {
    const number = this.ports[name];
    return Array.isArray(number) ? number[slot] : number;
  }
}

export class ReleaseWorld {
  static async start(t, options = {}) {
    const world = new ReleaseWorld({ ...DEFAULTS, ...options });
    t?.after(() => world.stop());
    cleanUpAtExit(world);
    await world.#build();
    return world;
  }

  loads = [];
  countedBefore = 0; // requests at the first router before there were visitors
  #knocking = null;
  hosts = [];
  routers = [];
  #options;
  #machines = new Map();
  #stopped = false;

  constructor(options) {
    this.#options = options;
    this.dir = mkdtempSync(path.join(tmpdir(), 'pourover-world-'));
    this.asan = process.env.POUROVER_ASAN === '1';
    this.datacenters = Object.keys(options.datacenters);
    for (const name of ['sidecar', 'slots', 'strategy', 'pool', 'grow', 'worker', 'cron', 'check']) this[name] = options[name];
    if (this.slots === 2) this.sidecar = false;
  }

  async #build() {
    for (const folder of ['ledgers', 'hosts', 'sidecars', 'jobs', 'tests']) mkdirSync(path.join(this.dir, folder));
    cpSync(path.join(DEMO, 'tests'), path.join(this.dir, 'tests'), { recursive: true });
    cpSync(path.join(DEMO, 'echo.proto'), path.join(this.dir, 'echo.proto'));
    for (const [dc, count] of Object.entries(this.#options.datacenters)) {
      for (let i = 1; i <= count; i += 1) await this.#addHost(`${dc}-${i}`, dc);
    }
    if (this.sidecar) this.#makeCertificate();
    for (const host of this.hosts) this.#prepareHost(host);
    for (let i = 0; i < this.#options.routers; i += 1) await this.#startRouter(i ? `front-${i + 1}` : 'front');
    writeFileSync(path.join(this.dir, 'fleet.yaml'), fleetFile(this));
    this.write('release.yaml', this.#options.overrides);
  }

  async #addHost(name, dc) {
    const ports = { web: await freePort() };
    if (this.slots === 2) ports.web = [ports.web, await freePort()];
    if (this.sidecar) Object.assign(ports, { app: await freePort(), admin: await freePort() });
    mkdirSync(path.join(this.dir, 'hosts', name));
    this.hosts.push(new Host(name, dc, ports, 'stable'));
  }

  #makeCertificate() {
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=sidecar'];
    execFileSync('openssl', [...args, '-keyout', 'sidecar.key', '-out', 'sidecar.pem'], { cwd: this.dir, stdio: ['ignore', 'ignore', 'pipe'] });
  }

  #prepareHost(host) {
    mkdirSync(path.join(this.dir, 'jobs', host.name));
    if (!this.sidecar) return;
    const dir = path.join(this.dir, 'sidecars', host.name);
    mkdirSync(path.join(dir, 'state'), { recursive: true });
    writeFileSync(path.join(dir, 'nginx.conf'), sidecarConfig(this, host, dir));
  }

  async #startRouter(name) {
    const dir = path.join(this.dir, 'routers', name);
    mkdirSync(path.join(dir, 'state'), { recursive: true });
    const nginx = await startNginx({ dir, ports: ['http', 'h2', 'api'], level: 'notice', http: routerConfig(this) });
    this.routers.push({ name, nginx, api: `${nginx.url('api')}/pourover` });
  }

  /** Writes a release.yaml beside the world's own, with `overrides` over the world's fast profile. */
  write(file, overrides = {}) {
    writeFileSync(path.join(this.dir, file), releaseFile(this, overrides));
    return file;
  }

  /** Replaces the world's API tests; without a text it has its own again. */
  writeTests(text = readFileSync(path.join(DEMO, 'tests/api.yaml'), 'utf8')) {
    writeFileSync(path.join(this.dir, 'tests/api.yaml'), text);
  }

  /** Makes dist/VERSION; see make-version.mjs for faults. */
  make(version, fault = '') {
    return makeVersion(path.join(this.dir, 'dist'), version, fault);
  }

  /** Makes a version for both tracks of a train: dist/VERSION, and dist/VERSIONnext, which calls itself VERSION-next. */
  makeTrain(version) {
    this.make(version);
    makeVersion(path.join(this.dir, 'dist'), `${version}-next`, '', `${version}next`);
  }

  /** The machine that releases are made from, and others by name. */
  get machine() {
    return this.at('first');
  }

  at(name) {
    if (!this.#machines.has(name)) this.#machines.set(name, new Machine(this, name));
    return this.#machines.get(name);
  }

  /** Brings a version up on all hosts, before there are visitors. */
  async install(version, fault = '') {
    this.make(version, fault);
    const file = this.write('install.yaml', {
      strategy: 'rolling',
      canary: undefined,
      swap: 'in-place',
      rolling: { batch: this.hosts.length, keep_up: { total: '0%', per_datacenter: 0 }, soak: '0s' },
      migrate: undefined,
      hooks: undefined,
    });
    const run = await this.machine.release(version, { file });
    this.#knock();
    await run.done;
    assert.equal(run.code, 0, run.told());
    await this.untilUp();
  }

  /** Somebody asks for a page now and then, uncounted: a host that joins is proved sooner when it is sent something. */
  #knock() {
    this.#knocking ??= setInterval(() => {
      for (const { nginx } of this.routers) fetch(nginx.url('http')).then((answer) => answer.text()).catch(() => {});
    }, 40);
  }

  async #stopKnocking() {
    clearInterval(this.#knocking);
    this.#knocking = null;
    const quiet = async () => {
      const { tracks } = await this.ask();
      return tracks.stable.in_flight + tracks.canary.in_flight === 0;
    };
    await waitUntil(quiet, 5_000, 'the last knock');
    const { tracks } = await this.ask(undefined, '/stats');
    this.countedBefore = tracks.stable.requests + tracks.canary.requests;
  }

  /** Waits until every router has every host of `hosts` up. */
  async untilUp(hosts = this.hosts) {
    for (const router of this.routers) {
      const up = async () => {
        const { peers } = await this.ask(router);
        return hosts.every((host) => this.peersOf(host, peers).some(({ health, state }) => health === 'up' && state === 'ready'));
      };
      await waitUntil(up, 20_000, `all of ${hosts.map(({ name }) => name)} up at ${router.name}`);
    }
  }

  peersOf(host, peers) {
    const addresses = [0, 1].map((slot) => `127.0.0.1:${host.port('web', slot)}`);
    return peers.filter(({ address }) => addresses.includes(address));
  }

  host(name) {
    return this.hosts.find((host) => host.name === name);
  }

  /** What a router says about the service: `what` is '' or '/stats'. */
  async ask(router = this.routers[0], what = '') {
    const answer = await fetch(`${router.api}/v1/services/shop${what}`);
    if (!answer.ok) throw new Error(`${router.name} answered ${answer.status} to GET v1/services/shop${what}`);
    return answer.json();
  }

  /** A call that changes something at a router, behind the release's back. */
  async order(method, what, body, router = this.routers[0]) {
    const options = { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(`${router.api}/v1/services/shop${what}`, options);
    assert.ok(answer.ok, `${method} ${what}: ${answer.status} ${await answer.text()}`);
  }

  async share() {
    return (await this.ask()).split.share_ppm;
  }

  /** The version that a host's slot answers with, '' when nothing does. Asked beside the routers. */
  async version(host, slot = 0) {
    const port = host.port(this.sidecar ? 'app' : 'web', slot);
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/version`, { signal: AbortSignal.timeout(3_000) });
      return (await answer.json()).version;
    } catch {
      return '';
    }
  }

  /** Pids of runners (which outlive the controller) whose folder has this in its name; what they run dies with them. */
  runners(what) {
    const line = (pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    const pids = this.processes().filter((pid) => line(pid).includes('process-runner') && line(pid).includes(what));
    assert.ok(pids.length > 0, `no runner of ${what}`);
    return pids;
  }

  /** When the newest process of a host whose command line has `file` was started, in ticks since the machine's start. */
  startedAt(host, file) {
    const of = (pid, what) => readFileSync(`/proc/${pid}/${what}`, 'latin1');
    const times = this.processes()
      .filter((pid) => of(pid, 'cmdline').includes(file) && of(pid, 'environ').includes(`DEMO_HOST=${host}\0`))
      .map((pid) => Number(of(pid, 'stat').split(') ')[1].split(' ')[19]));
    assert.ok(times.length > 0, `no ${file} runs on ${host}`);
    return Math.max(...times);
  }

  /** Everything that two releases with the same end have to have in common. */
  async state() {
    const routers = {};
    for (const router of this.routers) {
      const { split, peers } = await this.ask(router);
      routers[router.name] = { share_ppm: split.share_ppm };
      for (const host of this.hosts) {
        const seen = this.peersOf(host, peers).map(({ address, track, state }) => `${this.nameOf(address)} ${track} ${state}`);
        routers[router.name][host.name] = seen.sort();
      }
    }
    const hosts = {};
    for (const host of this.hosts) {
      const slots = this.slots === 2 ? [0, 1] : [0];
      hosts[host.name] = { versions: (await Promise.all(slots.map((slot) => this.version(host, slot)))).filter(Boolean) };
      if (this.sidecar) hosts[host.name].failing = await this.failing(host);
    }
    return { hosts, routers };
  }

  /** Whether a host's sidecar fails by command; null when it does not answer. */
  async failing(host) {
    try {
      const answer = await fetch(`http://127.0.0.1:${host.port('admin')}/pourover/v1/status`, { signal: AbortSignal.timeout(3_000) });
      return (await answer.json()).healthcheck.failing;
    } catch {
      return null;
    }
  }

  /** 'west-1 web' for 127.0.0.1:17001; texts that stay the same when ports do not. */
  nameOf(address) {
    for (const host of this.hosts) {
      for (const [name, ports] of Object.entries(host.ports)) {
        const slot = [ports].flat().findIndex((port) => address === `127.0.0.1:${port}`);
        if (slot >= 0) return `${host.name} ${name}${slot ? ' b' : ''}`;
      }
    }
    return address;
  }

  /** Starts visitors at every router. Options: those of load.mjs; the rate is that of all together. */
  async startLoad({ rate = 150, ...options } = {}) {
    await this.#stopKnocking();
    this.loads = this.routers.map(({ nginx: { ports } }, i) => startLoad({
      target: { http: `127.0.0.1:${ports.http}`, h2: `127.0.0.1:${ports.h2}` },
      host: 'shop.example',
      run: `load${i || ''}`,
      connections: 32,
      sessions: 4,
      visitors: 1000,
      rate: rate / this.routers.length,
      seed: i + 1,
      ...options,
    }));
    return this.loads[0];
  }

  /** Waits until `n` more requests have been answered. */
  async untilAnswered(n = 50) {
    const answered = () => this.loads.reduce((sum, load) => sum + load.stats().answered, 0);
    const before = answered();
    await waitUntil(() => answered() >= before + n, 30_000, `${n} answers to visitors`);
  }

  /** Texts of the hosts' ledgers. */
  ledgers(kind = 'web') {
    const dir = path.join(this.dir, 'ledgers');
    return readdirSync(dir).filter((name) => name.startsWith(`${kind}.`)).sort().map((name) => readFileSync(path.join(dir, name), 'utf8'));
  }

  /** Lines of JSON that the workers, the clock or the migration wrote, in the order of time. */
  told(kind) {
    const lines = this.ledgers(kind).flatMap((text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line)));
    return lines.sort((a, b) => a.at - b.at);
  }

  /** Lines of visitors' requests that hosts answered: {number, at, version, host, ...}, in the order of time. */
  served() {
    const lines = this.ledgers().flatMap(parseServiceLedger).filter(({ number }) => /^load\d*\./.test(number));
    return lines.sort((a, b) => a.at - b.at);
  }

  /** How many visitors' requests a host answered in a time. */
  servedBetween(host, from, to) {
    assert.ok(from < to, `a time that ends before it begins: ${from} to ${to}`);
    return this.served().filter((line) => line.host === host && line.at > from && line.at < to).length;
  }

  /** When which host served which version, one line a host. */
  timeline() {
    const served = this.served();
    const start = served[0]?.at ?? 0;
    const seconds = (at) => ((at - start) / 1000).toFixed(1);
    const text = ({ version, from, to, n }) => `${version} ${seconds(from)}-${seconds(to)} s (${n})`;
    return this.hosts.map(({ name }) => {
      const spans = [];
      for (const { host, version, at } of served) {
        if (host !== name) continue;
        const last = spans.findLast((span) => span.version === version);
        if (last && (last === spans.at(-1) || this.slots === 2)) Object.assign(last, { to: at, n: last.n + 1 });
        else spans.push({ version, from: at, to: at, n: 1 });
      }
      return `${name}: ${spans.map(text).join(', ') || 'nothing'}`;
    });
  }

  /** Ends the load and joins its ledgers with the services': one join a router. */
  async joinUp() {
    const ledgers = await Promise.all(this.loads.map((load) => load.stop()));
    const join = () => ledgers.map((ledger) => joinLedgers(ledger, this.ledgers()));
    await waitUntil(() => join().every(({ answeredUnserved }) => answeredUnserved.length === 0), 3_000).catch(() => {});
    return join();
  }

  /** Every request of every visitor was answered in full, and both sides wrote down the same. */
  async assertNothingLost(t) {
    const joins = await this.joinUp();
    for (const join of joins) {
      const { sent, answered, failed, resent, versions } = join;
      const by = Object.entries(versions).map(([version, of]) => `${version}: ${of.answered}`).join(', ');
      t.diagnostic(`${answered} of ${sent} requests answered, ${failed} failed, ${resent} resent; by ${by}`);
    }
    for (const line of this.timeline()) t.diagnostic(line);
    for (const join of joins) {
      assert.deepEqual(join.failures, {});
      assert.equal(join.answered, join.sent);
      assert.ok(join.answered > 0, 'a load that sent nothing proves nothing');
      const { servedTwice, answeredUnserved, contradicted, servedUnanswered } = join;
      assert.deepEqual({ servedTwice, answeredUnserved, contradicted, servedUnanswered },
        { servedTwice: [], answeredUnserved: [], contradicted: [], servedUnanswered: [] });
    }
    return joins;
  }

  /** Visitors who went from `from` to `to`, before a time. */
  moves(from, to, before = Infinity) {
    return this.loads.flatMap(({ visitors }) => visitors.moves).filter((move) => move.from === from && move.to === to && move.at < before);
  }

  /** Ends everything, gently where a log is judged afterwards. */
  async stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#knocking);
    for (const load of this.loads) load.abort();
    for (const machine of this.#machines.values()) machine.cleanUp();
    for (const { nginx } of this.routers) await nginx.stop();
    await this.#killAll();
    for (const { nginx } of this.routers) nginx.assertCleanLog();
    this.#assertCleanSidecars();
    if (process.env.POUROVER_KEEP !== '1') rmSync(this.dir, { recursive: true, force: true });
  }

  /** Without waiting: what a process does before it exits. */
  cleanUp() {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#knocking);
    for (const load of this.loads) load.abort();
    for (const machine of this.#machines.values()) machine.cleanUp();
    for (const { nginx } of this.routers) nginx.cleanUp();
    for (const pid of this.processes()) kill(pid);
    if (process.env.POUROVER_KEEP !== '1') rmSync(this.dir, { recursive: true, force: true });
  }

  /** Pids of all processes that have the world's folder in their command line or environment, or a file of it open. */
  processes() {
    const mentions = (pid, file) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(this.dir);
      } catch {
        return false; // ended, or not ours
      }
    };
    const opens = (pid) => openFiles(pid).some((file) => file.startsWith(`${this.dir}/`));
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && alive(pid));
    return pids.filter((pid) => mentions(pid, 'cmdline') || mentions(pid, 'environ') || opens(pid));
  }

  async #killAll() {
    await waitUntil(() => {
      const pids = this.processes();
      for (const pid of pids) kill(pid);
      return pids.length === 0;
    }, 10_000, `the end of all processes of ${this.dir}`);
  }

  #assertCleanSidecars() {
    for (const { name } of this.sidecar ? this.hosts : []) {
      const log = path.join(this.dir, 'sidecars', name, 'error.log');
      const bad = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter((line) => /\[emerg\]|Sanitizer|runtime error:|signal 11/.test(line)) : [];
      assert.deepEqual(bad, [], `bad lines in ${log}`);
    }
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended in the meantime
  }
}
