// Ten faults: each message says what failed, where, what was seen, what is where now, and both ways on.

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { rmSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertGolden } from '../support/golden.mjs';
import { assertAtRest, installed, message, slowTests, assertCode } from '../support/release-cases.mjs';
import { freePort } from '../support/wait.mjs';

const ROUTER_AWAY = (port) => ({ routers: { back: { nginx: `http://127.0.0.1:${port}/pourover` } } });
const QUICK = { roles: { app: { ready: { within: '1500ms' } } } };

/** Halted; because something could not be reached, was late, was not tested. */
const HALTED = [1, 3, 4, 5];

/** Ready for whoever starts it, not for the routers, and its tests do not ask. */
const NOT_FOR_ROUTERS = {
  roles: { app: { ready: { http: 'http://127.0.0.1:${port.web}/version', within: '3s' }, stop: { grace: '3s' } } },
  rolling: { deadline: '5s', drain: { requests: '2s', streams: '2s' } },
  tests: { files: ['tests/api.yaml'], tags: undefined, budget: '4s' },
};

/** name: {fault of the version, overrides of release.yaml, before(world), its API tests, the step it halts at} */
const FAULTS = {
  test: { fault: 'say', step: 'test' },
  crash: { fault: 'crash', overrides: { roles: { app: { restarts: { watch: '10s' } } } }, step: 'start' },
  unready: { fault: 'unready', overrides: QUICK, step: 'start' },
  migration: { fault: 'migration', overrides: { migrate: { command: [process.execPath, '${folder}/migrate.mjs'], in: 'web' } }, step: 'migrate' },
  source: { before: (world) => rmSync(path.join(world.dir, 'dist/2.0'), { recursive: true }), step: 'preflight' },
  room: { overrides: { disk: { free: '900000GiB' } }, step: 'room' },
  connect: { overrides: (port) => ({ connect: [{ redis: `127.0.0.1:${port}`, retry: '200ms' }] }), step: 'connect' },
  hook: { overrides: { hooks: { before: [{ name: 'gate', command: ['/bin/sh', '-c', 'echo the gate is shut; exit 9'] }] } }, step: 'hook' },
  join: { fault: 'unready', overrides: NOT_FOR_ROUTERS, tests: slowTests(10), step: 'join' },
  nothing: { overrides: { tests: { tags: ['no-such-tag'] } }, step: 'test' },
};

test('ten faults', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false });
  await world.startLoad({ rate: 60 });
  for (const [name, { fault = '', overrides = {}, before, tests, step }] of Object.entries(FAULTS)) {
    await t.test(name, async () => {
      world.make('2.0', fault);
      before?.(world);
      if (tests) world.writeTests(tests);
      const port = await freePort();
      const file = world.write('release.yaml', typeof overrides === 'function' ? overrides(port) : overrides);
      const run = await world.machine.release('2.0', { file, json: false }).done;
      assert.ok(HALTED.includes(run.code), run.told());
      // Hosts are asked at once whether they are ready; which of them is first to say no is chance.
      const anyHost = (line) => (step === 'preflight' ? line.replace(/^(halted: | +step +| +saw .*host | +done +)west-\d/, '$1west-N') : line);
      const text = message(world, run).replaceAll(`:${port}`, ':AWAY').split('\n').map(anyHost).join('\n');
      assert.match(text, new RegExp(`^  step .*\\b${step}`, 'm'), text);
      assert.match(text, /pourover resume/);
      assert.match(text, /pourover rollback/);
      world.write('release.yaml');
      world.writeTests();
      assertCode(await world.machine.rollback(), 0);
      await assertAtRest(world, '1.0');
      assertGolden(`release/fault_${name}.txt`, text);
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

test('an eleventh: a stranger has the port', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, slots: 2 });
  const host = world.host('west-1');
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve) => server.listen(host.port('web', 1), '127.0.0.1', resolve));
  t.after(() => server.close());
  const run = await world.machine.release('2.0', { json: false }).done;
  assert.ok(HALTED.includes(run.code), run.told());
  assertGolden('release/fault_port.txt', message(world, run));
  assert.equal(await world.version(host), '1.0');
});
