// Several services in one run: the order is that of what they need, and one that stops, stops the run.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { assertCode, SMALL } from '../support/release-cases.mjs';
import { onTerminal } from '../support/release-run.mjs';
import { ReleaseWorld } from '../support/release-world.mjs';
import { waitUntil } from '../support/wait.mjs';

const plain = { json: false };
const API = { service: 'school-api', router_service: 'shop' };
const SHOP = { service: 'shop', needs: 'school-api' };

/** Two services, each with hosts and a router of its own; nothing runs yet. */
async function start(t) {
  const begin = (overrides) => ReleaseWorld.start(t, { ...SMALL, sidecar: false, overrides });
  const [api, shop] = await Promise.all([begin(API), begin(SHOP)]);
  const knock = () => [api, shop].forEach(({ routers }) => fetch(routers[0].nginx.url('http')).then((answer) => answer.text()).catch(() => {}));
  const knocking = setInterval(knock, 40); // a host that joins is proved sooner when it is sent something
  t.after(() => clearInterval(knocking));
  const file = (world, name = 'release.yaml') => path.join(world.dir, name);
  const { machine } = shop;
  /** The shop's file is given first, so that the order is not that of the command line. */
  const run = (words, { second = file(api), ...options } = {}) => machine.run([...words, '-f', 'release.yaml'], { file: second, ...options });
  return { api, shop, machine, file, run };
}

const versions = (world) => Promise.all(world.hosts.map((host) => world.version(host)));

async function assertVersions({ api, shop }, ofApi, ofShop) {
  assert.deepEqual({ api: await versions(api), shop: await versions(shop) }, { api: [ofApi, ofApi], shop: [ofShop, ofShop] });
}

const services = (run) => run.events.map(({ service }) => service).filter((each, i, all) => each && each !== all[i - 1]);

test('two services in one run', async (t) => {
  const both = await start(t);
  const { api, shop, machine, file, run } = both;
  for (const world of [api, shop]) for (const version of ['1.0', '2.0']) world.make(version);

  await t.test('what is needed goes first', async () => {
    const first = assertCode(await run(['release', '1.0', '--yes']), 0);
    assert.deepEqual(services(first), ['school-api', 'shop']);
    const ends = first.events.filter(({ event }) => event === 'end').map(({ service, state }) => `${service} ${state}`);
    assert.deepEqual(ends, ['school-api done', 'shop done']);
    const { event, done, not_begun: rest, exit } = first.events.at(-1);
    assert.deepEqual({ event, done, rest, exit }, { event: 'run', done: ['school-api', 'shop'], rest: [], exit: 0 });
    await assertVersions(both, '1.0', '1.0');
  });

  await t.test('versions are of all, or of one; each service gets one', async () => {
    const plan = assertCode(await run(['plan', '1.0', 'shop=2.0']), 0);
    assert.deepEqual(plan.events.map(({ service, version }) => `${service} ${version}`), ['school-api 1.0', 'shop 2.0']);
    const refused = async (words, says) => assert.match(assertCode(await run(['release', ...words, '--yes'], plain), 2).err, says);
    await refused(['shop=2.0'], /school-api gets no version: add school-api=VERSION/);
    await refused(['2.0', 'scool-api=1.4'], /"scool-api=1\.4" is for none of the services that are given: school-api, shop/);
    await refused(['1.0', '2.0'], /two versions for all/);
    await refused(['shop=1.0', 'shop=2.0', '1.0'], /two versions of shop/);
    await refused(['shop=../x', '1.0'], /"\.\.\/x" is no version/);
    assert.match(assertCode(await run(['status'], plain), 2).err, /status is about one service/);
    assert.match(assertCode(await run(['release', '2.0', '--yes'], { ...plain, second: file(shop) }), 2).err, /both of service "shop"/);
    const alone = assertCode(await machine.run(['plan', '2.0'], plain), 0);
    assert.match(alone.err, /note: shop needs school-api, whose file is not given/);
    await assertVersions(both, '1.0', '1.0');
  });

  await t.test('a circle is refused with its places, before anything is touched', async () => {
    api.write('circle.yaml', { ...API, needs: ['elsewhere', 'shop'] });
    const refused = assertCode(await run(['release', '2.0', '--yes'], { ...plain, second: file(api, 'circle.yaml') }), 2);
    assert.equal(refused.out, '');
    assert.match(refused.err, /^release\.yaml:\d+:8: error: shop needs school-api$/m);
    assert.match(refused.err, /circle\.yaml:\d+:20: error: school-api needs shop$/m);
    assert.match(refused.err, /shop needs school-api needs shop: no order can hold that/);
    await assertVersions(both, '1.0', '1.0');
  });

  await t.test('on a terminal all are asked about at once', async () => {
    const asked = onTerminal(shop, ['release', '2.0', '-f', 'release.yaml', '-f', file(api)], (fn) => t.after(fn));
    await waitUntil(() => asked.out.includes('begin? [y/N]'), 20_000, 'the question');
    asked.type('n\n');
    await asked.done;
    assert.equal(asked.code, 6, asked.out);
    assert.match(asked.out, /school-api: 1\.0 -> 2\.0, \d+ steps on 2 hosts\s+shop: 1\.0 -> 2\.0, .*\s+2 services, in this order; begin\? \[y\/N\]/);
    await assertVersions(both, '1.0', '1.0');
  });

  await t.test('what cannot be of the second is known before the first is touched', async () => {
    shop.write('away.yaml', { ...SHOP, routers: { front: { nginx: 'http://127.0.0.1:1/pourover' } } });
    const refused = assertCode(await machine.run(['release', '2.0', '--yes', '-f', file(api)], { ...plain, file: 'away.yaml' }), 3);
    assert.match(refused.err, /shop: .*nothing was begun, of no service/s);
    assert.equal(refused.out, '');
    await assertVersions(both, '1.0', '1.0');
  });

  await t.test('a halt of the first leaves the second alone; what is left is told, also by resume', async () => {
    api.make('2.0', 'say');
    const halted = assertCode(await run(['release', '2.0', '--yes', '--junit', 'report.xml']), 1);
    assert.deepEqual(services(halted), ['school-api']);
    const command = `pourover release shop=2.0 -f release.yaml`;
    const told = halted.events.at(-1);
    assert.deepEqual([told.done, told.stopped, told.not_begun, told.command, told.exit], [[], 'school-api', ['shop'], command, 1]);
    assert.deepEqual(await versions(shop), ['1.0', '1.0']);
    const report = readFileSync(path.join(shop.dir, 'report.xml'), 'utf8');
    assert.match(report, /<testsuites>[^]*name="pourover school-api 2\.0" tests="\d+" failures="1"[^]*name="pourover shop 2\.0" tests="(\d+)" failures="0" errors="0" skipped="\1"/);

    const again = assertCode(await machine.resume({ file: file(api), ...plain }), 1);
    assert.match(again.out, new RegExp(`^not begun: shop; when school-api is done, go on with\n  ${command}$`, 'm'));
    api.make('2.0');
    const elsewhere = shop.at('other'); // with an empty journal: the hosts know it
    const resumed = assertCode(await elsewhere.resume({ file: file(api) }), 0);
    const rest = resumed.events.at(-1);
    assert.deepEqual([rest.event, rest.service, rest.not_begun, rest.command], ['rest', 'school-api', 'shop', command]);
    await assertVersions(both, '2.0', '1.0');
    const [, ...words] = rest.command.split(' ').slice(0, -2);
    assertCode(await machine.run([...words, '--yes']), 0);
    await assertVersions(both, '2.0', '2.0');
    const nothing = assertCode(await machine.resume({ file: file(api), ...plain }), 0);
    assert.match(nothing.out, /is done already: nothing is left to do\n$/, 'what has ended has nothing left');
  });

  await t.test('restart takes several, and a signal: the one on its way pauses, the other is not begun', async () => {
    const paused = machine.start(['restart', '--yes', '-f', file(api)]);
    await paused.untilStep('west-1', 'start', 'running');
    paused.kill('SIGTERM');
    assertCode(await paused.done, 130);
    assert.deepEqual(services(paused), ['school-api']);
    assert.equal(paused.events.at(-1).command, 'pourover restart -f release.yaml');
  });
});
