// A controller that sleeps while another one takes the release: when it wakes it says nothing to routers any more.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { assertAtRest, assertCode, installed, SMALL } from '../support/release-cases.mjs';
import { waitUntil } from '../support/wait.mjs';

/** A way to a port that can be held: what comes waits until it is let go. */
async function gate(t, port) {
  const held = [];
  const state = { holds: false, waiting: () => held.length, release: () => { state.holds = false; held.splice(0).forEach((go) => go()); } };
  const server = net.createServer((client) => {
    const go = () => {
      const upstream = net.connect(port, '127.0.0.1');
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on('error', () => { client.destroy(); upstream.destroy(); });
    };
    client.on('error', () => {});
    if (state.holds) held.push(go);
    else go();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return Object.assign(state, { port: server.address().port });
}

test('asleep while it looks at the capacity: it drains nobody when it wakes', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  const fleet = path.join(world.dir, 'fleet.yaml');
  const direct = readFileSync(fleet, 'utf8');
  const { port } = new URL(world.routers[0].api);
  const way = await gate(t, Number(port));
  writeFileSync(fleet, direct.replace(`:${port}/`, `:${way.port}/`));
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'preflight', 'running');
  way.holds = true; // the first call to a router is the look at the capacity, before it drains
  await run.untilStep('west-1', 'leave', 'running');
  await waitUntil(() => way.waiting() > 0, 10_000, 'a call that is held');
  run.kill('SIGSTOP');
  writeFileSync(fleet, direct);
  assertCode(await world.at('other').rollback(), 0);
  await assertAtRest(world, '1.0');
  way.release();
  run.kill('SIGCONT');
  assertCode(await run.done, 7);
  assert.match(run.err + run.out, /somebody else has taken the lease/);
  await assertAtRest(world, '1.0');
});
