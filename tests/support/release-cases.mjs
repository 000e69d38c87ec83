// What tests of releases have in common: worlds with a first version, and what holds at rest.

import assert from 'node:assert/strict';
import { normalized } from './golden.mjs';
import { stepName } from './release-run.mjs';
import { ReleaseWorld } from './release-world.mjs';

/** One data center, two hosts: enough for what is not about data centers. */
export const SMALL = { datacenters: { west: 2 } };

/** A world where 1.0 serves, and 2.0 is made. */
export async function installed(t, options = {}) {
  const world = await ReleaseWorld.start(t, options);
  await world.install('1.0');
  world.make('2.0');
  return world;
}

/** API tests that take their time, so that there is a middle to do something in. */
export const slowTests = (ms) => `- testName: Slow
  http: {}
  cases:
  - name: takes its time
    deadline: ${ms + 30_000}ms
    http: {method: GET, path: /slow/${ms}}
    expect: {status: 200}
`;

/** A machine's finished release, which has to end with this exit code. */
export async function released(machine, version, { code = 0, ...options } = {}) {
  const run = await machine.release(version, options).done;
  assert.equal(run.code, code, run.told());
  return run;
}

export function assertCode(run, code) {
  assert.equal(run.code, code, run.told());
  return run;
}

/** At rest: the version alone on every host, one ready peer a host on stable, nobody sent to the canary. */
export async function assertAtRest(world, version) {
  const { hosts, routers } = await world.state();
  for (const [name, host] of Object.entries(hosts)) {
    assert.deepEqual({ name, ...host }, { name, versions: [version], ...(world.sidecar && { failing: false }) });
  }
  for (const [name, { share_ppm: share, ...peers }] of Object.entries(routers)) {
    assert.equal(share, 0, `share at ${name}`);
    for (const [host, list] of Object.entries(peers)) {
      const ready = list.filter((peer) => peer.endsWith(' stable ready'));
      assert.equal(ready.length, 1, `${host} at ${name}: ${list.join(', ') || 'no peer'}`);
    }
  }
}

/** The steps of `plan --json`, as names. */
export const planned = (plan) => plan.steps.map(({ part, ...step }) => `${part}: ${stepName(step)}`);

/** The steps of a run in the order in which they began, as names. */
export function begun(run) {
  const names = run.events.filter(({ event }) => event === 'step').map(({ part, ...step }) => ({ part, ...step }));
  const first = [];
  const under = new Map();
  for (const step of names) {
    const name = `${step.part}: ${stepName(step)}`;
    if (step.status === 'running' || (step.status === 'skipped' && under.get(name) !== 'running')) first.push(name);
    under.set(name, step.status);
  }
  return first;
}

/** What a person reads at the end: all but the line a event; ports, folders and times as names. */
export function message(world, run) {
  const names = { [world.dir]: 'WORLD', [process.execPath]: 'node' };
  for (const host of world.hosts) {
    for (const [name, ports] of Object.entries(host.ports)) {
      [ports].flat().forEach((port, slot) => { names[`:${port}`] = `:${host.name}.${name}${slot ? '.b' : ''}`; });
    }
  }
  for (const { name, nginx } of world.routers) names[`:${nginx.ports.api}`] = `:${name}.api`;
  const lines = (run.out + run.err).split('\n').filter((line) => !/^\d\d:\d\d:\d\d /.test(line));
  return normalized(lines.join('\n'), names);
}
