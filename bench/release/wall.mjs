// Wall time of a rolling release, and what of it nobody could save: two data centers, four hosts, sidecars, visitors.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { slowTests } from '../../tests/support/release-cases.mjs';
import { PROGRAM } from '../../tests/support/program.mjs';
import { ReleaseWorld } from '../../tests/support/release-world.mjs';
import { freePort } from '../../tests/support/wait.mjs';

const RISE = 2; // of the world's routers
const ALONE = 2; // how often a part is measured by itself before each release
const VISITORS = { rate: 50 };

/** What takes its time in a release: as services do, and next to nothing, so that only the machinery is left. */
export const PROFILES = {
  realistic: { startMs: 3000, testMs: 1200, soakMs: 5000, checkMs: 1000 },
  fast: { startMs: 0, testMs: 0, soakMs: 300, checkMs: 100 },
};

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const sum = (values) => values.reduce((all, value) => all + value, 0);

async function repeated(measure) {
  const values = [];
  for (let i = 0; i < ALONE; i += 1) values.push(await measure());
  return values;
}

/** Starts the service by itself, until it answers, and stops it: {start, stop} in ms. */
async function startAlone(folder, startMs) {
  const port = await freePort();
  const env = { ...process.env, DEMO_PORT: String(port), DEMO_START_MS: String(startMs) };
  const began = performance.now();
  const child = spawn(process.execPath, [path.join(folder, 'service.mjs'), '--until-eof'], { env, stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const answers = () => fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => ok, () => false);
  while (!(await answers())) await sleep(2);
  const start = performance.now() - began;
  const told = performance.now();
  child.kill('SIGTERM');
  await ended;
  return { start, stop: performance.now() - told };
}

/** The API tests by themselves, against a host that serves, without the program's start: ms. */
function testAlone(world) {
  return new Promise((resolve, reject) => {
    const target = `127.0.0.1:${world.hosts[0].port('app')}`;
    const child = spawn(PROGRAM, ['test', 'tests/api.yaml', '--target', target, '--jobs', '4', '--json', '-'], { cwd: world.dir, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.once('close', (code) => (code ? reject(new Error(`the tests alone: exit ${code}\n${out}`)) : resolve(JSON.parse(out).totals.took_us / 1000)));
  });
}

/** Looks, beside the release, how long after a host may be well again the router finds it up; end() has it by host. */
function watchChecks(world) {
  const seen = new Map(world.hosts.map(({ name }) => [name, {}]));
  let over = false;
  const flags = setInterval(() => {
    for (const host of world.hosts) {
      const of = seen.get(host.name);
      const failing = existsSync(path.join(world.dir, 'sidecars', host.name, 'fail'));
      if (of.failing && !failing) Object.assign(of, { well: performance.now(), up: undefined });
      of.failing = failing;
    }
  }, 5);
  const asking = (async () => {
    while (!over) {
      const asked = performance.now();
      const { peers } = await world.ask();
      for (const host of world.hosts) {
        const of = seen.get(host.name);
        const up = world.peersOf(host, peers).some(({ health }) => health === 'up');
        if (up && of.well !== undefined && of.well < asked) of.up ??= asked;
      }
      await sleep(20);
    }
  })();
  return async function end() {
    over = true;
    clearInterval(flags);
    await asking;
    return [...seen.values()].map(({ well, up }) => up - well);
  };
}

/** What a release's steps say of its time. */
export function stepsOf(run) {
  const steps = run.events.filter(({ event, status }) => event === 'step' && status === 'done');
  const by = {};
  for (const { step, took_ms: took } of steps) (by[step] ??= []).push(took);
  return by;
}

async function measured(world, version, profile, alone) {
  const endWatch = watchChecks(world);
  const began = performance.now();
  const run = world.machine.release(version);
  let wall;
  run.child.once('exit', () => { wall = performance.now() - began; });
  await run.done;
  const checks = await endWatch();
  assert.equal(run.code, 0, run.told());
  const by = stepsOf(run);
  const capped = (took, limit) => sum(took.map((ms) => Math.min(ms, limit))); // a step cannot have waited longer than it took
  const parts = {
    pull: sum(by.pull),
    start: capped(by.start, alone.start),
    test: capped(by.test, alone.test),
    soak: capped(by.soak, profile.soakMs),
    stop: capped(by.stop, alone.stop),
  };
  const joins = capped(by.join, RISE * profile.checkMs);
  return {
    wall, parts, by, run,
    joins,
    checks: sum(checks),
    unavoidable: sum(Object.values(parts)) + joins,
    strict: sum(Object.values(parts)) + sum(checks),
  };
}

/** Releases of one profile: a list of {wall, unavoidable, strict, ...} in ms. */
export async function wall(name, releases, tell) {
  const profile = PROFILES[name];
  const overrides = {
    rolling: { soak: `${profile.soakMs}ms` },
    process: { services: { web: { env: { DEMO_START_MS: String(profile.startMs) } } } },
  };
  const world = await ReleaseWorld.start(null, { check: `${profile.checkMs}ms`, overrides });
  try {
    if (profile.testMs > 0) world.writeTests(slowTests(profile.testMs));
    await world.install('1.0');
    await world.startLoad(VISITORS);
    await world.untilAnswered();
    const list = [];
    const seen = { start: [], stop: [], test: [] };
    for (let i = 0; i < releases; i += 1) {
      world.make(`${i + 2}.0`);
      for (const one of await repeated(() => startAlone(path.join(world.dir, 'dist/1.0'), profile.startMs))) {
        seen.start.push(one.start);
        seen.stop.push(one.stop);
      }
      seen.test.push(...await repeated(() => testAlone(world)));
      const alone = Object.fromEntries(Object.entries(seen).map(([part, values]) => [part, median(values)]));
      tell(`${name}, alone so far: ${Object.entries(alone).map(([part, ms]) => `${part} ${ms.toFixed(1)} ms`).join(', ')}`);
      const one = await measured(world, `${i + 2}.0`, profile, alone);
      tell(`${name} ${i + 1}: wall ${one.wall.toFixed(0)} ms, ${(one.wall / one.unavoidable).toFixed(3)} of the unavoidable, `
        + `${(one.wall / one.strict).toFixed(3)} with checks as seen (${one.checks.toFixed(0)} ms)`);
      for (const [step, took] of Object.entries(one.by)) tell(`  ${step}: ${took.join(' ')}`);
      list.push(one);
    }
    const [join] = await world.joinUp();
    assert.deepEqual(join.failures, {}, 'a release that fails visitors is measured in vain');
    return list;
  } finally {
    await world.stop();
  }
}
