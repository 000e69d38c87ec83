// Hooks: programs of the user's; whatever they do, what is told of them is true.

import assert from 'node:assert/strict';
import test from 'node:test';
import { assertCode, installed, released, SMALL } from '../support/release-cases.mjs';

const shell = (script) => ['/bin/bash', '-c', script];
const plain = { json: false };

/** A release that a hook stops; then it is ended. */
async function stoppedBy(world, hook, code) {
  world.write('release.yaml', { hooks: { before: [{ name: 'gate', ...hook }] } });
  const run = await released(world.machine, '2.0', { ...plain, code });
  assertCode(await world.machine.rollback(), 0);
  return run;
}

test('a hook says no, is killed, hangs, or leaves children: each is told as it was', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  assert.match((await stoppedBy(world, { command: shell('kill -9 $$') }, 1)).out, /hook gate was killed by signal 9 \(Killed\)/);
  const late = await stoppedBy(world, { command: shell('echo begun; sleep 100'), timeout: '1s' }, 4);
  assert.match(late.out, /hook gate did not end within its timeout of 1 s and was killed: begun/);
  const much = await stoppedBy(world, { command: shell('seq 100000; echo the reason; exit 3') }, 1);
  assert.match(much.out, /^ +the reason$/m, 'the end of what it wrote is kept');
  const bytes = await stoppedBy(world, { command: shell('head -c 50000 /dev/zero | tr "\\\\0" "\\\\1"; printf "\\\\377 the reason"; exit 3') }, 1);
  assert.match(bytes.out, /the reason/, 'whatever bytes it writes, the release can be ended');
  const child = { command: shell('(trap "" TERM; while :; do echo x; done) & disown; exit 3'), timeout: '20s' };
  assert.match((await stoppedBy(world, child, 1)).out, /hook gate ended with exit code 3/);
});

test('a hook gets signals as from a shell: a pipe that is closed ends who writes', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.write('release.yaml', { hooks: { before: [{ name: 'gate', command: shell('set -o pipefail; yes | head -1; test $? = 141') }] } });
  await released(world.machine, '2.0');
});
