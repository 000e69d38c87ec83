// Who gets how many requests: a slow peer few, a peer that comes back more and more. By counts, not by times.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { ask } from './client.mjs';
import { Drained } from './drain.mjs';

/** `count` requests, `clients` at a time; how many each host answered. */
async function hosts(port, count, clients) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const seen = {};
  let left = count;
  const run = async () => {
    while (left > 0) {
      left -= 1;
      const answer = await ask(port, '/', { agent });
      assert.equal(answer.status, 200);
      const host = answer.header('x-host');
      seen[host] = (seen[host] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, run));
  agent.destroy();
  return seen;
}

test('of three peers one that is ten times slower gets less than a tenth of the requests', async (t) => {
  const router = await Drained.start(t);
  for (const [name, delay] of [['a', 50], ['b', 50], ['c', 500]]) router.upstreams[name].setMode({ delay });
  const seen = await hosts(router.ports.http, 2000, 24);
  t.diagnostic(`${JSON.stringify(seen)} of 2000 requests, 24 at a time`);
  assert.ok(seen.c < 200, `the slow one got ${seen.c}`);
  assert.ok(seen.c > 0 && Math.abs(seen.a - seen.b) < 200);
});

test('a peer that comes back gets its part little by little', async (t) => {
  const BATCH = 150;
  const router = await Drained.start(t, { start: 'slow_start=3s' });
  await router.order('c', { state: 'down' });
  await router.ready('c');
  const rows = [];
  for (let weight = 0; weight < 1;) {
    const { weight_now: from } = await router.peer('c');
    const { c = 0 } = await hosts(router.ports.http, BATCH, 1);
    ({ weight_now: weight } = await router.peer('c'));
    rows.push({ from, to: weight, c });
    const part = (w) => (BATCH * w) / (2 + w);
    const slack = 5 * Math.sqrt(part(weight)) + 1;
    assert.ok(c >= part(from) - slack && c <= part(weight) + slack, JSON.stringify(rows));
  }
  const some = rows.filter((row, i) => i % Math.ceil(rows.length / 12) === 0);
  t.diagnostic(`of ${BATCH} requests the peer that came back got ${some.map(({ to, c }) => `${c} (weight ${to})`).join(', ')}`);
  assert.ok(rows[0].from < 0.5, 'it begins low');
  assert.ok(rows.length > 2 && rows.every(({ from, to }) => to >= from), 'and rises');
  assert.ok(rows[0].c < BATCH / 6);
  const { c } = await hosts(router.ports.http, 300, 1);
  assert.ok(c > 60 && c < 140, `in the end it has its part: ${c} of 300`);
});

test('a peer that is added by a reload begins slowly too, those of the start do not', async (t) => {
  const router = await Drained.start(t, { start: 'slow_start=60s', later: ['c'] });
  for (const name of ['a', 'b']) assert.equal((await router.peer(name)).weight_now, 1);
  await router.addLater();
  assert.ok((await router.peer('c')).weight_now < 0.5);
  assert.equal((await router.peer('a')).weight_now, 1);
});
