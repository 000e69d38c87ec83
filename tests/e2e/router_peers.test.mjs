// Peers, drains, maintenance, health and events by the program, against routers that keep to the API's contract, or break it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { json, run, start, withRouters } from '../support/program.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

const A = '10.0.1.11:80';
const B = '10.0.1.12:80';
const CANARY = '10.0.2.11:80';
const NAME = 'app-new:80';
const TWO = [{}, {}];

const checked = (reason, text, more) => ({ reason, text, at_ms: Date.now() - 14_000, took_us: 812, streak: 7, changes: 1, ...more });
const writes = (router) => router.calls.filter((call) => call.method !== 'GET');
const away = async () => ({ api: `http://127.0.0.1:${await freePort()}/pourover` });
const named = (error = '') => ({
  names: [{ address: NAME, track: 'canary', addresses: 2, error }],
  peers: [{ address: A }, { address: B },
    ...['10.0.3.1:80', '10.0.3.2:80'].map((address) => ({ address, name: NAME, origin: 'name', track: 'canary' }))],
});

describe('peers', () => {
  test('a table of all routers', () => withRouters([{ peers: [
    { address: A, dc: 'east', health: 'up', check: checked('ok', 'status 200') },
    { address: B, weight: 4, weight_now: 1.5, health: 'down', check: checked('status', 'status 503') },
    { address: '10.0.1.13:80', health: 'unknown' },
    { address: 'unix:/run/app.sock', track: 'canary', name: 'app', requests: 81000, failures: 3 },
  ] }, {}], async (router) => {
    router.shop.hold(B, 2);
    const { out, code } = await run(['router', 'peers'], [router]);
    assert.equal(code, 0);
    assert.match(out, /^service shop\nROUTER +PEER +TRACK +DC +WEIGHT +STATE +HEALTH +IN FLIGHT +REQUESTS\n/);
    assert.match(out, /east +10\.0\.1\.11:80 +stable +east +1 +ready +up +0 +0\n/);
    assert.match(out, /east +10\.0\.1\.12:80 +stable +1\.5\/4 +ready +down: status 503 \(7 in a row, 1[45]\.\ds ago\) +2 +0\n/);
    assert.match(out, /10\.0\.1\.13:80 .* unknown +0/);
    assert.match(out, /unix:\/run\/app\.sock \(app\) +canary +1 +ready +unchecked +0 +81,000\n/);
    const verbose = await run(['router', 'peers', '-v'], [router]);
    assert.match(verbose.out, /10\.0\.1\.12:80: from config, 0 failures; last seen: status: status 503, 0\.8ms, 7 in a row, 1 changes of health, 1\d\.\ds ago\n/);
    assert.match(verbose.out, /app\.sock: from config, 3 failures\n/);
  }));

  test('a drain with who, since when and what is left of its limits', () => withRouters([{}], async (router) => {
    await run(['router', 'drain', A, '--by', 'release 12', '--requests', '40s', '--no-wait'], [router]);
    const { out } = await run(['router', 'peers'], [router]);
    assert.match(out, /10\.0\.1\.11:80 .* draining by release 12 for \d\.\ds, requests end in (39|40)\.\ds +unchecked/);
    await run(['router', 'drain', A, '--requests', '1ms', '--streams', '40s', '--no-wait'], [router]);
    await waitUntil(async () => /draining for \d\.\ds, requests ended, streams end in (39|40)\.\ds +unchecked/
      .test((await run(['router', 'peers'], [router])).out), 5000, 'the end of the limit in the table');
  }));

  test('names: without an address, with old ones, with good ones', () => withRouters([
    { names: [{ address: NAME, track: 'canary', error: 'host not found' }, { address: 'app-2:80' }] }, named('resolver timed out'), named()], async (...routers) => {
    const [none, old, good] = await Promise.all(routers.map((router) => run(['router', 'peers'], [router])));
    assert.match(none.out, /app-new:80 +canary +1 +ready +no address: host not found +- +-\n/);
    assert.match(none.out, /app-2:80 +stable +1 +ready +no address: not resolved yet/);
    assert.match(old.out, /app-new:80 +canary +1 +ready +keeps its last addresses: resolver timed out/);
    assert.match(good.out, /10\.0\.3\.1:80 \(app-new:80\) +canary/);
    assert.doesNotMatch(good.out, /east +app-new:80/);
  }));

  const differences = [
    ['a drain', { peers: [{ address: A, state: 'draining' }, { address: B }] }, '10.0.1.11:80 (stable) is ready at east, draining at west'],
    ['a peer', { peers: [{ address: A }] }, '10.0.1.12:80 (stable) is a peer of east, not of west'],
    ['a weight', { peers: [{ address: A }, { address: B, weight: 3 }] }, '10.0.1.12:80 (stable) has the weight 1 at east, 3 at west'],
  ];
  for (const [what, other, line] of differences) {
    test(`routers that differ in ${what}`, () => withRouters([{ peers: [{ address: A }, { address: B }] }, other], async (...routers) => {
      const text = await run(['router', 'peers'], routers);
      assert.equal(text.code, 1);
      assert.ok(text.out.includes(`the routers differ:\n${line}\n`), text.out);
      const body = await json(['router', 'peers'], routers);
      assert.deepEqual([body.agree, body.differences], [false, [line]]);
    }));
  }

  test('a router in maintenance, and one that is not', () => withRouters(TWO, async (east, west) => {
    await run(['router', 'maintenance', 'on', '--by', 'mia', '--message', 'soon'], [west]);
    const text = await run(['router', 'peers'], [east, west]);
    assert.equal(text.code, 1);
    assert.match(text.out, /west: in maintenance by mia, \d\.\ds ago: soon\n/);
    assert.match(text.out, /maintenance is off at east, on at west\n/);
  }));

  test('health and in flight are each router\'s own: no difference', () => withRouters([{}, { peers: [
    { address: A, health: 'down', check: checked('connect', 'refused') }, { address: B }, { address: CANARY, track: 'canary' }] }], async (...routers) => {
    routers[0].shop.hold(A, 3);
    assert.equal((await run(['router', 'peers'], routers)).code, 0);
  }));

  test('a router that cannot be reached is told, the others are shown', () => withRouters([{}], async (router) => {
    const routers = [router, await away()];
    const text = await run(['router', 'peers'], routers);
    assert.equal(text.code, 3);
    assert.match(text.out, /east +10\.0\.1\.11:80/);
    assert.match(text.out, /west: ERROR: .*127\.0\.0\.1/);
    const body = await json(['router', 'peers'], routers);
    assert.deepEqual(body.routers.map((each) => each.reached), [true, false]);
    assert.equal(body.routers[0].peers.length, 3);
  }));

  test('JSON has everything that the API has', () => withRouters([{ ...named(), peers: [
    { address: A, health: 'down', check: checked('status', 'status 503') }, { address: CANARY, track: 'canary', state: 'draining',
      drain: { by: 'x', since_ms: 5, requests_until_ms: 0, streams_until_ms: 9 } }] }], async (router) => {
    const body = await json(['router', 'peers'], [router]);
    const [east] = body.routers;
    const shown = router.shop.show();
    const [first, second] = shown.peers;
    assert.deepEqual(east.peers[0], first);
    assert.deepEqual(east.peers[1], { ...second, check: null });
    assert.deepEqual(east.names, shown.names);
    assert.deepEqual(east.maintenance, shown.maintenance);
  }));

  test('an older router: unchecked, and nothing is missed', () => withRouters([{ older: true }, {}], async (...routers) => {
    const text = await run(['router', 'peers'], routers);
    assert.equal(text.code, 0, text.out);
    assert.match(text.out, /east +10\.0\.1\.11:80 +stable +1 +ready +unchecked/);
    assert.equal((await run(['router', 'status', '-v'], routers)).code, 0);
    assert.equal((await run(['router', 'watch', '--interval', '100ms', '--for', '100ms'], routers)).code, 0);
  }));
});

describe('drain', () => {
  test('is set on all routers and proved by two readings', () => withRouters(TWO, async (...routers) => {
    const body = await json(['router', 'drain', A, '--by', 'release 12', '--requests', '30s', '--streams', '5m'], routers);
    assert.equal(body.exit, 0);
    for (const router of routers) {
      assert.deepEqual(writes(router).map((call) => [call.method, call.path, JSON.parse(call.body)]), [
        ['PATCH', `v1/services/shop/peers/${A}`, { state: 'draining', by: 'release 12', requests_ms: 30_000, streams_ms: 300_000 }]]);
      const after = router.calls.slice(router.calls.findIndex((call) => call.method === 'PATCH') + 1).map((call) => call.path);
      assert.ok(after.filter((path) => path === 'v1/services/shop').length >= 3, 'set, then two readings');
      assert.ok(after.filter((path) => path === 'v1/status').length >= 2, 'and no second master at either');
      assert.equal(router.shop.peer(B).state, 'ready');
    }
    assert.deepEqual(body.routers.map((router) => router.peers.map((peer) => [peer.result, peer.state, peer.in_flight])), [
      [['proved', 'draining', 0]], [['proved', 'draining', 0]]]);
  }));

  test('waits for what is in flight', () => withRouters(TWO, async (east, west) => {
    west.shop.hold(A, 3);
    const child = start(['router', 'drain', A], [east, west]);
    await waitUntil(() => child.result.out.includes('waiting: west: 10.0.1.11:80: 3 in flight'), 10_000, 'a line while it waits');
    assert.equal(child.exitCode, null);
    west.shop.end(A);
    const result = await child.done;
    assert.equal(result.code, 0);
    assert.match(result.out, /east +10\.0\.1\.11:80 +stable +draining +1 +unchecked +0 +drained\n/);
    assert.match(result.out, /west +10\.0\.1\.11:80 +stable +draining +1 +unchecked +0 +drained\n/);
  }));

  test('one reading without a request is no proof', () => withRouters([{}], async (router) => {
    let readings = 0;
    router.knobs.api = (method, path) => {
      if (router.shop.peer(A).state !== 'draining' || path !== 'v1/services/shop') return;
      readings += 1;
      router.shop.end(A);
      if (readings === 3) router.shop.hold(A, 1); // 1: read back; 2: nothing in flight; 3: a late one
    };
    assert.equal((await run(['router', 'drain', A], [router])).code, 0);
    assert.ok(readings >= 5, `${readings} readings`);
  }));

  test('the time to wait is over: what still is in flight', () => withRouters(TWO, async (east, west) => {
    west.shop.hold(A, [{ method: 'POST', uri: '/demo.Echo/Chat', stream: true }, { unit: null, since_ms: Date.now() - 75_000 }]);
    const text = await run(['router', 'drain', A, '--wait', '700ms'], [east, west]);
    assert.equal(text.code, 4);
    assert.match(text.err, /^pourover: router west: 10\.0\.1\.11:80: not proved: 2 in flight\n$/);
    assert.match(text.out, /east .* drained\n/);
    assert.match(text.out, /west: 10\.0\.1\.11:80: in flight: POST \/demo\.Echo\/Chat, a stream, \d\.\ds old, unit 8f3c01d2a4b5e697, client 203\.0\.113\.9\n/);
    assert.match(text.out, /west: 10\.0\.1\.11:80: in flight: GET \/chat, 1m1\ds old, client 203\.0\.113\.9\n/);
    assert.equal(west.shop.peer(A).state, 'draining', 'it stays');
    const body = await json(['router', 'drain', A, '--wait', '300ms'], [east, west]);
    assert.equal(body.exit, 4);
    assert.deepEqual(body.routers[1].peers[0].active.map((request) => [request.uri, request.stream, request.unit]), [
      ['/demo.Echo/Chat', true, '8f3c01d2a4b5e697'], ['/chat', false, null]]);
  }));

  test('more than 64 requests are counted', () => withRouters([{}], async (router) => {
    router.shop.hold(A, 70);
    const { out, code } = await run(['router', 'drain', A, '--wait', '300ms'], [router]);
    assert.equal(code, 4);
    assert.equal(out.match(/in flight: GET/g).length, 64);
    assert.match(out, /in flight: 6 more\n/);
  }));

  test('what the limits ended is listed, and what an earlier drain ended is not', () => withRouters([{}], async (router) => {
    router.shop.peer(A).cut.push({ at_ms: 5, since_ms: 1, method: 'GET', uri: '/old', stream: false, unit: null, client: '::1' });
    router.shop.hold(A, [{}, { method: 'POST', uri: '/demo.Echo/Chat', stream: true }]);
    const text = await run(['router', 'drain', A, '--requests', '100ms', '--streams', '400ms'], [router]);
    assert.equal(text.code, 0, text.err);
    assert.match(text.out, /drained\neast: 10\.0\.1\.11:80: cut: GET \/chat, 2\.\ds old, unit .*\neast: 10\.0\.1\.11:80: cut: POST \/demo\.Echo\/Chat, a stream, 2\.\ds old, .*\n$/);
    assert.doesNotMatch(text.out, /\/old/);
  }));

  test('--no-wait sets it and reads it back', () => withRouters([{}], async (router) => {
    router.shop.hold(A, 1);
    const { out, code } = await run(['router', 'drain', A, '--no-wait'], [router]);
    assert.equal(code, 0);
    assert.match(out, /draining +1 +unchecked +1 +draining\n/);
  }));

  test('a second NGINX master: what it has in flight is not known', () => withRouters([{}, { upgrading: true }], async (east, west) => {
    const text = await run(['router', 'drain', A, '--wait', '500ms'], [east, west]);
    assert.equal(text.code, 4);
    assert.match(text.err, /router west: .*nginx is being upgraded: what the other master has in flight is not known/);
    const child = start(['router', 'drain', A], [east, west]);
    await waitUntil(() => child.result.out.includes('being upgraded'), 10_000, 'the reason');
    west.upgrading = false;
    assert.equal((await child.done).code, 0);
  }));

  test('a router that cannot be reached: the others are drained, and it is not proved', () => withRouters([{}], async (router) => {
    const routers = [await away(), router];
    const body = await json(['router', 'drain', A, '--timeout', '1s'], routers);
    assert.equal(body.exit, 3);
    assert.match(body.error, /router east: 10\.0\.1\.11:80: not proved: .*127\.0\.0\.1/);
    assert.deepEqual(body.routers.map((each) => each.peers[0].result), ['not proved', 'proved']);
    assert.equal(router.shop.peer(A).state, 'draining');
    assert.equal((await run(['router', 'drain', A], [routers[0]])).code, 3);
  }));

  test('a router that is away and comes back in time is told: drained, and undrained', () => withRouters(TWO, async (east, west) => {
    for (const [command, state] of [['drain', 'draining'], ['undrain', 'ready']]) {
      await west.close();
      const child = start(['router', command, A, '--timeout', '30s'], [east, west]);
      await waitUntil(() => east.shop.peer(A).state === state, 10_000, `east to be ${state}`);
      await west.revive();
      const { code, err } = await child.done;
      assert.equal(code, 0, err);
      assert.equal(west.shop.peer(A).state, state);
    }
  }));

  test('a router that is away and comes back without the peer refuses', () => withRouters([{}, { peers: [{ address: B }] }], async (east, west) => {
    await west.close();
    const child = start(['router', 'drain', A, '--timeout', '30s'], [east, west]);
    await waitUntil(() => east.shop.peer(A).state === 'draining', 10_000, 'east to drain');
    await west.revive();
    const { code, err } = await child.done;
    assert.equal(code, 1);
    assert.match(err, /router west: 10\.0\.1\.11:80: refused: there is no peer/);
  }));

  test('a router that is lost meanwhile is not proved', () => withRouters(TWO, async (east, west) => {
    west.shop.hold(A, 1);
    const child = start(['router', 'drain', A, '--wait', '1500ms'], [east, west]);
    await waitUntil(() => west.shop.peer(A).state === 'draining', 10_000, 'the drain');
    await west.close();
    const result = await child.done;
    assert.equal(result.code, 3);
    assert.match(result.err, /router west: 10\.0\.1\.11:80: not proved: /);
    await west.revive();
  }));

  test('an answer that was lost, but was taken: nothing is said twice', () => withRouters([{}], async (router) => {
    router.knobs.api = (method) => {
      if (method !== 'PATCH') return undefined;
      router.shop.answer('PATCH', `peers/${A}`, new URLSearchParams(), '{"state":"draining"}');
      return 'drop';
    };
    assert.equal((await run(['router', 'drain', A], [router])).code, 0);
    assert.equal(writes(router).length, 1);
  }));

  test('somebody else ends the drain, or removes the peer', () => withRouters(TWO, async (east, west) => {
    for (const [change, message] of [[(peer) => { peer.state = 'ready'; }, /somebody else ended the drain of it meanwhile/],
      [(peer, router) => { router.shop.peers = router.shop.peers.filter((each) => each !== peer); }, /somebody else removed it meanwhile/]]) {
      west.shop.hold(A, 1);
      const child = start(['router', 'drain', A], [east, west]);
      await waitUntil(() => child.result.out.includes('waiting: '), 10_000, 'the drain');
      change(west.shop.peer(A), west);
      const result = await child.done;
      assert.equal(result.code, 1);
      assert.match(result.err, message);
    }
  }));

  test('not saved: in effect, and told', () => withRouters([{}], async (router) => {
    router.knobs.unsaved = true;
    const { out, code } = await run(['router', 'drain', A], [router]);
    assert.equal(code, 1);
    assert.match(out, /drained, but not saved: No space left on device \(HTTP 507\)\n/);
  }));

  test('a full zone: not done', () => withRouters([{}], async (router) => {
    router.knobs.api = (method) => (method === 'PUT' ? [507, { error: { code: 'not_saved', message: 'the zone is full' } }] : undefined);
    const { err, code } = await run(['router', 'add', '10.0.1.14:80'], [router]);
    assert.equal(code, 1);
    assert.match(err, /router east: 10\.0\.1\.14:80: refused: the zone is full \(HTTP 507\)/);
  }));

  test('a name is drained with all its addresses', () => withRouters([named()], async (router) => {
    router.shop.hold('10.0.3.1:80', 1);
    router.shop.hold('10.0.3.2:80', [{ uri: '/second' }]);
    const text = await run(['router', 'drain', NAME, '--wait', '500ms'], [router]);
    assert.equal(text.code, 4);
    assert.match(text.out, /app-new:80 +canary +draining +1 +2 addresses +2 +not proved: 2 in flight\n/);
    assert.match(text.out, /in flight: GET \/chat.*\n.*in flight: GET \/second/);
    for (const address of ['10.0.3.1:80', '10.0.3.2:80']) router.shop.end(address);
    assert.equal((await run(['router', 'drain', NAME], [router])).code, 0);
    const address = await run(['router', 'drain', '10.0.3.1:80'], [router]);
    assert.equal(address.code, 2);
    assert.match(address.err, /"10\.0\.3\.1:80" is an address of the name app-new:80 at router east and changes with it: say that name/);
  }));

  test('several peers at once', () => withRouters([{ peers: [{ address: A }, { address: B }, { address: '10.0.1.13:80' }] }], async (router) => {
    assert.equal((await run(['router', 'drain', A, B], [router])).code, 0);
    assert.deepEqual(writes(router).map((call) => call.path), [`v1/services/shop/peers/${A}`, `v1/services/shop/peers/${B}`]);
    assert.match((await run(['router', 'drain', A, A], [router])).err, /"10\.0\.1\.11:80" is named twice/);
  }));

  test('a router that hangs costs its timeout once, not once a peer', () => withRouters(TWO, async (east, west) => {
    let hung = 0;
    west.knobs.api = (method) => {
      if (method === 'GET') return undefined;
      hung += 1;
      return 'hang';
    };
    const result = await json(['router', 'drain', A, CANARY, '--timeout', '600ms', '--no-wait'], [east, west]);
    assert.deepEqual(result.routers[0].peers.map((peer) => peer.result), ['proved', 'proved']);
    assert.deepEqual(result.routers[1].peers.map((peer) => peer.result), ['not proved', 'not proved']);
    assert.equal(hung, 1);
    west.release();
  }));

  test('Ctrl-C ends the waiting, not the drain', () => withRouters([{}], async (router) => {
    router.shop.hold(A, 1);
    const child = start(['router', 'drain', A], [router]);
    await waitUntil(() => child.result.out.includes('waiting: '), 10_000, 'the drain');
    child.kill('SIGINT');
    const result = await child.done;
    assert.equal(result.code, 130);
    assert.match(result.err, /interrupted; what was changed stays as it is/);
    assert.equal(router.shop.peer(A).state, 'draining');
  }));
});

test('Ctrl-C while a router does not answer', () => withRouters(TWO, async (east, west) => {
  for (const args of [['drain', A], ['maintenance', 'on'], ['health', 'fail'], ['record', '--hang', '5s']]) {
    let hung = false;
    west.knobs.api = (method) => {
      hung = hung || method !== 'GET';
      return method === 'GET' ? undefined : 'hang';
    };
    const child = start(['router', ...args], [east, west]);
    await waitUntil(() => hung, 10_000, 'the call');
    child.kill('SIGINT');
    const result = await child.done;
    assert.equal(result.code, 130, result.out + result.err);
    assert.match(result.err, /interrupted; what was changed stays as it is/);
    west.release();
  }
}));

describe('who may be taken out', () => {
  const last = [
    ['the last one', [{ address: A }, { address: CANARY, track: 'canary' }], [A]],
    ['all at once', [{ address: A }, { address: B }], [A, B]],
    ['the last that passes', [{ address: A, health: 'up' }, { address: B, health: 'down' }], [A]],
  ];
  for (const [what, peers, out] of last) {
    for (const verb of ['drain', 'down', 'remove']) {
      test(`not ${what} of stable, but by --force: ${verb}`, () => withRouters([{}, { peers }], async (east, west) => {
        east.shop.peers.push(...west.shop.peers.filter((peer) => !east.shop.peer(peer.address)).map((peer) => ({ ...peer })));
        east.shop.peers.push({ ...east.shop.peers[0], address: '10.0.1.99:80', active: [], cut: [] });
        const result = await run(['router', verb, ...out], [east, west]);
        assert.equal(result.code, 1);
        assert.match(result.err, /refused: stable would be left without a peer that takes requests at router west; --force does it all the same/);
        assert.deepEqual([...writes(east), ...writes(west)], [], 'nothing is done anywhere');
        assert.equal((await run(['router', verb, ...out, '--force'], [east, west])).code, 0);
      }));
    }
  }

  test('the last canary may go: its visitors fall back to stable', () => withRouters([{}], async (router) => {
    assert.equal((await run(['router', 'drain', CANARY], [router])).code, 0);
  }));

  test('a peer that no router has: what was meant', () => withRouters(TWO, async (...routers) => {
    const result = await run(['router', 'drain', '10.0.1.1:80', B], routers);
    assert.equal(result.code, 2);
    assert.match(result.err, /there is no peer "10\.0\.1\.1:80"; did you mean "10\.0\.1\.11:80"\?/);
    assert.deepEqual(routers.flatMap(writes), [], 'the other one is not drained either');
    assert.match((await run(['router', 'drain', 'shop.example:443'], routers)).err, /there is no peer "shop\.example:443"; see "pourover router peers"/);
  }));

  test('a peer that one router lacks: the others do it, and it is told', () => withRouters([{}, { peers: [{ address: B }] }], async (...routers) => {
    const body = await json(['router', 'drain', A], routers);
    assert.equal(body.exit, 1);
    assert.match(body.error, /router west: 10\.0\.1\.11:80: refused: there is no peer "10\.0\.1\.11:80"/);
    assert.deepEqual(body.routers.map((router) => router.peers[0].result), ['proved', 'refused']);
  }));

  test('a peer of both tracks needs --track', () => withRouters([{ peers: [{ address: A }, { address: B }, { address: A, track: 'canary' }] }], async (router) => {
    const result = await run(['router', 'drain', A], [router]);
    assert.equal(result.code, 2);
    assert.match(result.err, /is a peer of both tracks at router east: say which by --track stable or --track canary/);
    assert.equal((await run(['router', 'drain', A, '--track', 'canary'], [router])).code, 0);
    assert.deepEqual([router.shop.peer(A, 'stable').state, router.shop.peer(A, 'canary').state], ['ready', 'draining']);
    assert.match((await run(['router', 'undrain', B, '--track', 'canary'], [router])).err, /"10\.0\.1\.12:80" is no peer of canary/);
  }));

  test('a router that says no', () => withRouters([{}], async (router) => {
    router.knobs.api = (method) => (method === 'PATCH' ? [409, { error: { code: 'conflict', message: 'not now' } }] : undefined);
    const result = await run(['router', 'drain', A], [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /router east: 10\.0\.1\.11:80: refused: not now \(HTTP 409\)/);
  }));

  test('a change that is taken and does not show is not proved', () => withRouters([{}], async (router) => {
    router.knobs.api = (method) => (method === 'PATCH' ? [200, { saved: true }] : undefined);
    const result = await run(['router', 'down', A, '--timeout', '500ms'], [router]);
    assert.equal(result.code, 4);
    assert.match(result.err, /not proved: it was said, but does not show/);
  }));
});

describe('undrain, down, add, remove, weight', () => {
  test('undrain brings a peer back on all routers and tells its health', () => withRouters(TWO, async (...routers) => {
    await run(['router', 'drain', A], routers);
    Object.assign(routers[1].shop.peer(A), { health: 'down', check: checked('connect', 'connection refused') });
    const { out, code } = await run(['router', 'undrain', A], routers);
    assert.equal(code, 0);
    assert.match(out, /east +10\.0\.1\.11:80 +stable +ready +1 +unchecked +0 +ready\n/);
    assert.match(out, /west +10\.0\.1\.11:80 +stable +ready +1 +down: connection refused \(7 in a row, .* ago\) +0 +ready\n/);
    assert.deepEqual(routers.map((router) => [router.shop.peer(A).state, router.shop.peer(A).drain]), [['ready', null], ['ready', null]]);
  }));

  test('down, and back', () => withRouters(TWO, async (...routers) => {
    assert.equal((await run(['router', 'down', A], routers)).code, 0);
    assert.deepEqual(routers.map((router) => router.shop.peer(A).state), ['down', 'down']);
    assert.equal((await run(['router', 'undrain', A], routers)).code, 0);
    assert.deepEqual(routers.map((router) => router.shop.peer(A).state), ['ready', 'ready']);
  }));

  test('add and remove', () => withRouters(TWO, async (...routers) => {
    const added = await run(['router', 'add', '10.0.2.12:80', 'unix:/run/app.sock', '--track', 'canary', '--weight', '3', '--dc', 'east'], routers);
    assert.equal(added.code, 0, added.err);
    assert.match(added.out, /west +unix:\/run\/app\.sock +canary +ready +3 +unchecked +0 +added\n/);
    for (const router of routers) {
      const peer = router.shop.peer('unix:/run/app.sock');
      assert.deepEqual([peer.track, peer.weight, peer.dc, peer.origin], ['canary', 3, 'east', 'api']);
    }
    const removed = await run(['router', 'remove', '10.0.2.12:80', 'unix:/run/app.sock'], routers);
    assert.equal(removed.code, 0, removed.err);
    assert.match(removed.out, /east +10\.0\.2\.12:80 +- +- +- +- +- +removed\n/);
    assert.deepEqual(routers.map((router) => router.shop.peers.length), [3, 3]);
  }));

  test('adding a peer that is there changes what is named, and never its track', () => withRouters([{ peers: [{ address: A, dc: 'east', weight: 3 }] }], async (router) => {
    assert.equal((await run(['router', 'add', A], [router])).code, 0);
    assert.deepEqual([router.shop.peer(A).weight, router.shop.peer(A).dc], [3, 'east']);
    assert.equal((await run(['router', 'add', A, '--weight', '5'], [router])).code, 0);
    assert.equal(router.shop.peer(A).weight, 5);
    assert.equal((await run(['router', 'add', A, '--track', 'canary'], [router])).code, 0);
    assert.deepEqual(router.shop.peers.map((peer) => [peer.address, peer.track]), [[A, 'stable'], [A, 'canary']]);
    const other = await run(['router', 'add', A, '--dc', 'west'], [router]);
    assert.equal(other.code, 1);
    assert.match(other.err, /refused: dc of this peer is "east" \(HTTP 409\)/);
  }));

  test('a name cannot be added', () => withRouters([{}], async (router) => {
    const result = await run(['router', 'add', 'app:80'], [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /refused: "app:80" is no IP address with a port and no unix: path \(HTTP 400\)/);
  }));

  test('weight', () => withRouters(TWO, async (...routers) => {
    const result = await run(['router', 'weight', A, '4'], routers);
    assert.equal(result.code, 0);
    assert.deepEqual(routers.map((router) => router.shop.peer(A).weight), [4, 4]);
    assert.equal((await run(['router', 'weight', A, '0'], routers)).code, 2);
  }));

  const wrong = [
    [['drain'], /router drain lacks its operand: pourover router drain PEER\.\.\./],
    [['drain', ''], /"" is no address of a peer, such as 10\.0\.1\.11:8080/],
    [['drain', 'a b'], /"a b" is no address of a peer/],
    [['drain', A, '--requests', '30'], /--requests: "30" is not a time from 0 to 30d, such as 30s/],
    [['drain', A, '--streams', 'x'], /--streams: "x" is not a time/],
    [['drain', A, '--wait', '0'], /--wait: "0" is not a time from 1ms/],
    [['drain', A, '--by', 'x'.repeat(65)], /--by: ".*" is not UTF-8 of at most 64 bytes/],
    [['drain', A, '--by', 'a\nb'], /--by: .* has a control character/],
    [['drain', A, '--track', 'blue'], /--track: "blue" is no track: there are stable and canary/],
    [['undrain', A, '--force'], /no option "--force"/],
    [['weight', A], /lacks its operand: pourover router weight PEER N/],
    [['weight', A, '1001'], /"1001" is not a weight from 1 to 1000/],
    [['add', A, '--weight', '1.5'], /--weight: "1\.5" is not a weight from 1 to 1000/],
    [['maintenance', 'up'], /router maintenance: "up" is neither on nor off/],
    [['maintenance', 'on', '--message', 'x'.repeat(201)], /--message: .* is not UTF-8 of at most 200 bytes/],
    [['health', 'down'], /router health: "down" is neither fail nor ok/],
    [['health', 'fail', '--service', 'shop'], /no option "--service"/],
    [['events', '--kind', 'ap'], /--kind: "ap" is no kind of event; did you mean "app"\?/],
    [['events', '--kind', 'app,4xx'], /--kind: "4xx" is no kind of event; see/],
    [['events', '--limit', '0'], /--limit: "0" is not a number of events/],
    [['record', '--slow', '2s,500ms'], /--slow: "2s,500ms" is not at most 4 rising times/],
    [['record', '--slow', '1s,2s,3s,4s,5s'], /is not at most 4 rising times/],
    [['record', '--slow', '0'], /--slow: "0" is not a time from 1ms to 1h/],
    [['record', '--sample', '100'], /--sample: "100" is not 0 \(off\) nor a power of two/],
    [['record', '--also', '5xx'], /--also: "5xx" is neither 4xx nor 3xx/],
  ];
  for (const [args, message] of wrong) {
    test(`wrong: pourover router ${JSON.stringify(args.join(' ')).slice(0, 60)}`, () => withRouters([{}], async (router) => {
      const result = await run(['router', ...args], [router]);
      assert.match(result.err, message);
      assert.equal(result.code, 2);
      assert.deepEqual(writes(router), []);
    }));
  }
});

describe('maintenance and health', () => {
  test('maintenance on and off, on all routers', () => withRouters(TWO, async (...routers) => {
    const on = await run(['router', 'maintenance', 'on', '--by', 'mia', '--message', 'back at 12:00'], routers);
    assert.equal(on.code, 0);
    assert.match(on.out, /ROUTER +MAINTENANCE +BY +MESSAGE +RESULT\neast +ON +mia, \d\.\ds ago +back at 12:00 +done\nwest +ON /);
    for (const router of routers) {
      assert.deepEqual(writes(router).map((call) => [call.path, JSON.parse(call.body)]), [
        ['v1/services/shop/maintenance', { on: true, by: 'mia', message: 'back at 12:00' }]]);
    }
    assert.match((await run(['router', 'status'], routers)).out, /in maintenance: back at 12:00/);
    const shown = await json(['router', 'maintenance'], routers);
    assert.deepEqual(shown.routers.map((router) => [router.maintenance, router.by, router.note]), [[true, 'mia', 'back at 12:00'], [true, 'mia', 'back at 12:00']]);
    const off = await json(['router', 'maintenance', 'off'], routers);
    assert.deepEqual(off.routers.map((router) => [router.maintenance, router.result]), [[false, 'proved'], [false, 'proved']]);
  }));

  test('maintenance of a router that cannot be reached is not proved', () => withRouters([{}], async (router) => {
    const routers = [router, await away()];
    const body = await json(['router', 'maintenance', 'on'], routers);
    assert.equal(body.exit, 3);
    assert.deepEqual(body.routers.map((each) => each.result), ['proved', 'not proved']);
    assert.match(body.error, /^router west: /);
    assert.equal(router.shop.maintenance.on, true);
  }));

  test('health fails by command until ok', () => withRouters([{ services: [] }, { services: ['a', 'b'] }], async (...routers) => {
    assert.match((await run(['router', 'health'], routers)).out, /east +ok .*\nwest +ok /);
    const fail = await run(['router', 'health', 'fail', '--by', 'release 12'], routers);
    assert.equal(fail.code, 0, 'no service is needed');
    assert.match(fail.out, /east +FAIL +release 12, \d\.\ds ago +done\n/);
    assert.deepEqual(writes(routers[0]).map((call) => [call.method, call.path, call.body]), [['POST', 'healthcheck/fail', '{"by":"release 12"}']]);
    assert.equal(routers[1].healthcheck.failing, true);
    assert.match((await run(['router', 'health'], routers)).out, /west +FAIL +release 12/);
    assert.equal((await run(['router', 'health', 'ok'], routers)).code, 0);
    const last = writes(routers[0]).at(-1);
    assert.deepEqual([last.path, last.body, last.headers['content-type']], ['healthcheck/ok', '', undefined]);
    assert.equal(routers[0].healthcheck.failing, false);
  }));

  test('status tells that the checks fail by command', () => withRouters([{}], async (router) => {
    await run(['router', 'health', 'fail', '--by', 'mia'], [router]);
    assert.match((await run(['router', 'status'], [router])).out, /health checks fail by command: mia/);
    assert.equal((await json(['router', 'status'], [router])).routers[0].health_failing, true);
  }));

  test('a flag file that could not be removed: ok holds until the next start only', () => withRouters([{}], async (router) => {
    router.healthcheck.flag_file = '/var/lib/pourover/fail';
    router.knobs.flagLeft = true;
    await run(['router', 'health', 'fail'], [router]);
    const result = await run(['router', 'health', 'ok'], [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /router east: the file \/var\/lib\/pourover\/fail could not be removed: the next start fails again/);
    assert.equal(router.healthcheck.failing, false);
  }));

  test('an older router does not know the command', () => withRouters([{ older: true }], async (router) => {
    assert.match((await run(['router', 'health'], [router])).out, /east +ok +not known to this version/);
    const result = await run(['router', 'health', 'fail'], [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /router east: there is no healthcheck\/fail \(HTTP 404\)/);
  }));
});

describe('status and watch', () => {
  const sick = { peers: [{ address: A, health: 'up' }, { address: B, health: 'down' }, { address: CANARY, track: 'canary', health: 'unknown' }] };

  test('failing and unknown peers are told', () => withRouters([sick], async (router) => {
    router.units = [{ revision: 41, share_ppm: 1000, since_ms: 5, stable: 98000, canary: 97 }];
    router.stats.stable.panic = 3;
    router.stats.canary.cut = 2;
    assert.match((await run(['router', 'status'], [router])).out, /1 failing: stable; no live peer: canary/);
    const { out } = await run(['router', 'status', '-v'], [router]);
    assert.match(out, /east: stable: 2 peers, 1 live, 1 failing, 0 unknown; 3 times in panic, /);
    assert.match(out, /east: canary: 1 peers, 0 live, 0 failing, 1 unknown; .*, 2 cut by drains\n/);
    assert.match(out, /visitors under revision 41 \(0\.1%\): about 98,000 on stable, 97 on the canary \(standard error 2\.30%\)\n/);
    assert.match(out, /east: process 4711 checks the peers: 120 checks, 0 late\n/);
    const { tracks } = (await json(['router', 'status'], [router])).routers[0];
    assert.deepEqual(tracks.canary, { peers: 1, live: 0, failing: 0, unknown: 1, in_flight: 0 });
  }));

  test('watch tells them too', () => withRouters([sick], async (router) => {
    const args = ['router', 'watch', '--interval', '100ms', '--for', '100ms'];
    const { out } = await run(args, [router]);
    assert.match(out, /; stable: 2 peers, 1 live, 1 failing, 0 unknown; canary: 1 peers, 0 live, 0 failing, 1 unknown\n/);
    const line = JSON.parse((await run([...args, '--json'], [router])).out.split('\n')[0]);
    assert.deepEqual(line.routers[0].peers.stable, { peers: 2, live: 1, failing: 1, unknown: 0 });
  }));
});

describe('events', () => {
  const lines = (text) => text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));

  test('of all routers by the time when requests began', () => withRouters(TWO, async (east, west) => {
    east.shop.event({ start_ms: 1763766058000.5, kind: 'app', status: 503, final_status: 200, served: 'stable' });
    west.shop.event({ start_ms: 1763766057000, kind: 'grpc', status: 200, final_status: 200, grpc: 14, unit: null, assigned: 'stable', served: 'stable' });
    east.shop.event({ start_ms: 1763766056000, kind: 'connect', status: 0, nth: 5, took_us: 2_500_000 });
    const { out, code } = await run(['router', 'events'], [east, west]);
    assert.equal(code, 0);
    const text = out.trimEnd().split('\n');
    assert.deepEqual(text, [
      '2025-11-21T23:00:56.000Z east canary connect: after 2.5s at 10.0.2.11:80, /api/, unit 8f3c01d2a4b5e697, event 5 of this unit and kind, answered 500, revision 41',
      '2025-11-21T23:00:57.000Z west stable grpc: grpc-status 14 after 1.2ms at 10.0.2.11:80, /api/, revision 41',
      '2025-11-21T23:00:58.000Z east canary app: HTTP 503 after 1.2ms at 10.0.2.11:80, /api/, unit 8f3c01d2a4b5e697, served by stable, answered 200, revision 41',
    ]);
    const events = lines((await run(['router', 'events', '--json'], [east, west])).out);
    assert.deepEqual(events.map((event) => [event.router, event.kind]), [['east', 'connect'], ['west', 'grpc'], ['east', 'app']]);
    const { router, ...members } = events[2];
    assert.deepEqual(members, east.shop.events[0]);
  }));

  test('the last ones, and some kinds only', () => withRouters([{}], async (router) => {
    for (let i = 0; i < 10; i += 1) router.shop.event({ kind: i % 2 ? 'app' : 'reset', start_ms: 1763766050000 + i });
    const seqs = async (...more) => lines((await run(['router', 'events', '--json', ...more], [router])).out).map((event) => event.seq);
    assert.deepEqual(await seqs('--limit', '3'), [8, 9, 10]);
    assert.deepEqual(await seqs('--kind', 'app'), [2, 4, 6, 8, 10]);
    assert.deepEqual(await seqs('--kind', 'app,reset', '--limit', '1'), [10]);
    assert.deepEqual(await seqs('--kind', 'hang'), []);
  }));

  test('a ring of many pages is read to its end', () => withRouters([{}], async (router) => {
    for (let i = 0; i < 3500; i += 1) router.shop.event({});
    const { out } = await run(['router', 'events', '--json'], [router]);
    assert.deepEqual(lines(out).map((event) => event.seq).sort((a, b) => a - b), Array.from({ length: 3500 }, (_, i) => i + 1));
  }));

  test('what is gone from the ring is told', () => withRouters([{}], async (router) => {
    router.shop.capacity = 10;
    for (let i = 0; i < 25; i += 1) router.shop.event({});
    assert.match((await run(['router', 'events'], [router])).out, /^east: 15 older events are gone\n/);
    assert.equal(lines((await run(['router', 'events', '--json'], [router])).out)[0].older, 15);
  }));

  test('--follow goes on, tells what was lost of each track, and a restart', () => withRouters(TWO, async (east, west) => {
    const child = start(['router', 'events', '--follow', '--interval', '100ms', '--json'], [east, west]);
    const seen = () => lines(child.result.out);
    east.shop.event({ kind: 'app' });
    await waitUntil(() => seen().some((event) => event.router === 'east' && event.kind === 'app'), 10_000, 'the first event');
    west.shop.event({ kind: 'reset' });
    await waitUntil(() => seen().some((event) => event.router === 'west' && event.kind === 'reset'), 10_000, 'the second event');
    east.shop.lost = { stable: 12, canary: 3 };
    await waitUntil(() => seen().some((event) => event.lost?.stable === 12 && event.lost.canary === 3 && event.router === 'east'), 10_000, 'the loss');
    east.instance = '0123456789abcdef';
    Object.assign(east.shop, { events: [], appended: 0 });
    east.shop.event({ kind: 'hang' });
    await waitUntil(() => seen().some((event) => event.began_anew), 10_000, 'the restart');
    await waitUntil(() => seen().some((event) => event.kind === 'hang'), 10_000, 'the event after it');
    child.kill('SIGINT');
    assert.equal((await child.done).code, 0);
    assert.equal(seen().filter((event) => event.kind === 'app').length, 1, 'nothing twice');
  }));

  test('a router that cannot be reached', () => withRouters([{}], async (router) => {
    router.shop.event({});
    const text = await run(['router', 'events'], [router, await away()]);
    assert.equal(text.code, 3);
    assert.match(text.out, /east canary app/);
    assert.match(text.err, /router west: /);
  }));

  test('record sets what is written down, and reads it back', () => withRouters(TWO, async (...routers) => {
    const set = await run(['router', 'record', '--slow', '500ms,2s', '--hang', '10s', '--sample', '64', '--also', '4xx'], routers);
    assert.equal(set.code, 0);
    assert.match(set.out, /east +500ms,2000ms +10000ms +1 of 64 +4xx +set\n/);
    assert.deepEqual(routers[1].shop.watch, { slow_us: [500_000, 2_000_000], hang_ms: 10_000, sample: 64, kinds: ['4xx'] });
    await run(['router', 'record', '--slow', 'off', '--also', 'none'], routers);
    const shown = await json(['router', 'record'], routers);
    assert.deepEqual(shown.routers[0].watch, { slow_us: [], hang_ms: 10_000, sample: 64, kinds: [] });
    routers[0].shop.event({ kind: 'slow', status: 0, took_us: 600_000 });
    await run(['router', 'record', '--slow', '500ms'], routers);
    assert.match((await run(['router', 'events'], routers)).out, /slow: longer than 500\.0ms, after 600\.0ms at/);
    routers[0].shop.event({ kind: 'exposure', status: 0, peer: '', took_us: 0, route: '/' });
    assert.match((await run(['router', 'events', '--kind', 'exposure'], routers)).out, / exposure: \/, unit /);
  }));
});
