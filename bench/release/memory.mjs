// What the controller takes for a fleet: memory and CPU of a whole release, and the commands that look at it. Hosts without
// sidecars run the smallest service there is, so that a hundred fit on a machine.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUILD_DIR } from '../../tests/support/nginx.mjs';
import { PROGRAM } from '../../tests/support/program.mjs';
import { ReleaseWorld } from '../../tests/support/release-world.mjs';
import { median } from './wall.mjs';

const LOOKS = 15; // runs of a command that is timed
const BATCH = 10;

/** Makes dist/VERSION of the tiny service. */
function make(world, version) {
  const folder = path.join(world.dir, 'dist', version);
  mkdirSync(folder, { recursive: true });
  copyFileSync(path.join(BUILD_DIR, 'bench/release/tiny_service'), path.join(folder, 'tiny'));
  chmodSync(path.join(folder, 'tiny'), 0o755);
  writeFileSync(path.join(folder, 'version.txt'), `${version}\n`);
}

function overrides(rolling) {
  return {
    process: { services: { web: { command: ['${folder}/tiny', '${port.web}'] } } },
    rolling: { soak: '0s', ...rolling },
  };
}

/** A `pourover` that writes down what it took: the greatest memory (KiB), CPU seconds. */
function measuredProgram(world) {
  const file = path.join(world.dir, 'measured');
  writeFileSync(file, `#!/bin/sh\nexec /usr/bin/time -q -a -o "${world.dir}/usage" -f '%M %U %S' "${PROGRAM}" "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

function lastUsage(world) {
  const [kib, user, system] = readFileSync(path.join(world.dir, 'usage'), 'utf8').trim().split('\n').at(-1).split(' ').map(Number);
  return { peakMib: kib / 1024, cpuMs: (user + system) * 1000 };
}

/** Median time of a command that looks, from start to exit, and its greatest memory. */
function timed(world, args) {
  const env = { ...process.env, POUROVER_JOURNAL: world.machine.journal, NO_COLOR: '1' };
  const times = [];
  for (let i = 0; i < LOOKS; i += 1) {
    const began = performance.now();
    const done = spawnSync(PROGRAM, [...args, '-f', 'release.yaml'], { cwd: world.dir, env, encoding: 'utf8' });
    times.push(performance.now() - began);
    assert.equal(done.status, 0, `${args.join(' ')}: ${done.stdout}${done.stderr}`);
  }
  return median(times);
}

const sizeOf = (file) => statSync(file).size;

/** Bytes of the records that lie on the hosts, of one host at most. */
function recordBytes(world) {
  const of = ({ name }) => readdirSync(path.join(world.dir, 'hosts', name), { recursive: true })
    .filter((file) => file.endsWith('.jsonl'))
    .reduce((sum, file) => sum + sizeOf(path.join(world.dir, 'hosts', name, file)), 0);
  return Math.max(...world.hosts.map(of));
}

/** A fleet of `hosts` in two data centers, a release of all: figures. */
export async function memory(hosts, tell) {
  const world = await ReleaseWorld.start(null, { datacenters: { west: hosts / 2, east: hosts / 2 }, sidecar: false, check: '500ms' });
  try {
    const batch = Math.min(BATCH, Math.max(1, hosts / 4));
    process.env.POUROVER = measuredProgram(world);
    world.writeTests('- testName: Pages\n  http: {}\n  cases:\n  - name: health\n    http: {method: GET, path: /healthz}\n    expect: {status: 200}\n');
    for (const version of ['1.0', '2.0']) make(world, version);
    const first = overrides({ batch: hosts, keep_up: { total: '0%', per_datacenter: 0 } });
    const installing = performance.now();
    const install = await world.machine.release('1.0', { file: world.write('install.yaml', first) }).done;
    assert.equal(install.code, 0, install.told());
    tell(`${hosts} hosts at once: ${(performance.now() - installing).toFixed(0)} ms, ${JSON.stringify(lastUsage(world))}`);
    await world.untilUp();
    world.write('release.yaml', overrides({ batch }));
    const plan = timed(world, ['plan', '2.0']);
    await world.startLoad({ rate: 50, mix: { http1: 1, h2: 0, grpc: 0 } });
    await world.untilAnswered();
    const journalBefore = sizeOf(world.machine.journal);
    const began = performance.now();
    const run = await world.machine.release('2.0').done;
    const wall = performance.now() - began;
    assert.equal(run.code, 0, run.told());
    for (const load of world.loads) load.abort();
    const usage = lastUsage(world);
    const figures = {
      hosts, batch, plan, wall, ...usage,
      status: timed(world, ['status']),
      lines: run.lines.length,
      journalBytes: sizeOf(world.machine.journal) - journalBefore,
      recordBytes: recordBytes(world),
    };
    tell(`${hosts} hosts, ${batch} at a time: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    delete process.env.POUROVER;
    await world.stop();
  }
}
