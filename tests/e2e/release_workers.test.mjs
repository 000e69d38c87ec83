// What has no visitors is released with as much care: jobs are finished, the clock does not strike twice.

import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertAtRest, assertCode, installed, released } from '../support/release-cases.mjs';
import { waitUntil } from '../support/wait.mjs';

const JOB_SECONDS = process.env.POUROVER_LONG === '1' ? 40 : 4;

function giveJob(world, host, name, seconds) {
  writeFileSync(path.join(world.dir, 'jobs', host, `${name}.todo`), String(seconds));
}

const jobs = (world, host) => readdirSync(path.join(world.dir, 'jobs', host)).sort();

test('a worker finishes its job before it is replaced, and takes no new one meanwhile', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false, worker: true });
  giveJob(world, 'west-1', 'a', JOB_SECONDS);
  await waitUntil(() => world.told('worker').some(({ what }) => what === 'began'), 10_000, 'the job began');
  const run = world.machine.release('2.0');
  await waitUntil(() => world.told('worker').some(({ what, host }) => what === 'quiet' && host === 'west-1'), 30_000, 'west-1 is quiet');
  giveJob(world, 'west-1', 'b', 0.1);
  assertCode(await run.done, 0);
  await waitUntil(() => jobs(world, 'west-1').join() === 'a.done,b.done', 10_000, 'both jobs done');
  const lines = world.told('worker').filter(({ host }) => host === 'west-1').map(({ what, job, version }) => `${version} ${what} ${job}`.trim());
  assert.deepEqual(lines.filter((line) => / (began|finished) /.test(line)), ['1.0 began a', '1.0 finished a', '2.0 began b', '2.0 finished b']);
  assert.ok(lines.indexOf('1.0 ended') < lines.indexOf('2.0 up'));
  await assertAtRest(world, '2.0');
});

test('cron: no tick twice over a release and its rollback, and it strikes again at the end', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false, cron: true });
  world.make('2.1', 'say');
  await waitUntil(() => world.told('cron').length >= 2, 10_000, 'two ticks');
  await released(world.machine, '2.0');
  await released(world.machine, '2.1', { code: 1 });
  assertCode(await world.machine.rollback(), 0);
  const before = world.told('cron').length;
  await waitUntil(() => world.told('cron').length > before + 1, 10_000, 'ticks after the release');
  const ticks = world.told('cron').map(({ tick }) => tick);
  assert.deepEqual(ticks, [...new Set(ticks)], 'no tick twice');
  assert.deepEqual([...new Set(world.told('cron').map(({ host }) => host))], ['west-1']);
  assert.equal(world.told('cron').at(-1).version, '2.0');
});

test('applications start in the declared order', async (t) => {
  const side = { command: [process.execPath, '${folder}/cron.mjs'], env: { DEMO_HOST: '${host}', DEMO_OWNER: String(process.pid) } };
  const world = await installed(t, {
    datacenters: { west: 2 },
    sidecar: false,
    overrides: {
      process: { services: { side } },
      roles: { app: { services: ['side', 'web'] } },
    },
  });
  await released(world.machine, '2.0');
  const started = (name) => world.startedAt('west-1', name);
  assert.ok(started('cron.mjs') <= started('service.mjs'), `${started('cron.mjs')} ${started('service.mjs')}`);
});

test('services that need each other in a circle are refused, nothing is touched', async (t) => {
  const world = await installed(t, { datacenters: { west: 2 }, sidecar: false });
  const file = world.write('circle.yaml', { needs: ['shop'] });
  const run = assertCode(await world.machine.release('2.0', { file, json: false }).done, 2);
  assert.match(run.err, /circle\.yaml:\d+:\d+: error: .*(circle|itself)/);
  await assertAtRest(world, '1.0');
});
