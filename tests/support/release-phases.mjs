// Rollback out of every phase of a release, under visitors.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, assertCode, installed } from './release-cases.mjs';

const step = (part, name, status) => [
  `${part} ${name} ${status}`,
  (event) => event.event === 'step' && event.part === part && event.step === name && event.status === status,
];
const share = (ppm) => [`share ${ppm} ppm`, (event) => event.event === 'share' && event.share_ppm === ppm];

/** A stage that lasts, so that the command still finds it. */
function staying(options, at) {
  const stages = ['0', '1%', '50%', '100%'].map((each) => (each === at ? { share: each, dwell: '5s' } : each));
  return { ...options, overrides: { canary: { stages } } };
}

const POOL = { datacenters: { west: 2, east: 2 }, sidecar: false, strategy: 'canary', pool: ['west-2', 'east-2'], grow: true };
const BESIDE = { datacenters: { west: 2 }, slots: 2, strategy: 'canary' };

/** quick: stable bears all, so the new version's last visitor is one lowering away. */
export const PHASES = {
  rolling: [
    [{}, step('stable', 'leave', 'running'), false],
    [{}, step('stable', 'stop', 'done'), false],
    [{}, step('stable', 'test', 'running'), false],
    [{}, step('stable', 'soak', 'running'), false],
  ],
  canary: [
    [POOL, step('pool', 'test', 'running'), true],
    [staying(POOL, '1%'), share(10_000), true],
    [staying(POOL, '50%'), share(500_000), true],
    [staying(POOL, '100%'), share(1_000_000), false],
    [POOL, step('down', 'share', 'running'), false],
  ],
  beside: [
    [BESIDE, step('pool', 'start', 'done'), true],
    [staying(BESIDE, '50%'), share(500_000), true],
    [staying(BESIDE, '100%'), share(1_000_000), true],
    [BESIDE, step('stable', 'stop-old', 'running'), false],
    [{ datacenters: { west: 2 }, slots: 2 }, step('stable', 'switch', 'done'), true],
  ],
};

/** One test a phase; `within`: milliseconds from the command to the last request of the new version, where quick. */
export function rollbackFrom(phases, { within, load = {} }) {
  for (const [kind, list] of Object.entries(phases)) {
    for (const [options, [name, isIt], quick] of list) {
      test(`${kind}: rollback at ${name}: 0 failed${quick ? ', at once' : ''}`, async (t) => {
        const world = await installed(t, options);
        await world.startLoad(load);
        await world.untilAnswered();
        const run = world.machine.release('2.0');
        await run.until(isIt, name);
        const back = assertCode(await world.machine.rollback(), 0);
        await run.done;
        await world.untilAnswered();
        await world.assertNothingLost(t);
        const last = world.served().findLast(({ version }) => version === '2.0')?.at ?? 0;
        t.diagnostic(last ? `the last request of 2.0 came ${last - back.startedAt} ms after the command` : 'no request of 2.0');
        if (quick) assert.ok(last <= back.startedAt + within, `the last request of 2.0 came ${last - back.startedAt} ms after the command`);
        await assertAtRest(world, '1.0');
      });
    }
  }
}
