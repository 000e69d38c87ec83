// A migration runs once, in the new version, before the first host leaves; whatever happens it does not run twice.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertAtRest, assertCode, installed, released } from '../support/release-cases.mjs';
import { waitUntil } from '../support/wait.mjs';

const migrate = (more = {}) => ({ migrate: { command: [process.execPath, '${folder}/migrate.mjs'], in: 'web', when: 'before', timeout: '20s', ...more } });

const world = (t, overrides = migrate()) => installed(t, { datacenters: { west: 2 }, sidecar: false, overrides });
const slow = (ms) => ({ ...migrate(), process: { services: { web: { env: { DEMO_MIGRATE_MS: String(ms) } } } } });
const told = (in_) => in_.told('migrate').map(({ what, version }) => `${what} ${version}`);

test('once, in the new version, before the first host leaves', async (t) => {
  const here = await world(t);
  const run = await released(here.machine, '2.0');
  assert.deepEqual(told(here), ['began 2.0', 'ended 2.0']);
  assert.ok(here.told('migrate')[1].at <= run.at('west-1', 'leave', 'running'));
  await assertAtRest(here, '2.0');
});

test('it fails: no host has left', async (t) => {
  const here = await world(t);
  here.make('2.0', 'migration');
  await here.startLoad();
  const before = await here.state();
  const run = await released(here.machine, '2.0', { code: 1 });
  assert.deepEqual(run.steps('running').filter((step) => / (leave|stop)$/.test(step)), []);
  assert.deepEqual(await here.state(), before);
  assert.deepEqual(told(here), ['began 2.0']);
  assertCode(await here.machine.rollback(), 0);
  await here.assertNothingLost(t);
});

test('the controller is killed in its middle: resumed, it is waited for, not run again', async (t) => {
  const here = await world(t, slow(2_000));
  const run = here.machine.release('2.0');
  await waitUntil(() => told(here).length === 1, 20_000, 'the migration began');
  run.kill();
  await run.done;
  assertCode(await here.machine.resume(), 0);
  assert.deepEqual(told(here), ['began 2.0', 'ended 2.0']);
  await assertAtRest(here, '2.0');
});

test('the migration itself is killed with the controller: nobody knows its end, so it is not run again unasked', async (t) => {
  const here = await world(t, slow(60_000));
  const run = here.machine.release('2.0');
  await waitUntil(() => told(here).length === 1, 20_000, 'the migration began');
  run.kill();
  await run.done;
  for (const pid of here.runners('migrat')) process.kill(pid, 'SIGKILL');
  const again = await here.machine.resume({ json: false });
  assert.notEqual(again.code, 0, again.told());
  assert.match(again.out + again.err, /resume --migration (done|again)/);
  assert.deepEqual(told(here), ['began 2.0']);
  assertCode(await here.machine.resume({ args: ['--migration', 'done'] }), 0);
  assert.deepEqual(told(here), ['began 2.0']);
  await assertAtRest(here, '2.0');
});

test('behind a barrier rollback is refused, with the reason', async (t) => {
  const here = await world(t, migrate({ barrier: true }));
  here.make('2.1', 'say');
  await released(here.machine, '2.1', { code: 1 });
  const refused = await here.machine.rollback({ json: false });
  assert.equal([1, 2].includes(refused.code), true, refused.told());
  assert.match(refused.out + refused.err, /barrier/);
  assert.equal(await here.version(here.host('west-2')), '1.0', 'nothing was done');
});
