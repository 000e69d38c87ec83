// The controller is killed right after a write to its journal, again and again, in a release each time.

import assert from 'node:assert/strict';
import { assertAtRest, assertCode, installed, SMALL } from './release-cases.mjs';

const MOST = 1000; // writes of a release; more would be news

/** Writes of a release are 1, 2, ...; calls body(world, n, version, from) for every `stride`-th until a release is over before. */
async function eachWrite(t, { first, stride, options }, body) {
  const world = await installed(t, { ...SMALL, ...options });
  await world.startLoad({ rate: 80 });
  let from = '1.0';
  let tried = 0;
  for (let n = first; n < MOST; n += stride) {
    const version = `2.${n}`;
    world.make(version);
    const run = await world.machine.release(version, { env: { POUROVER_KILL_AFTER: String(n) } }).done;
    if (run.code === 0) break;
    assert.equal(run.code, 'SIGKILL', run.told());
    tried += 1;
    from = await body(world, n, version, from);
  }
  assert.ok(tried >= 2, `killed ${tried} times only`);
  t.diagnostic(`killed in ${tried} releases, after every ${stride}. write from ${first} on`);
  await world.assertNothingLost(t);
}

/** Killed, then resumed: the same end as without. */
export function killedAndResumed(t, which) {
  return eachWrite(t, which, async (world, n, version) => {
    const run = await world.machine.resume();
    assert.equal(run.code, 0, `after write ${n}: ${run.told()}`);
    await assertAtRest(world, version);
    return version;
  });
}

/** Killed, its disk lost: another machine tells, goes on and goes back. */
export function takenOver(t, which) {
  let turn = 0;
  return eachWrite(t, which, async (world, n, version, from) => {
    world.machine.forget();
    const second = world.at(`second-${n}`);
    const status = await second.status();
    assert.ok(status.includes(version), `after write ${n}, status of the second machine:\n${status}`);
    turn += 1;
    const back = turn % 2 === 0;
    assertCode(await (back ? second.rollback() : second.resume()), 0);
    const now = back ? from : version;
    await assertAtRest(world, now);
    return now;
  });
}
