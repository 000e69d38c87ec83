// The world that releases are tried in: it serves, it counts, and what is done wrongly in it shows in its ledgers.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainByHand, orderPeer, startByHand, tellSidecar } from '../support/release-hosts.mjs';
import { run } from '../support/program.mjs';
import { ReleaseWorld } from '../support/release-world.mjs';
import { waitUntil } from '../support/wait.mjs';

async function startServing(t, options) {
  const world = await ReleaseWorld.start(t, options);
  world.make('1.0');
  const hands = await Promise.all(world.hosts.map((host) => startByHand(world, host, '1.0')));
  await world.untilUp();
  return { world, hands: new Map(world.hosts.map((host, i) => [host.name, hands[i]])) };
}

for (const sidecar of [false, true]) {
  test(`hosts ${sidecar ? 'behind sidecars' : 'alone'} serve pages and calls through two routers, and the ledgers agree`, async (t) => {
    const { world, hands } = await startServing(t, { routers: 2, sidecar });
    await world.startLoad();
    await world.untilAnswered(100);
    const host = world.host('west-1');
    await drainByHand(world, host);
    await hands.get('west-1').stop();
    world.make('2.0');
    const from = Date.now();
    await startByHand(world, host, '2.0');
    await world.untilAnswered(50);
    assert.equal(world.servedBetween('west-1', from, Date.now()), 0);
    await orderPeer(world, host, { state: 'ready' });
    await waitUntil(() => world.served().some(({ version }) => version === '2.0'), 10_000, 'a visitor of 2.0');
    const joins = await world.assertNothingLost(t);
    for (const { kinds } of joins) assert.deepEqual(Object.keys(kinds).sort(), ['grpc', 'h2', 'http1']);
    assert.match(world.timeline()[0], /^west-1: 1\.0 .*, 2\.0 /);
    const { hosts, routers } = await world.state();
    assert.deepEqual(hosts['west-1'], { versions: ['2.0'], ...(sidecar && { failing: false }) });
    assert.deepEqual(routers.front['east-2'], ['east-2 web stable ready']);
  });
}

test('a sidecar that is told to fail takes its host out, though its application is well', async (t) => {
  const { world } = await startServing(t, {});
  await world.startLoad();
  await world.untilAnswered(50);
  const host = world.host('east-1');
  await tellSidecar(host, 'fail');
  await waitUntil(async () => world.peersOf(host, (await world.ask()).peers)[0].health === 'down', 5_000, 'east-1 down');
  const from = Date.now();
  await world.untilAnswered(80);
  assert.equal(world.servedBetween('east-1', from, Date.now()), 0);
  assert.equal((await world.state()).hosts['east-1'].failing, true);
  await tellSidecar(host, 'ok');
  await world.untilUp();
  await world.assertNothingLost(t);
});

test('a host that is killed under visitors: the ledgers tell', async (t) => {
  const { world, hands } = await startServing(t, { datacenters: { west: 1 }, sidecar: false });
  await world.startLoad();
  await world.untilAnswered(50);
  await hands.get('west-1').stop('SIGKILL');
  await sleep(200);
  const [join] = await world.joinUp();
  assert.ok(join.failed > 0, 'visitors of the only host failed');
});

test('the API test of the demo service passes a good version and fails the broken one', async (t) => {
  const world = await ReleaseWorld.start(t, { datacenters: { west: 2 }, sidecar: false });
  world.make('1.0');
  world.make('2.1-broken', 'say');
  const [good, broken] = world.hosts;
  await startByHand(world, good, '1.0');
  await startByHand(world, broken, '2.1-broken');
  const tests = (host) => run(['test', `${world.dir}/tests/api.yaml`, '--target', `127.0.0.1:${host.port('web')}`]);
  const passed = await tests(good);
  assert.equal(passed.code, 0, passed.out + passed.err);
  const failed = await tests(broken);
  assert.equal(failed.code, 1, failed.out + failed.err);
  assert.match(failed.out, /expected +a cup of coffee\n +got +I am sorry\?/);
});
