// The demo: an old and a new version of a service behind nginx with pourover, visitors who keep coming back, and the
// share of the new version walked from 0 to 100 % by `pourover router walk`; then back to 0. Everything on loopback.
// All figures are measured: by the client, by the services' logs and by the router, which have to agree.
// Exit 1 when a request failed, a visitor flipped back while the share rose, or somebody remained on the new version.

import { spawn } from 'node:child_process';
import path from 'node:path';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinLedgers } from '../tests/support/ledger.mjs';
import { BUILD_DIR } from '../tests/support/nginx.mjs';
import { waitUntil } from '../tests/support/wait.mjs';
import { count, Screen } from './demo-screen.mjs';
import { NEW, OLD, World } from './demo-world.mjs';

const PROGRAM = process.env.POUROVER ?? path.join(BUILD_DIR, 'src/cli/pourover');
const STAGES = '0,0.1%,1%,10%,50%,100%';
const DWELL = process.env.DWELL ?? '8s';
const LOAD = { rate: 700, visitors: 20_000, heavy: 0.25, mix: { http1: 0.7, h2: 0.15, grpc: 0.15 } };
const LOOK_MS = 50;
const LOOKS_A_DRAW = 5;

const screen = new Screen();
const world = new World();
const began = Date.now();
let verdict = null; // the exit code, once it is known

/** Runs the program; `onLine` gets each line it prints. Resolves to its exit code. */
function pourover(args, onLine) {
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const withoutDate = (line) => onLine(line.replace(/^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\S*/, '$1'));
  for (const stream of [child.stdout, child.stderr]) readline.createInterface({ input: stream }).on('line', withoutDate);
  process.once('exit', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      onLine(error.message);
      resolve(127);
    });
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
}

const sent = () => world.load.ledger.entries.length;

/** One row of the table: the requests sent while the share was this one, from now until the number given to end(). */
class Stage {
  #first = sent();
  #end;

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

const shareOf = async () => (await world.ask()).split.share_ppm;

/**
 * The walk, with a row for each share that the router shows. Requests sent between the last look that showed one share
 * and the first that showed the next could have been cut by either: they are in no row.
 */
async function walk() {
  const tail = [];
  let code = null;
  const visit = `http://127.0.0.1:${world.nginx.ports.http}/`;
  const args = ['router', 'walk', '--router', world.router, '--visit', visit, '--service', 'shop'];
  const ended = pourover([...args, '--stages', STAGES, '--dwell', DWELL], (line) => {
    tail.push(line);
    screen.told(line);
  }).then((result) => {
    code = result;
  });
  let share = 0;
  let stage = new Stage('0 %');
  for (let looks = 0, certain = 0; code === null; looks += 1) {
    const before = sent();
    const now = await shareOf();
    if (now === share) certain = before;
    else {
      stage.end(certain);
      await sleep(LOOK_MS); // for the last answers of this stage
      screen.finish(stage);
      share = now;
      stage = new Stage(`${share / 1e4} %`);
    }
    if (looks % LOOKS_A_DRAW === 0) screen.draw(stage, tail.at(-1) ?? 'pourover router walk begins');
    await Promise.race([ended, sleep(LOOK_MS)]);
  }
  stage.end(sent());
  screen.finish(stage);
  return { code, tail, share };
}

/** Back to 0: everybody who was on the new version is made to come once more. */
async function lower() {
  const lowered = { began: Date.now(), canary: 0 };
  lowered.code = await pourover(['router', 'set', '0', '--router', world.router, '--service', 'shop'], (line) => {
    screen.told(line);
  });
  lowered.at = Date.now();
  const { visitors } = world.load;
  const stage = new Stage('0 %');
  lowered.canary = visitors.lastOn(NEW).length;
  const deadline = Date.now() + 40_000;
  for (let left = lowered.canary; left > 0 && Date.now() < deadline; left = visitors.lastOn(NEW).length) {
    if (NEW in stage.versions) break; // somebody got the new version although the share is 0
    if (visitors.waiting === 0) visitors.call(visitors.lastOn(NEW));
    screen.draw(stage, `${count(lowered.canary - left)} of ${count(lowered.canary)} who were on ${NEW} are back on ${OLD}`);
    await sleep(LOOK_MS * LOOKS_A_DRAW);
  }
  stage.end(sent());
  screen.finish(stage);
  lowered.remained = visitors.lastOn(NEW).length;
  return lowered;
}

/** Whether the router counted as many requests a track as the client got answers of the version. */
async function routerCounts(join) {
  const answered = (version) => join.versions[version]?.answered ?? 0;
  const ours = `${count(answered(OLD))} to stable, ${count(answered(NEW))} to the canary`;
  const theirs = async () => {
    const { stable, canary } = (await world.ask('/stats')).tracks;
    return `${count(stable.requests)} to stable, ${count(canary.requests)} to the canary`;
  };
  const same = await waitUntil(async () => (await theirs()) === ours, 3_000).catch(() => false);
  return { same, ours, theirs: await theirs() };
}

async function judge(walked, lowered) {
  const { moves } = world.load.visitors;
  const ledger = await world.load.stop();
  await waitUntil(() => joinLedgers(ledger, world.ledgers()).answeredUnserved.length === 0, 3_000).catch(() => {});
  const join = joinLedgers(ledger, world.ledgers());
  const router = await routerCounts(join);
  const flips = moves.filter(({ at, to }) => to === OLD && at < lowered.began).length;
  const late = ledger.entries.filter(({ sentAt, version }) => sentAt > lowered.at && version === NEW).length;
  const odd = join.servedTwice.length + join.servedUnanswered.length + join.answeredUnserved.length + join.contradicted.length;
  const versions = [OLD, NEW].map((version) => count(join.versions[version]?.answered ?? 0));
  const kinds = ['http1', 'h2', 'grpc'].map((kind) => count(join.kinds[kind]?.answered ?? 0));
  const seen = new Set(ledger.entries.map(({ visitor }) => visitor)).size;

  screen.say();
  screen.title(`  ${count(join.sent)} requests by ${count(seen)} visitors in ${Math.round((Date.now() - began) / 1000)} s`);
  screen.say(`       HTTP/1.1 ${kinds[0]}, HTTP/2 ${kinds[1]}, gRPC ${kinds[2]}; answered by ${OLD}: ${versions[0]}, by ${NEW}: ${versions[1]}`);
  screen.say(`       besides, ${count(join.unnumbered)} visits of the walk's own test visitors, counted apart`);
  screen.say();
  const checks = [
    [walked.code === 0 && walked.share === 1e6, `walked, and proved by test visitors, at ${STAGES.replaceAll(',', ', ')}`],
    [join.failed === 0 && join.open === 0, `${count(join.answered)} of ${count(join.sent)} requests answered in full; ${join.failed} failed, ${join.resent} resent`],
    [odd === 0, `client and services wrote down the same, request by request (${odd} differ)`],
    [router.same, `the router counted the same: ${router.theirs}`],
    [flips === 0, `nobody flipped back while the share rose (${flips} did)`],
    [
      lowered.code === 0 && lowered.remained === 0 && late === 0,
      `all ${count(lowered.canary)} who were on ${NEW} came back to ${OLD} after the share was 0 (${lowered.remained} remained)`,
    ],
    [cleanLog(), "no alert in nginx's log"],
  ];
  for (const [ok, line] of checks) screen.verdict(ok, line);
  if (!router.same) screen.say(`       client and services: ${router.ours}`);
  for (const [why, times] of Object.entries(join.failures)) screen.say(`       ${times} failed: ${why}`);
  if (walked.code !== 0) walked.tail.slice(-8).forEach((line) => screen.say(`       walk: ${line}`));
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
  const peers = (version) => world.peers.filter((peer) => peer.version === version).map((peer) => peer.host);
  screen.say();
  screen.title('  pourover: a new version, visitor by visitor');
  screen.say(`  ${OLD} on ${peers(OLD).join(', ')}; ${NEW} on ${peers(NEW).join(', ')}; nginx with pourover before them`);
  screen.say(`  ${LOAD.rate} requests a second, HTTP/1.1, HTTP/2 and gRPC, by up to ${count(LOAD.visitors)} visitors who come back`);
}

async function keepRunning() {
  screen.say('  Left running:');
  for (const [what, where] of Object.entries(world.addresses)) screen.say(`    ${what.padEnd(27)} ${where}`);
  screen.say(`    try                         ${PROGRAM} router set 50% --router ${world.router}`);
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
  await world.start();
  introduce();
  world.startLoad(LOAD);
  const walked = await walk();
  verdict = (await judge(walked, await lower())) ? 0 : 1;
  if (process.env.KEEP === '1') await keepRunning();
  process.exit(verdict);
} catch (error) {
  screen.say(`tools/demo: ${error.message}`);
  process.exit(1);
}
