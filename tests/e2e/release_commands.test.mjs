// The commands around a release: what they print for people and programs, and how they exit.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertCode, installed, released, SMALL } from '../support/release-cases.mjs';
import { onTerminal } from '../support/release-run.mjs';
import { waitUntil } from '../support/wait.mjs';

const plain = { json: false };

test('status, history, show, logs and a report of a halted release', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  const machine = world.machine;
  world.make('2.1-broken', 'say');
  const run = await released(machine, '2.1-broken', { ...plain, code: 1, args: ['--junit', 'report.xml', '--by', 'ann', '--why', 'SHOP-1'] });
  const [last] = run.out.match(/(?<=pourover logs )\d+(?= west-1 )/);
  const report = readFileSync(path.join(world.dir, 'report.xml'), 'utf8');
  assert.match(report, /<testsuite name="pourover shop 2\.1-broken" tests="\d+" failures="1" errors="0"/);
  assert.match(report, /<testcase classname="west-1" name="stable: test: [^"]*" time="[\d.]+">\s*<failure type="failed" message="[^"]*expected {2}a cup of coffee/);

  const status = assertCode(await machine.run(['status'], plain), 0).out;
  assert.match(status, /^shop: release \d+ 1\.0 -> 2\.1-broken halted, by ann: SHOP-1$/m);
  assert.match(status, /^west +west-1 +2\.1-broken +stopped, draining/m);
  assert.match(status, /^west +west-2 +1\.0 +serves +-$/m);
  const json = assertCode(await machine.run(['status']), 0).json();
  assert.equal(json.release.state, 'halted');
  assert.deepEqual(json.hosts.map(({ name, version }) => `${name} ${version}`), ['west-1 2.1-broken', 'west-2 1.0']);
  const elsewhere = assertCode(await world.at('other').run(['status'], plain), 0).out;
  assert.match(elsewhere, /2\.1-broken halted/, 'known to a machine with an empty journal');
  assert.match(elsewhere, /pourover rollback/);

  assert.match(assertCode(await machine.run(['history'], plain), 0).out, new RegExp(`^ *${last} .* shop .* release .* 2\\.1-broken +halted .* ann +SHOP-1$`, 'm'));
  const newest = (await machine.run(['history'])).events[0];
  assert.deepEqual([newest.version, newest.state, newest.by], ['2.1-broken', 'halted', 'ann']);

  const show = assertCode(await machine.run(['show', last], plain), 0).out;
  assert.match(show, /^ *\d+ +\d\d:\d\d:\d\d +west-1 +test +failed +[\d.]+s +\d of \d API tests passed/m);
  assert.match(show, /^ *! +\d\d:\d\d:\d\d +west-1 +shut +done/m);
  assert.match((await machine.run(['logs', last, 'west-1'], plain)).out, /^== west-1 slot a, 2\.1-broken, stopped ==$/m);
  const nobody = assertCode(await machine.run(['show', '999'], plain), 2);
  assert.match(nobody.err, /there is no release 999 of shop/);

  assert.match(assertCode(await machine.run(['pause'], plain), 6).out, /nobody runs release \d+ .*pourover resume.*pourover rollback/);
  const refused = assertCode(await machine.run(['release', '2.0', '--yes'], plain), 7);
  assert.match(refused.err, /pourover resume.*pourover rollback/);
  const back = assertCode(await machine.run(['rollback', '--yes'], plain), 0);
  assert.match(back.out, /^rolled back: 1\.0 serves on 2 hosts/m);
  assert.match(assertCode(await machine.run(['show'], plain), 0).out, /^ *< .* west-1 +test +failed/m, 'the way forward is kept');
  assert.equal(assertCode(await machine.run(['rollback', '--yes'], plain), 1).out, '');
  assert.match(assertCode(await machine.run(['resume', '--yes'], plain), 0).out, /is rolled back already: nothing is left to do/);
});

test('plan asks, or does not; a wrong file is told like a compiler tells', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  const machine = world.machine;
  const offline = assertCode(await machine.run(['plan', '2.0', '--offline']), 0).json();
  const asked = assertCode(await machine.run(['plan', '2.0']), 0).json();
  assert.deepEqual(offline.steps.map(({ host, step }) => [host, step]), asked.steps.map(({ host, step }) => [host, step]));
  assert.equal(asked.from, '1.0');
  assert.match(assertCode(await machine.run(['plan', '../x'], plain), 2).err, /"\.\.\/x" is no version/);
  world.write('wrong.yaml', { rolling: { bach: 2 } });
  assert.match(assertCode(await machine.run(['plan', '2.0'], { ...plain, file: 'wrong.yaml' }), 2).err, /wrong\.yaml:\d+:\d+: error: .*bach[^]*did you mean "batch"/);
});

test('one host leaves and joins; the last one stays', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  world.startLoad();
  const machine = world.machine;
  assert.match(assertCode(await machine.run(['host', 'leave', 'west-1', '--by', 'ann'], plain), 0).out, /west-1 has left/);
  assert.match((await machine.status()), /west-1 +1\.0 +up, draining by ann/);
  assert.match(assertCode(await machine.run(['host', 'leave', 'west-2'], plain), 1).err, /west-2 is the last host/);
  assertCode(await machine.run(['host', 'join', 'west-1'], plain), 0);
  assert.match((await machine.status()), /west-1 +1\.0 +serves/);
  assert.match(assertCode(await machine.run(['host', 'leave', 'west-9'], plain), 2).err, /no host "west-9"/);
  await world.assertNothingLost(t);
});

test('on a terminal: a block that is drawn anew, Ctrl-C asks, watch follows', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false, overrides: { rolling: { soak: '3s' } } });
  const run = onTerminal(world, ['release', '2.0', '--yes'], (fn) => t.after(fn));
  await waitUntil(() => /west-1 .*✓.*….* {2}soak \d/.test(run.out), 30_000, 'a step that runs');
  assert.match(run.out, /shop {2}1\.0 -> 2\.0 {2}running/);
  assert.ok(run.out.includes('\u001b['), 'drawn over itself');
  const watch = world.machine.start(['watch'], plain);
  run.type('\u0003');
  await waitUntil(() => run.out.includes('pause cleanly?'), 10_000, 'the question');
  run.type('y\n');
  await run.done;
  assert.equal(run.code, 130, run.out);
  assert.match(run.out, /paused: people paused it/);
  assertCode(await watch.done, 6);
  assert.match(watch.out, /west-1 +soak +done/);
  assert.match(watch.out, /^paused: /m);
  assertCode(await world.machine.resume(), 0);
});

test('off a terminal SIGTERM pauses cleanly, and restart begins the same version again', async (t) => {
  const world = await installed(t, { ...SMALL, sidecar: false });
  const run = world.machine.start(['restart', '--yes']);
  await run.untilStep('west-1', 'start', 'running');
  run.kill('SIGTERM');
  assertCode(await run.done, 130);
  assert.equal(run.events.at(-1).state, 'paused');
  assert.match(run.events.at(-1).text, /pourover resume/);
  const on = assertCode(await world.machine.resume(), 0);
  assert.equal(on.events.at(-1).state, 'done');
  assert.equal(await world.version(world.host('west-2')), '1.0');
  const again = assertCode(await world.machine.run(['resume', '--yes'], { json: false }), 0);
  assert.match(again.out, /is done already: nothing is left to do/);
});
