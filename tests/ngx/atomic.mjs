// After the answer to a change no request whose head arrives later is cut by the old split, whatever worker takes it:
// many changes, each followed by requests to every worker, also on connections whose worker is shutting down.

import assert from 'node:assert/strict';
import { cutOf, startPeers, startRouter, Wire, wiresTo } from './life.mjs';

const SHARES = [0, 1_000_000, 500_000, 1, 999_999, 100_000];
const BATCH = 100; // changes between two reloads
const WORKERS = 3;

/** Requests without their last line end, each on a connection of its own, that the present workers have taken. */
async function halfRequests(router, n) {
  const wires = Array.from({ length: n }, () => new Wire(router.ports.http));
  await Promise.all(wires.map((wire) => wire.connected));
  wires.forEach((wire) => wire.begin('GET / HTTP/1.1\r\nHost: localhost\r\n'));
  await wiresTo(router.ports.http, router.nginx.workers(), '/').then(closeAll); // they have read on
  return wires;
}

const closeAll = (wires) => [...wires.values()].forEach((wire) => wire.close());

/** What is wrong with an answer to a request that was sent after this split was answered; '' if nothing is. */
function wrong(answer, { share_ppm, revision }) {
  const cut = cutOf(answer);
  const version = cut.track === 'canary' ? 'v2' : 'v1';
  if (answer.status !== 200) return `status ${answer.status}`;
  if (cut.revision !== revision || cut.share !== share_ppm) return `cut by ${JSON.stringify(cut)}`;
  if ((cut.track === 'canary') !== cut.bucket < share_ppm) return `bucket ${cut.bucket} on ${cut.track}`;
  const shown = answer.headers.get('x-version');
  return shown === version ? '' : `${cut.track}, but ${shown} answered`;
}

/** `changes` changes; prints and returns the counts. */
export async function atomic(t, changes) {
  const router = await startRouter(t, await startPeers(t), { workers: WORKERS });
  const { ports } = router.nginx;
  const count = { changes: 0, requests: 0, byOldWorkers: 0, reloads: 0, wrong: 0 };
  const workers = new Set();
  const first = [];
  const start = Date.now();

  for (let revision = 1; revision <= changes; ) {
    const half = await halfRequests(router, BATCH);
    await router.nginx.reload();
    count.reloads += 1;
    const present = router.nginx.workers();
    const visitors = await wiresTo(ports.http, present, '/');
    const writers = [...(await wiresTo(ports.api, present, '/pourover/v1/status')).values()];
    for (const old of half) {
      const split = { share_ppm: SHARES[revision % SHARES.length], revision };
      const put = await writers[revision % WORKERS].put('/pourover/v1/services/shop/split', {
        ...split,
        if_revision: revision - 1,
      });
      assert.equal(put.status, 200);
      const asked = [old.finish('\r\n'), ...[...visitors.values()].map((wire) => wire.get('/'))];
      for (const answer of await Promise.all(asked)) {
        const what = wrong(answer, split);
        count.requests += 1;
        if (what) first.push(`revision ${revision}: ${what}`);
      }
      count.byOldWorkers += !present.includes(old.worker);
      workers.add(old.worker);
      present.forEach((pid) => workers.add(pid));
      revision += 1;
    }
    closeAll(visitors);
    writers.forEach((wire) => wire.close());
    count.changes = revision - 1;
  }
  count.wrong = first.length;
  t.diagnostic(`${JSON.stringify(count)}, ${workers.size} workers, ${Date.now() - start} ms`);
  assert.deepEqual(first.slice(0, 5), []);
  assert.ok(count.byOldWorkers > 0.9 * changes, `${count.byOldWorkers} answers by workers that were shutting down`);
  return count;
}
