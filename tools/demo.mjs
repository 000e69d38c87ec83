// The demo: releases of a small service on four hosts, under visitors who keep coming back. A rolling release; a version
// that is broken, found by its API test; the way back; a canary from 0 to 100 %. Everything on loopback.
// All figures are measured: by the client, by the services' ledgers and by the router, which have to agree.
// Exit 1 when a request failed, a visitor saw the broken version or flipped back while the share rose.

import { setTimeout as sleep } from 'node:timers/promises';
import { waitUntil } from '../tests/support/wait.mjs';
import { count, Screen } from './demo-screen.mjs';
import { STAGES, World } from './demo-world.mjs';

const [FIRST, SECOND, BROKEN, CANARY] = ['1.0', '1.1', '1.2', '2.0'];
const LOAD = { rate: 300, connections: 64, visitors: 10_000, heavy: 0.25, mix: { http1: 0.7, h2: 0.15, grpc: 0.15 } };
const LOOK_MS = 50;
const LOOKS_A_DRAW = 3;

const screen = new Screen();
const world = new World();
const began = Date.now();
let verdict = null; // the exit code, once it is known

const sent = () => world.load.ledger.entries.length;
const clock = (at) => new Date(at).toTimeString().slice(0, 8);

/** What each host does, as pourover's events tell it. */
class Hosts {
  #of;

  constructor(version) {
    this.#of = new Map(world.hosts.map(({ name }) => [name, { name, version, doing: 'serves' }]));
  }

  get list() {
    return [...this.#of.values()];
  }

  event({ host, step, status }, version) {
    const of = this.#of.get(host);
    if (!of) return;
    if (step === 'start' && status === 'done') of.version = version;
    if (step === 'shut' && status === 'done') Object.assign(of, { version: '', doing: 'out' });
    else if (status === 'running') of.doing = step;
    else if (status === 'broken') of.doing = `${step} failed`;
    else if (['join', 'soak', 'track'].includes(step) && status === 'done') of.doing = 'serves';
  }
}

const head = (text) => text.split('\n')[0];

function line({ event, host, step, status, state, text, took_ms: took, share_ppm: share }) {
  if (event === 'step' && status !== 'running') return `${host || '-'} ${step} ${status}${took ? `, ${took} ms` : ''}${text ? `: ${head(text)}` : ''}`;
  if (event === 'mode') return `${state}${text ? `: ${head(text)}` : ''}`;
  if (event === 'share') return `share ${share / 1e4} %`;
  return '';
}

/** Runs pourover to its end with the block of hosts; `look` is called at each look and may return a stage to show. */
async function perform(hosts, args, version, { file, look = () => null } = {}) {
  const run = world.pourover([...args, '--yes'], file);
  let over = false;
  run.done.then(() => { over = true; });
  let seen = 0;
  let last = `pourover ${args.join(' ')}`;
  for (let looks = 0; ; looks += 1) {
    const end = over;
    for (; seen < run.events.length; seen += 1) {
      const event = run.events[seen];
      if (event.event === 'step') hosts.event(event, version);
      const text = line(event);
      if (!text) continue;
      last = `${clock(event.seenAt)} ${text}`;
      screen.told(last);
    }
    const stage = await look();
    if (looks % LOOKS_A_DRAW === 0) screen.draw(hosts.list, last, stage);
    if (end) break;
    await Promise.race([run.done, sleep(LOOK_MS)]);
  }
  screen.draw([], '');
  if (run.err && run.code !== 1) for (const each of run.err.trimEnd().split('\n')) screen.told(each);
  return run;
}

/** One row of the table: the requests sent while the share was this one, from now until the number given to end(). */
class Stage {
  #first = sent();
  #end;
  old = SECOND;
  fresh = CANARY;

  constructor(label) {
    this.label = label;
  }

  end(number) {
    this.#end = number;
  }

  get versions() {
    return world.load.ledger.measure(this.#first, this.#end);
  }
}

/**
 * The rows of the walk, one for each share that the router shows until it falls again. Requests sent between the last
 * look that showed one share and the first that showed the next could have been cut by either: they are in no row.
 */
class Walk {
  shares = [];
  topAt = 0;
  #stage = null;
  #certain = 0;
  #over = false;

  async look() {
    if (this.#over) return null;
    const before = sent();
    const now = await world.share();
    const share = this.shares.at(-1) ?? -1;
    if (now === share) this.#certain = before;
    else await this.#next(now, share);
    return this.#stage;
  }

  async #next(now, share) {
    if (this.#stage) {
      this.#stage.end(this.#certain);
      await sleep(LOOK_MS); // for the last answers of this stage
      screen.finish(this.#stage);
    }
    this.#over = now < share;
    this.#stage = this.#over ? null : new Stage(`${now / 1e4} %`);
    this.#certain = sent();
    if (this.#over) this.topAt = Date.now();
    else this.shares.push(now);
  }
}

/** How many visitors a host answered while it was out: from the end of its leave until it was tested. */
function whileOut(run) {
  let visitors = 0;
  const served = world.served();
  for (const { name } of world.hosts) {
    const [from, to] = [run.at(name, 'leave', 'done'), run.at(name, 'test', 'done') ?? run.at(name, 'test', 'broken')];
    if (from && to) visitors += served.filter(({ host, at }) => host === name && at > from && at < to).length;
  }
  return visitors;
}

async function acts() {
  const result = { walk: new Walk() };
  world.make(SECOND);
  screen.title(`  1  a rolling release: ${FIRST} to ${SECOND}, host by host`);
  result.rolling = await perform(new Hosts(FIRST), ['release', SECOND], SECOND);
  screen.say(`     exit ${result.rolling.code} after ${seconds(result.rolling)}; ${failedSoFar()}`);
  screen.say();

  world.make(BROKEN, 'say');
  screen.title(`  2  a version that is broken: ${BROKEN}, whose health check is fine`);
  const hosts = new Hosts(SECOND);
  result.broken = await perform(hosts, ['release', BROKEN], BROKEN);
  for (const each of (await world.told(['status'])).trimEnd().split('\n')) screen.say(`     ${each}`);
  screen.say(`     exit ${result.broken.code} after ${seconds(result.broken)}; ${failedSoFar()}`);
  screen.say();

  screen.title('  3  the way back');
  result.back = await perform(hosts, ['rollback'], SECOND);
  screen.say(`     exit ${result.back.code} after ${seconds(result.back)}; ${failedSoFar()}`);
  screen.say();

  world.make(CANARY);
  screen.title(`  4  a canary: ${SECOND} to ${CANARY}, visitor by visitor`);
  screen.head(SECOND, CANARY);
  result.canary = await perform(new Hosts(SECOND), ['release', CANARY], CANARY, { file: 'canary.yaml', look: () => result.walk.look() });
  screen.say(`     exit ${result.canary.code} after ${seconds(result.canary)}; ${failedSoFar()}`);
  const from = sent();
  await waitUntil(() => sent() > from + LOAD.rate, 10_000, 'a second of visitors');
  result.last = from;
  return result;
}

const seconds = (run) => `${((run.endedAt - run.startedAt) / 1000).toFixed(1)} s`;

function failedSoFar() {
  const { answered, failed } = world.load.stats();
  return `${count(answered)} requests answered so far, ${failed} failed`;
}

/** Whether the router counted as many requests as the client sent. */
async function routerCounts(join) {
  const same = await waitUntil(async () => (await world.counted()) === join.sent, 3_000).catch(() => false);
  return { same: same === true, theirs: await world.counted() };
}

async function judge({ rolling, broken, back, canary, walk, last }) {
  const { moves } = world.load.visitors;
  const { ledger } = world.load;
  const join = await world.joinUp();
  const router = await routerCounts(join);
  const top = walk.topAt || Date.now();
  const flips = moves.filter(({ at, from }) => from === CANARY && at < top).length;
  const late = ledger.entries.slice(last).filter(({ version }) => version !== CANARY).length;
  const odd = join.servedTwice.length + join.servedUnanswered.length + join.answeredUnserved.length + join.contradicted.length;
  const sawBroken = join.versions[BROKEN]?.answered ?? 0;
  const wanted = STAGES.map((each) => parseFloat(each) * 1e4);
  const versions = await Promise.all(world.hosts.map((host) => world.version(host)));
  const out = [rolling, broken, back, canary].reduce((sum, run) => sum + whileOut(run), 0);
  const kinds = ['http1', 'h2', 'grpc'].map((kind) => count(join.kinds[kind]?.answered ?? 0));
  const seen = new Set(ledger.entries.map(({ visitor }) => visitor)).size;

  screen.say();
  screen.title(`  ${count(join.sent)} requests by ${count(seen)} visitors in ${Math.round((Date.now() - began) / 1000)} s`);
  screen.say(`       HTTP/1.1 ${kinds[0]}, HTTP/2 ${kinds[1]}, gRPC ${kinds[2]}`);
  for (const each of world.timeline()) screen.say(`       ${each}`);
  screen.say(`       besides, ${count(join.unnumbered)} requests of API tests and of test visitors, counted apart`);
  screen.say();
  const checks = [
    [rolling.code === 0, `released ${SECOND} host by host`],
    [broken.code === 1 && sawBroken === 0, `halted ${BROKEN} at its API test; ${sawBroken} visitors saw it`],
    [back.code === 0, `rolled back to ${SECOND}`],
    [canary.code === 0 && wanted.every((share) => walk.shares.includes(share)), `walked ${CANARY} at ${STAGES.join(', ')}`],
    [join.failed === 0 && join.open === 0, `${count(join.answered)} of ${count(join.sent)} requests answered in full; ${join.failed} failed, ${join.resent} resent`],
    [odd === 0, `client and services wrote down the same, request by request (${odd} differ)`],
    [router.same, `the router counted the same: ${count(router.theirs)}`],
    [out === 0, `nobody was sent to a host between leave and join (${out} were)`],
    [flips === 0, `nobody flipped back while the share rose (${flips} did)`],
    [versions.every((version) => version === CANARY) && late === 0, `all hosts and all visitors ended on ${CANARY} (${late} did not)`],
    [cleanLog(), "no alert in nginx's log"],
  ];
  for (const [ok, text] of checks) screen.verdict(ok, text);
  for (const [why, times] of Object.entries(join.failures)) screen.say(`       ${times} failed: ${why}`);
  for (const [run, code] of [[rolling, 0], [broken, 1], [back, 0], [canary, 0]]) {
    if (run.code !== code) run.told().trimEnd().split('\n').slice(-12).forEach((each) => screen.say(`       ${each}`));
  }
  screen.say();
  return checks.every(([ok]) => ok);
}

function cleanLog() {
  try {
    world.nginx.assertCleanLog();
    return true;
  } catch (error) {
    screen.say(error.message);
    return false;
  }
}

function introduce() {
  screen.say();
  screen.title('  pourover: releases that nobody notices');
  screen.say(`  ${FIRST} on ${world.hosts.map(({ name }) => name).join(', ')}: an NGINX beside each, one with pourover in front`);
  screen.say(`  ${LOAD.rate} requests a second, HTTP/1.1, HTTP/2 and gRPC, by up to ${count(LOAD.visitors)} visitors who come back`);
  screen.say();
}

async function keepRunning() {
  screen.say('  Left running:');
  for (const [what, where] of Object.entries(world.addresses)) screen.say(`    ${what.padEnd(27)} ${where}`);
  screen.say(`    try                         cd ${world.dir} && ${world.command} pourover status`);
  screen.say(`  Ctrl-C, or kill ${process.pid}, ends it.`);
  await new Promise(() => setInterval(() => {}, 1 << 30));
}

process.once('exit', () => {
  world.cleanUp();
  screen.close();
});
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  process.prependListener(signal, () => {
    screen.say('  Ended by a signal; everything that was started is stopped.');
    process.exit(verdict ?? code);
  });
}

try {
  await world.start(FIRST);
  introduce();
  await world.startLoad(LOAD);
  verdict = (await judge(await acts())) ? 0 : 1;
  if (process.env.KEEP === '1') await keepRunning();
  process.exit(verdict);
} catch (error) {
  screen.say(`tools/demo: ${error.stack}`);
  process.exit(1);
}
