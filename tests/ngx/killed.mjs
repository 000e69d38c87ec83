// Changes whose worker is killed at any moment of them: what was answered stays, what was not is whole or not there.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { waitUntil } from '../support/wait.mjs';
import { startPeers, startRouter } from './life.mjs';

const gone = (error) => {
  if (!error.code?.startsWith('ECONN')) throw error;
  return null;
};

/** `changes` changes; every third time all workers are killed some moments after it was sent. */
export async function killedChanges(t, changes) {
  const router = await startRouter(t, await startPeers(t));
  const count = { answered: 0, conflicts: 0, lostAnswers: 0, doneWithoutAnswer: 0, killed: 0 };
  let { split } = await router.api('services/shop');
  let unanswered = []; // may still take effect: renamed, but not yet seen by a worker

  for (let i = 1; i <= changes; i += 1) {
    const change = { share_ppm: (i * 137_911) % 1_000_001, salt: `s${i}` };
    const next = { ...change, enabled: true, revision: split.revision + 1 };
    const sent = router.put({ ...next, if_revision: split.revision }).catch(gone);
    if (i % 3 === 0) {
      await sleep(Math.random() * 6);
      count.killed += await killWorkers(router);
    }
    const answer = await sent;
    if (answer?.status === 200) count.answered += 1;
    else if (answer) assert.equal(answer.status, 409, JSON.stringify(answer.body));
    count.lostAnswers += answer === null;
    count.conflicts += answer?.status === 409;

    if (answer === null) unanswered.push(next);
    const possible = answer?.status === 200 ? [next] : [split, ...unanswered];
    split = await readBack(router, possible);
    count.doneWithoutAnswer += unanswered.some((each) => isDeepStrictEqual(each, split));
    unanswered = unanswered.filter((each) => each.revision > split.revision);
  }
  await router.stop('SIGKILL');
  await router.startAgain();
  await readBack(router, [split, ...unanswered]);
  t.diagnostic(JSON.stringify(count));
  return count;
}

/** Kills all workers, waits for others in their place, and returns how many were killed. */
async function killWorkers({ nginx }) {
  const old = nginx.workers();
  old.forEach((pid) => nginx.kill(pid));
  const renewed = () => {
    const now = nginx.workers();
    return now.length === nginx.workerCount() && !now.some((pid) => old.includes(pid));
  };
  await waitUntil(renewed, 10_000, 'new workers');
  return old.length;
}

/** Reads the split from every worker, which has to be one of these; returns the one of the highest revision. */
async function readBack(router, possible) {
  let highest = possible[0];
  for (const [, { split }] of await router.eachWorker('services/shop')) {
    const known = possible.some((each) => isDeepStrictEqual(each, split));
    assert.ok(known, `${JSON.stringify(split)} seen, possible are ${JSON.stringify(possible)}`);
    if (split.revision > highest.revision) highest = split;
  }
  return highest;
}
