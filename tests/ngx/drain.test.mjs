// Draining: no new requests, what is in flight goes on and is listed, limits end it, and nothing fails by any of it.

import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, test } from 'node:test';
import { encodeText } from '../../examples/demo-service/grpc.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, connect2 } from './client.mjs';
import { Drained, drains } from './drain.mjs';

/** A request over a socket of its own that stays: `text` is what came so far, `closed` whether the router ended it. */
class Stay {
  text = '';
  closed = false;

  constructor(port, head, body = '') {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.write(`${head}\r\nHost: localhost\r\n\r\n${body}`, 'latin1');
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  get status() {
    return Number(this.text.split(' ')[1] ?? 0);
  }

  has(part) {
    return waitUntil(() => this.text.includes(part), 10_000, `${part} in the answer`);
  }

  ends() {
    return waitUntil(() => this.closed, 10_000, 'the end of the connection');
  }

  leave() {
    this.socket.destroy();
  }
}

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
const webSocket = (router) => new Stay(router.ports.http, `GET /ws HTTP/1.1\r\n${UPGRADE}`);
const hang = (router, url = '/hang', method = 'GET', body = '') =>
  new Stay(router.ports.http, `${method} ${url} HTTP/1.1\r\nX-Id: somebody\r\nContent-Length: ${body.length}`, body);

/** A bidirectional gRPC stream, of which one message has come back. */
async function chat(session) {
  const stream = session.request({
    ':method': 'POST', ':path': '/demo.Echo/Chat', 'content-type': 'application/grpc', te: 'trailers',
  });
  const state = { stream, got: 0, status: 0, reset: null };
  stream.on('response', (headers) => {
    state.status = headers[':status'];
  });
  stream.on('data', () => {
    state.got += 1;
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    state.reset = stream.rstCode;
  });
  stream.write(encodeText('1'));
  await waitUntil(() => state.got === 1, 10_000, 'the first message back');
  return state;
}

async function hosts(router, count, options) {
  const seen = new Set();
  for (let i = 0; i < count; i += 1) seen.add((await router.get('/', options)).header('x-host'));
  return [...seen].sort().join('');
}

test('a draining peer gets nothing new, on kept connections neither; what is there goes on and is told', async (t) => {
  const router = await Drained.start(t);
  assert.equal(await hosts(router, 60), 'abc');
  assert.ok(router.upstreams.b.connections > 0, 'a connection to it is kept');
  const [held, socket] = await router.only('b', async () => {
    const both = [hang(router, '/hang?secret=1'), webSocket(router)];
    await both[1].has('101');
    await router.inFlight('b', 2);
    return both;
  });
  const before = router.upstreams.b.ledger.entries.length;
  const told = await router.drain('b');
  assert.deepEqual([told.state, told.drain.by, told.in_flight], ['draining', 'the test', 2]);
  assert.equal(await hosts(router, 60), 'ac');
  assert.equal(router.upstreams.b.ledger.entries.length, before, 'nothing came');

  const listed = await waitUntil(async () => {
    const now = await router.look('b');
    return now.active.length === 2 && now;
  }, 5000, 'both listed');
  const [request, stream] = listed.active.sort((x, y) => x.stream - y.stream);
  assert.deepEqual({ ...request, since_ms: 0, unit: request.unit.length },
    { since_ms: 0, method: 'GET', uri: '/hang', stream: false, unit: 16, client: '127.0.0.1' });
  assert.ok(Math.abs(Date.now() - request.since_ms) < 60_000);
  assert.deepEqual({ ...stream, since_ms: 0 },
    { since_ms: 0, method: 'GET', uri: '/ws', stream: true, unit: null, client: '127.0.0.1' });
  assert.deepEqual([listed.more, listed.cut, listed.cut_total], [0, [], 0]);

  held.leave();
  socket.leave();
  await router.inFlight('b', 0);
  await waitUntil(async () => (await router.look('b')).active.length === 0, 5000, 'nothing listed');
  await router.ready('b');
  assert.equal(await hosts(router, 60), 'abc');
});

test('neither a check that passes nor a reload ends a drain', async (t) => {
  const router = await Drained.start(t, { more: 'pourover_check http uri=/healthz interval=50ms timeout=50ms rise=1;' });
  await waitUntil(async () => (await router.peer('b')).health === 'up', 10_000, 'the first check');
  await router.drain('b');
  const { streak } = (await router.peer('b')).check;
  await waitUntil(async () => (await router.peer('b')).check.streak > streak + 3, 10_000, 'more checks');
  await router.nginx.reload();
  assert.deepEqual([(await router.peer('b')).state, await hosts(router, 40)], ['draining', 'ac']);
});

test('what is more than the list holds is counted', async (t) => {
  const router = await Drained.start(t, { names: ['a', 'b'] });
  const held = await router.only('a', async () => {
    const all = Array.from({ length: 80 }, () => hang(router));
    await router.inFlight('a', 80);
    return all;
  });
  await router.drain('a');
  await waitUntil(async () => (await router.look('a')).active.length === 64, 5000, 'a full list');
  assert.equal((await router.look('a')).more, 16);
  held.slice(0, 70).forEach((each) => each.leave());
  await waitUntil(async () => {
    const { active, more } = await router.look('a');
    return active.length === 10 && more === 0;
  }, 5000, 'the last ten');
  held.forEach((each) => each.leave());
  await router.inFlight('a', 0);
});

describe('the limit of a drain', () => {
  /** What was cut at a peer, when that many were. */
  async function cuts(router, count, service = 'shop', name = 'a') {
    return waitUntil(async () => {
      const { cut, cut_total: total, active } = await router.look(name, service);
      assert.equal(total, count, JSON.stringify({ cut, active }));
      return cut;
    }, 10_000, `${count} cut`);
  }

  test('sends a GET elsewhere, ends a POST, and is no failure of the peer', async (t) => {
    const router = await Drained.start(t, { names: ['a', 'b'], more: 'pourover_passive fails=1 eject=60s;' });
    router.upstreams.a.setMode({ hang: true });
    let get = hang(router, '/');
    let gets = 1;
    while (await waitUntil(async () => get.status || (await router.peer('a')).in_flight === 1, 5000, 'either peer') === 200) {
      get.leave();
      get = hang(router, '/');
      gets += 1;
    }
    const post = await router.only('a', async () => {
      const one = hang(router, '/', 'POST', 'text');
      await router.inFlight('a', 2);
      return one;
    });
    const asked = Date.now();
    await router.drain('a', { requests_ms: 300 });
    await get.has('200 OK');
    await post.has('504 Gateway');
    assert.match(get.text, /x-host: b/i);
    assert.ok(Date.now() >= asked + 300, 'not before the limit');
    const cut = await cuts(router, 2);
    assert.deepEqual(cut.map(({ method, stream }) => `${method} ${stream}`).sort(), ['GET false', 'POST false']);
    cut.forEach((each) => assert.ok(each.at_ms >= asked + 300 && each.at_ms >= each.since_ms));
    await router.inFlight('a', 0);
    const a = await router.peer('a');
    assert.deepEqual([a.health, a.failures], ['unchecked', 0]);
    [get, post].forEach((each) => each.leave());
    const { cut: counted, first_failed: failed, retries } = await waitUntil(async () => {
      const now = await router.stats();
      return now.requests === gets + 1 && now;
    }, 5000, 'all counted');
    assert.deepEqual([counted, failed, retries], [2, 0, 1]);
    const { events } = await api(router.ports.api, 'v1/services/shop/events?after=0');
    assert.deepEqual(events, [], 'nor a bad outcome');
  });

  test('ends a request in every phase of it', async (t) => {
    const router = await Drained.start(t, { names: ['a', 'b'] });
    const mute = net.createServer((socket) => socket.on('error', () => {}).resume()); // neither shakes hands nor answers
    await new Promise((resolve) => mute.listen(router.ports.mute, '127.0.0.1', resolve));
    const phases = {
      'header': '/hang',
      'buffered': '/bytes/40000000',
      'limited': '/limited/bytes/40000000',
      'delayed': '/slowly/bytes/4000000',
      'unbuffered': '/unbuffered/sse?n=1000&every=100',
    };
    const begun = await router.only('a', async () => {
      const all = Object.values(phases).map((url) => hang(router, url));
      all[1].socket.pause(); // a slow reader
      all.push(new Stay(router.ports.http, 'POST /upload/hang HTTP/1.1\r\nContent-Length: 1000', 'half'));
      await router.inFlight('a', all.length);
      return all;
    });
    begun.push(hang(router, '/mute/'), hang(router, '/mute-tls/'));
    await router.inFlight('mute', 2, 'mute');
    await router.drain('a', { requests_ms: 200, streams_ms: 200 });
    await router.drain('mute', { requests_ms: 200 }, 'mute');
    await cuts(router, 6);
    await cuts(router, 2, 'mute', 'mute');
    await router.inFlight('a', 0);
    await router.inFlight('mute', 0, 'mute');
    begun.forEach((each) => each.leave());
    await new Promise((resolve) => mute.close(resolve));
  });

  test('of requests leaves streams alone; that of streams ends them: websocket, events and gRPC', async (t) => {
    const router = await Drained.start(t, { names: ['a', 'b'] });
    const session = connect2(router.ports.h2);
    t.after(() => session.destroy());
    const [socket, events] = await router.only('a', async () => {
      const both = [webSocket(router), hang(router, '/sse?n=10000&every=20')];
      await both[0].has('101');
      await both[1].has('text/event-stream');
      return both;
    });
    const call = await router.only('a', () => chat(session), 'rpc');
    for (const service of ['shop', 'rpc']) await router.drain('a', { requests_ms: 100 }, service);
    const lengths = () => [events.text.length, call.got];
    const [length, got] = lengths();
    call.stream.write(encodeText('2'));
    await waitUntil(() => events.text.length > length + 200 && call.got > got, 10_000, 'streams that go on');
    assert.equal((await router.look('a')).cut_total, 0);
    assert.deepEqual([socket.closed, events.closed, call.reset], [false, false, null]);
    const { active } = await router.look('a', 'rpc');
    assert.deepEqual(active.map(({ method, uri, stream }) => `${method} ${uri} ${stream}`), ['POST /demo.Echo/Chat true']);

    for (const service of ['shop', 'rpc']) await router.drain('a', { streams_ms: 100 }, service);
    await Promise.all([socket.ends(), events.ends(), waitUntil(() => call.reset !== null, 10_000, 'RST_STREAM')]);
    assert.notEqual(call.reset, 0, 'the stream was reset, not ended');
    assert.deepEqual((await cuts(router, 2)).map(({ uri }) => uri).sort(), ['/sse', '/ws']);
    assert.deepEqual((await cuts(router, 1, 'rpc')).map(({ uri, stream }) => `${uri} ${stream}`), ['/demo.Echo/Chat true']);
    for (const service of ['shop', 'rpc']) {
      await router.inFlight('a', 0, service);
      await router.ready('a', service);
      const { cut, active: now } = await router.look('a', service);
      assert.deepEqual([cut.length, now], [service === 'shop' ? 2 : 1, []], 'what was cut can be read after the drain');
    }
  });

  test('is kept by a worker that is shutting down', async (t) => {
    const router = await Drained.start(t, { names: ['a', 'b'] });
    const socket = await router.only('a', async () => {
      const one = webSocket(router);
      await one.has('101');
      return one;
    });
    await router.nginx.reload();
    assert.ok(router.nginx.exitingWorkers().length > 0);
    await router.drain('a', { streams_ms: 300 });
    await waitUntil(async () => (await router.look('a')).active.length === 1, 5000, 'its websocket listed');
    await socket.ends();
    await cuts(router, 1);
    await waitUntil(() => router.nginx.exitingWorkers().length === 0, 10_000, 'the end of the old workers');
  });
});

test('a killed worker leaves nothing in flight at a draining peer, and nothing in its list', async (t) => {
  const router = await Drained.start(t, { names: ['a', 'b'] });
  const held = await router.only('a', async () => {
    const all = Array.from({ length: 12 }, () => hang(router));
    await router.inFlight('a', 12);
    return all;
  });
  await router.drain('a');
  await waitUntil(async () => (await router.look('a')).active.length === 12, 5000, 'all listed');
  for (const pid of router.nginx.workers()) await router.nginx.killWorker(pid);
  await router.inFlight('a', 0);
  await waitUntil(async () => (await router.look('a')).active.length === 0, 5000, 'an empty list');
  assert.equal(await hosts(router, 20), 'b');
  held.forEach((each) => each.leave());
});

test('drain and return of each peer in turn under load: nothing fails', (t) => drains(t, 200));
