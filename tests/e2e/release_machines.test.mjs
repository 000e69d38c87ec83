// Two machines, or two people, at one release: each is told the truth, and one of them has it.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertAtRest, assertCode, installed, slowTests, SMALL } from '../support/release-cases.mjs';

const plain = { json: false };

test('from another machine: what the one who runs it refuses is refused with its reason', async (t) => {
  const barrier = { migrate: { command: ['/bin/true'], when: 'before', barrier: true } };
  const world = await installed(t, { ...SMALL, sidecar: false, overrides: barrier });
  world.writeTests(slowTests(6000));
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'test', 'running');
  assert.match(assertCode(await world.at('other').rollback(plain), 1).err, /its migration is a barrier/);
  assertCode(await world.at('other').run(['pause'], plain), 0);
  assertCode(await run.done, 6);
});

test('whoever has it does not answer: pause says so and leaves no request behind', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.writeTests(slowTests(1000));
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'start', 'running');
  run.kill('SIGSTOP');
  const pause = assertCode(await world.at('other').run(['pause'], plain), 4);
  assert.match(pause.err, /holds the lease of west-1 and does not answer.*pourover resume/);
  for (const { name } of world.hosts) {
    const dir = path.join(world.dir, 'hosts', name, 'requests');
    assert.deepEqual(existsSync(dir) ? readdirSync(dir) : [], []);
  }
  run.kill('SIGKILL');
  await run.done;
  assertCode(await world.at('other').resume(), 0);
  await assertAtRest(world, '2.0');
});

test('release.yaml with another plan: what is on its way is not taken for it', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.make('2.1', 'say');
  assertCode(await world.machine.release('2.1').done, 1);
  world.write('release.yaml', { rolling: { batch: 2, keep_up: { total: '0%', per_datacenter: 0 } } });
  for (const back of ['resume', 'rollback']) assert.match(assertCode(await world.machine[back](plain), 2).err, /put (it|the file) back/);
  world.write('release.yaml', { tests: { budget: '50s' }, hooks: { before: [{ name: 'new', command: ['/bin/true'] }] } });
  assertCode(await world.machine.rollback(), 0);
  await assertAtRest(world, '1.0');
});

test('hosts change between two releases, and what another machine ended is no release on its way', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false, overrides: { rolling: { soak: '2s' } } });
  const other = world.at('other');
  world.make('3.0');
  const run = world.machine.release('2.0');
  await run.untilStep('west-1', 'soak', 'running');
  assert.equal(assertCode(await other.run(['status']), 0).json().release.state, 'running');
  assertCode(await run.done, 0);
  const fleet = path.join(world.dir, 'fleet.yaml');
  writeFileSync(fleet, readFileSync(fleet, 'utf8').replace('west-2:', 'west-9:'));
  assertCode(await world.machine.release('3.0').done, 0);
  writeFileSync(fleet, readFileSync(fleet, 'utf8').replace('west-9:', 'west-2:'));
  const { events } = await other.run(['history']);
  assert.deepEqual(events.map(({ version, state }) => `${version} ${state}`), ['2.0 running']);
  assertCode(await other.release('2.0').done, 0);
  await assertAtRest(world, '2.0');
});
