// The tests under load, in a short form for make check and a long one for the campaign.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertStateAsSet, flips, judge, kills, reloads, startChanges, startLoads, startPair, upgrades } from './load.mjs';

const anyShare = (i) => [0, 1_000_000, 500_000, 1000, 900_000][i % 5];

/** A phase: both routers under load while `events` run, and what has to hold in each. */
function phase(name, { load, shareOf, allowed }, events) {
  test(name, async (t) => {
    const pair = await startPair(t);
    const loads = startLoads(t, pair, load);
    const stop = startChanges(pair.router, shareOf);
    await sleep(500);
    const what = await events(pair, loads);
    const { changes, again, last } = await stop();
    const joins = await loads.stop();
    t.diagnostic(`${changes} changes of the share of two services (${again} repeated); ${what}`);
    judge(t, joins, allowed);
    await assertStateAsSet(pair.router, last);
  });
}

/**
 * Options: `rate` of short requests a second; `seconds` that streams and websockets live; how long each phase lasts
 * (rise, load, upgrade, kills: seconds); `reloads`: how many, while websockets live; `manyReloads`: without them.
 */
export function underLoad(options) {
  const { rate, seconds } = options;
  const short = { rate };
  const mixed = { rate, seconds, streams: 8, websockets: 8 };

  const rising = (i) => Math.min(1_000_000, Math.round((i * 1_000_000) / (options.rise * 10)));
  phase('under load the share rises: same workers, websockets live, nobody flips back', { load: mixed, shareOf: rising },
    async ({ router }, { ours }) => {
      const workers = router.nginx.workers();
      await sleep(options.rise * 1000);
      assert.deepEqual(router.nginx.workers(), workers);
      const back = flips(ours);
      assert.equal(back, 0, 'visitors who were moved back');
      return `${back} visitors flipped back, workers ${workers.join(' ')} to the end`;
    });

  phase('under load with streams and websockets: reloads', { load: mixed, shareOf: anyShare }, async (pair, loads) => {
    const n = await reloads(pair, loads, options.reloads);
    await sleep(options.after * 1000);
    return `${n} reloads`;
  });

  if (options.manyReloads) {
    phase('under load of short requests: reloads', { load: short, shareOf: anyShare }, async (pair, loads) =>
      `${await reloads(pair, loads, options.manyReloads)} reloads`);
  }

  phase('under load with streams and websockets: a binary upgrade', { load: mixed, shareOf: anyShare }, async (pair) => {
    await upgrades(pair, options.upgrade, (seconds[1] + 30) * 1000);
    await sleep(options.after * 1000);
    return 'a binary upgrade';
  });

  phase('under load of short requests: killed workers', { load: short, shareOf: anyShare, allowed: IN_THE_MIDDLE },
    async (pair, loads) => `${await kills(pair, loads, options.kills)} workers killed`);
}

/**
 * No client can mend an answer of which a part had come, nor a request on a connection that never had an answer: for
 * these, ours may fail as plain nginx does. Every other failure is one too many.
 */
const IN_THE_MIDDLE = /in the middle of an answer|before an answer, fresh/;
