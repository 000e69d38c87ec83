// Faults: each message says what failed, where, what was seen, what is where now, and both ways on.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertGolden } from '../support/golden.mjs';
import { assertAtRest, assertCode, installed, message } from '../support/release-cases.mjs';
import { freePort } from '../support/wait.mjs';

const ROUTER_AWAY = (port) => ({ routers: { back: { nginx: `http://127.0.0.1:${port}/pourover` } } });
const QUICK = { roles: { app: { ready: { within: '1500ms' } } } };

/** name: {fault of the version, overrides of release.yaml, before(world), the step it halts at, code} */
const FAULTS = {
  test: { fault: 'say', step: 'test' },
  crash: { fault: 'crash', step: 'start' },
  unready: { fault: 'unready', overrides: QUICK, step: 'start' },
  migration: { fault: 'migration', overrides: { migrate: { command: [process.execPath, '${folder}/migrate.mjs'], in: 'web' } }, step: 'migrate' },
  source: { before: (world) => rmSync(path.join(world.dir, 'dist/2.0'), { recursive: true }), step: 'preflight' },
  room: { overrides: { disk: { free: '900000GiB' } }, step: 'room' },
  connect: { overrides: (port) => ({ connect: [{ redis: `127.0.0.1:${port}`, retry: '200ms' }] }), step: 'connect', code: 3 },
  hook: { overrides: { hooks: { before: [{ name: 'gate', command: ['/bin/sh', '-c', 'echo the gate is shut; exit 9'] }] } }, step: 'hook' },
  nothing: { overrides: { tests: { tags: ['no-such-tag'] } }, step: 'test', code: 5 },
};

test('nine faults', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false });
  await world.startLoad({ rate: 60 });
  for (const [name, { fault = '', overrides = {}, before, step, code = 1 }] of Object.entries(FAULTS)) {
    await t.test(name, async () => {
      world.make('2.0', fault);
      before?.(world);
      const port = await freePort();
      const file = world.write('release.yaml', typeof overrides === 'function' ? overrides(port) : overrides);
      const run = assertCode(await world.machine.release('2.0', { file, json: false }).done, code);
      const text = message(world, run).replaceAll(`:${port}`, ':AWAY');
      assert.match(text, new RegExp(`\\b${step}`), text);
      assertGolden(`release/fault_${name}.txt`, text);
      assert.match(text, /pourover resume/);
      assert.match(text, /pourover rollback/);
      world.write('release.yaml');
      assertCode(await world.machine.rollback(), 0);
      await assertAtRest(world, '1.0');
    });
  }
  await world.assertNothingLost(t);
});

test('a router that is away: nothing is begun, and that is said', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false });
  const before = await world.state();
  const file = world.write('release.yaml', ROUTER_AWAY(await freePort()));
  const run = assertCode(await world.machine.release('2.0', { file, json: false }).done, 3);
  assert.match(run.err, /nothing was begun: router back: .*connect/);
  world.write('release.yaml');
  assert.deepEqual(await world.state(), before);
  assert.match((await world.machine.run(['history'], { json: false })).out, /^#.*\n.* 1\.0 +done/, 'no release 2.0');
});

test('a tenth: a stranger has the port', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, slots: 2 });
  const host = world.host('west-1');
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve) => server.listen(host.port('web', 1), '127.0.0.1', resolve));
  t.after(() => server.close());
  const run = assertCode(await world.machine.release('2.0', { json: false }).done, 1);
  assertGolden('release/fault_port.txt', message(world, run));
  assert.equal(await world.version(host), '1.0');
});
