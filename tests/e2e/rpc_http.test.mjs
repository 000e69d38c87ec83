// HTTP requests of the client (src/rpc/http.c) over HTTP/1.1: servers of bare sockets that answer well and badly.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { askOnce, rawServer, withDriver } from '../support/http-driver.mjs';
import { waitUntil } from '../support/wait.mjs';

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-http-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const OK = 'HTTP/1.1 200 OK\r\n';
const plain = (body) => `${OK}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Runs the body with a server that gives each request the same bytes, or what `answer` writes. */
async function withServer(answer, body, options) {
  const play = typeof answer === 'function' ? answer : (socket) => socket.write(answer);
  const server = await rawServer(play, options);
  try {
    return await body(server);
  } finally {
    await server.close();
  }
}

/** One GET to a server that answers with these bytes and, with `end`, closes. */
const getOnce = (bytes, { end = false, method = 'GET', options = {}, fields = ['deadline=20000'] } = {}) => withServer(
  (socket) => (end ? socket.end(bytes) : socket.write(bytes)),
  (server) => askOnce(server.target, options, method, '/', ...fields));

function assertWhole(result, status = 200) {
  assert.equal(result.error, '');
  assert.equal(result.origin, 'server');
  assert.equal(result.code, 'OK');
  assert.equal(result.status, status);
}

function assertFault(result, origin, code, error) {
  assert.match(result.error, error);
  assert.equal(result.origin, origin);
  assert.equal(result.code, code);
}

describe('a request', () => {
  test('says what it was told, with host, user-agent and content-length of its own', async () => {
    const seen = [];
    await withServer((socket, request) => {
      seen.push(request);
      socket.write(plain('ok'));
    }, async (server) => withDriver(server.target, {}, async (driver) => {
      assertWhole(await driver.ask('GET', '/healthz?x=1', 'header=accept: application/json', 'header=x-empty: '));
      assertWhole(await driver.ask('POST', '/orders', 'body={"a":1}', 'authority=api.example.com', 'header=user-agent: mine'));
      assertWhole(await driver.ask('POST', '/empty'));
      assertWhole(await driver.ask('DELETE', '/orders/1'));
    }));
    const lines = seen.map(({ head }) => head.split('\r\n'));
    assert.equal(lines[0][0], 'GET /healthz?x=1 HTTP/1.1');
    assert.match(lines[0][1], /^host: 127\.0\.0\.1:\d+$/);
    assert.match(lines[0][2], /^user-agent: pourover\/\d+\.\d+\.\d+$/);
    assert.deepEqual(lines[0].slice(3), ['accept: application/json', 'x-empty: ']);
    assert.deepEqual(lines[1], ['POST /orders HTTP/1.1', 'host: api.example.com', 'user-agent: mine', 'content-length: 7']);
    assert.equal(seen[1].body, '{"a":1}');
    assert.ok(lines[2].includes('content-length: 0'));
    assert.ok(!lines[3].some((line) => line.startsWith('content-length')));
  });

  test('that HTTP cannot say is refused before anything is sent', async () => {
    await withServer(plain('ok'), async (server) => withDriver(server.target, {}, async (driver) => {
      const wrong = [
        [['GET', 'healthz'], /^path "healthz" does not begin with "\/"$/],
        [['GET', '/a b'], /^path "\/a b" has a blank/],
        [['GET', '/\u00e4'], /not ASCII/],
        [['GE T', '/'], /^"GE T" is no HTTP method/],
        [['CONNECT', '/'], /CONNECT/],
        [['GET', '/', 'header=X-Up: 1'], /^header "X-Up": write it in lower case$/],
        [['GET', '/', 'header=host: a'], /^header "host" is set by the client: give the authority instead$/],
        [['GET', '/', 'header=transfer-encoding: chunked'], /^header "transfer-encoding" is set by the client$/],
        [['GET', '/', 'header=:path: /b'], /is no name of a header|pseudo header/],
        [['GET', '/', 'header=a: b\r'], /^header "a": byte 2 of the value is 0x0d, a control character$/],
        [['GET', '/', 'authority=a/b'], /^authority "a\/b" is no HOST or HOST:PORT$/],
      ];
      for (const [request, error] of wrong) {
        assertFault(await driver.ask(...request), 'client', 'INVALID_ARGUMENT', error);
      }
      assert.equal(server.state.connections, 0);
      assertWhole(await driver.ask('GET', '/'));
    }));
  });

  test('sends a large body while the server reads', async () => {
    await withServer((socket, { body }) => socket.write(plain(String(body.length))), async (server) => {
      const result = await askOnce(server.target, {}, 'POST', '/', 'body_bytes=3000000');
      assertWhole(result);
      assert.equal(result.body, '3000000');
    });
  });

  test('finds an answer that comes before its body was sent, and does not keep the connection', async () => {
    await withServer(null, async (server) => withDriver(server.target, {}, async (driver) => {
      const early = await driver.ask('POST', '/', 'body_bytes=30000000');
      assertWhole(early, 413);
      assert.equal((await driver.ask('POST', '/', 'body_bytes=30000000')).conn.connects, 2);
    }), { connect: (socket) => socket.once('data', () => { socket.pause(); socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'); }) });
  });
});

describe('an answer', () => {
  test('of chunks has its body and its trailers', async () => {
    const result = await getOnce(`${OK}Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nX-Sum: 12\r\nX-Sum: 13\r\n\r\n`);
    assertWhole(result);
    assert.equal(result.body, 'hello, world');
    assert.deepEqual(result.trailers, [['x-sum', '12'], ['x-sum', '13']]);
    assert.deepEqual(result.headers, [['transfer-encoding', 'chunked'], ['trailer', 'x-sum']]);
    assert.equal(result.conn.protocol, 'http/1.1');
  });

  test('that comes byte by byte is the same', async () => {
    const bytes = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Transfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n`;
    await withServer(async (socket) => {
      for (const byte of bytes) {
        await new Promise((resolve) => { socket.write(byte, resolve); });
      }
    }, async (server) => {
      const result = await askOnce(server.target, {}, 'GET', '/');
      assertWhole(result);
      assert.deepEqual([result.body, result.headers[1], result.trailers[0]], ['hello', ['a', 'b'], ['x', 'y']]);
    });
  });

  test('may follow 100 and 103, which are skipped', async () => {
    assert.equal((await getOnce(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${plain('x')}`)).body, 'x');
  });

  test('to HEAD, 204 and 304 have no body, whatever they say', async () => {
    for (const [method, bytes, status] of [
      ['HEAD', `${OK}Content-Length: 1000\r\n\r\n`, 200],
      ['HEAD', `${OK}Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n`, 200],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 304],
    ]) {
      const result = await getOnce(bytes, { method });
      assertWhole(result, status);
      assert.equal(result.body_bytes, 0);
    }
  });

  test('without a length ends with the connection', async () => {
    const result = await getOnce(`${OK}\r\nuntil the end`, { end: true });
    assertWhole(result);
    assert.equal(result.body, 'until the end');
    assertWhole(await getOnce('HTTP/1.0 200 OK\r\n\r\nold', { end: true }));
  });

  test('is not followed when it redirects', async () => {
    await withServer(`HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n`, async (server) => {
      assertWhole(await askOnce(server.target, {}, 'GET', '/a'), 302);
      assert.equal(server.state.requests, 1);
    });
  });

  const broken = [
    ['that is cut off in the body', `${OK}Content-Length: 10\r\n\r\nhello`, 'http', 'UNAVAILABLE', /closed the connection in the body: 5 of 10 bytes came$/],
    ['that is cut off in a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`, 'http', 'UNAVAILABLE', /before the last chunk of the body$/],
    ['that is cut off in the headers', `${OK}Server: x\r\n`, 'http', 'UNAVAILABLE', /closed the connection in the headers$/],
    ['of nothing', '', 'http', 'UNAVAILABLE', /closed the connection without an answer; if it wants TLS, write https:\/\/127\.0\.0\.1:\d+$/],
    ['with two lengths', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 'client', 'INTERNAL', /content-length stands twice/],
    ['with a length and chunks', `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 'client', 'INTERNAL', /both content-length and transfer-encoding/],
    ['with a folded header', `${OK}A: b\r\n c\r\n\r\n`, 'client', 'INTERNAL', /folded/],
    ['with bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'client', 'INTERNAL', /LF alone/],
    ['longer than it said', `${plain('hello')}!!`, 'client', 'INTERNAL', /at least 2 bytes behind the end of its answer: content-length is too small/],
    ['that switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n', 'client', 'INTERNAL', /101/],
    ['of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'client', 'INTERNAL', /is not HTTP\/1\.1: it begins with "SSH-2\.0-OpenSSH_9\.2"/],
  ];
  for (const [name, bytes, origin, code, error] of broken) {
    test(`${name} is an error in words`, async () => {
      const result = await getOnce(bytes, { end: true });
      assertFault(result, origin, code, error);
      assert.match(result.error, /^127\.0\.0\.1:\d+[: ]/);
    });
  }

  test('above the limit of headers or body is stopped', async () => {
    const big = await getOnce(plain('x'.repeat(1001)), { options: { max_body: 1000 } });
    assertFault(big, 'client', 'RESOURCE_EXHAUSTED', /^the body of the answer is longer than 1000 bytes$/);
    assert.equal(big.status, 200);
    assertWhole(await getOnce(plain('x'.repeat(1000)), { options: { max_body: 1000 } }));
    assertFault(await getOnce(`${OK}A: ${'b'.repeat(3000)}\r\n\r\n`, { options: { max_header: 2000 } }), 'client', 'RESOURCE_EXHAUSTED',
      /the headers of the answer are longer than 2000 bytes$/);
  });

  test('without end is stopped at the limit', async () => {
    const endless = (start, again) => withServer((socket) => {
      socket.write(start);
      const more = () => { while (!socket.destroyed && socket.write(again.repeat(1000))); };
      socket.on('drain', more);
      more();
    }, (server) => askOnce(server.target, { max_body: 100_000 }, 'GET', '/'));
    assertFault(await endless(`${OK}\r\n`, 'x'), 'client', 'RESOURCE_EXHAUSTED', /the body of the answer is longer than 100000 bytes/);
    assertFault(await endless(`${OK}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'), 'client', 'RESOURCE_EXHAUSTED', /longer than 100000 bytes/);
    assertFault(await endless(OK, 'A: b\r\n'), 'client', 'RESOURCE_EXHAUSTED', /the headers of the answer are longer than 65536 bytes/);
    assertFault(await endless('', 'HTTP/1.1 102 Processing\r\n\r\n'), 'client', 'RESOURCE_EXHAUSTED', /more than 16 interim answers/);
  });
});

describe('a content-encoding', () => {
  const coded = (name, bytes) => Buffer.concat([Buffer.from(`${OK}Content-Encoding: ${name}\r\nContent-Length: ${bytes.length}\r\n\r\n`), bytes]);

  test('gzip or deflate is undone, and told', async () => {
    for (const [name, bytes] of [['gzip', gzipSync('hello')], ['X-GZIP', gzipSync('hello')], ['deflate', deflateSync('hello')]]) {
      const result = await getOnce(coded(name, bytes));
      assertWhole(result);
      assert.deepEqual([result.body, result.body_decoded], ['hello', true]);
    }
  });

  test('of another kind is left as it is', async () => {
    const result = await getOnce(coded('br', Buffer.from('bytes')));
    assertWhole(result);
    assert.deepEqual([result.body, result.body_decoded], ['bytes', false]);
  });

  test('that is broken is an error with the headers at hand', async () => {
    const cut = await getOnce(coded('gzip', gzipSync('hello').subarray(0, 20)));
    assertFault(cut, 'client', 'INTERNAL', /^content-encoding of the body: the gzip data end in the middle, after 20 bytes$/);
    assert.equal(cut.status, 200);
    assertFault(await getOnce(coded('gzip', Buffer.from('hello'))), 'client', 'INTERNAL', /do not begin with 1f 8b$/);
    assertFault(await getOnce(coded('deflate', deflateRawSync('hello'))), 'client', 'INTERNAL', /not in the zlib format .* maybe raw deflate$/);
  });

  test('that is a bomb is stopped at the limit', async () => {
    const bomb = await getOnce(coded('gzip', gzipSync(Buffer.alloc(50_000_000))), { options: { max_body: 1_000_000 } });
    assertFault(bomb, 'client', 'RESOURCE_EXHAUSTED', /^content-encoding of the body: the gzip data are more than 1000000 bytes when uncompressed$/);
  });
});

describe('a connection', () => {
  test('is kept for the next request when the server keeps it', async () => {
    await withServer((socket, { number }) => socket.write(plain(String(number))), (server) => withDriver(server.target, {}, async (driver) => {
      for (let i = 1; i <= 5; i += 1) {
        const result = await driver.ask('GET', '/');
        assertWhole(result);
        assert.deepEqual([result.body, result.conn.connects], [String(i), 1]);
      }
      assert.equal(server.state.connections, 1);
      driver.say('close');
      assert.equal((await driver.ask('GET', '/')).conn.connects, 2);
    }));
  });

  test('that the server gives up is opened anew, and counted', async () => {
    await withServer((socket) => socket.write(`${OK}Connection: close\r\nContent-Length: 1\r\n\r\nx`), (server) => withDriver(server.target, {}, async (driver) => {
      assert.equal((await driver.ask('GET', '/')).conn.connects, 1);
      assert.equal((await driver.ask('GET', '/')).conn.connects, 2);
      assert.equal(server.state.connections, 2);
    }));
  });

  test('that the server closed while it was idle is opened anew, and counted', async () => {
    await withServer((socket) => socket.write(plain('x')), (server) => withDriver(server.target, {}, async (driver) => {
      assertWhole(await driver.ask('GET', '/'));
      for (const socket of server.state.open) socket.end();
      await waitUntil(() => server.state.open.size === 0 || [...server.state.open].every((socket) => socket.writableFinished));
      const result = await driver.ask('GET', '/');
      assertWhole(result);
      assert.equal(result.conn.connects, 2);
      assert.equal(server.state.requests, 2);
    }));
  });

  test('that breaks as a request is sent fails that request: it is not sent again', async () => {
    await withServer((socket, { number }) => (number === 2 ? socket.end() : socket.write(plain('x'))), (server) => withDriver(server.target, {}, async (driver) => {
      assertWhole(await driver.ask('GET', '/'));
      assertFault(await driver.ask('GET', '/'), 'http', 'UNAVAILABLE', /closed the kept connection as the request was sent: .* not sent again$/);
      assert.equal(server.state.requests, 2);
      const third = await driver.ask('GET', '/');
      assertWhole(third);
      assert.equal(third.conn.connects, 2);
    }));
  });

  test('on which bytes come that nobody asked for is not used again', async () => {
    await withServer((socket) => {
      socket.write(plain('x'));
      setTimeout(() => socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'), 20);
    }, (server) => withDriver(server.target, {}, async (driver) => {
      assertWhole(await driver.ask('GET', '/'));
      await waitUntil(() => [...server.state.open].every((socket) => socket.bytesWritten > 60));
      const result = await driver.ask('GET', '/');
      assertWhole(result);
      assert.equal(result.conn.connects, 2);
    }));
  });

  test('serves many requests in their turn, also when each ends it', async () => {
    for (const close of [false, true]) {
      await withServer((socket, { number }) => socket.write(`${OK}${close ? 'Connection: close\r\n' : ''}Content-Length: 2\r\n\r\n${String(number).padStart(2)}`),
        (server) => withDriver(server.target, {}, async (driver) => {
          for (let i = 0; i < 12; i += 1) driver.say('GET', '/', 'go=1');
          driver.say('wait');
          for (let i = 1; i <= 12; i += 1) {
            const result = await driver.next();
            assertWhole(result);
            assert.equal(Number(result.body), i);
          }
          assert.equal(server.state.connections, close ? 12 : 1);
        }));
    }
  });

  test('of a request that is given up is closed, and the next request has its own', async () => {
    await withServer((socket, { number }) => number > 1 && socket.write(plain('x')), (server) => withDriver(server.target, {}, async (driver) => {
      assertFault(await driver.ask('GET', '/', 'cancel=1'), 'client', 'CANCELLED', /^cancelled by this side$/);
      driver.say('GET', '/', 'free=1');
      const result = await driver.ask('GET', '/');
      assertWhole(result);
      assert.equal(result.conn.connects, 2);
      await waitUntil(() => server.state.open.size <= 1);
    }));
  });

  test('that is freed ends what is under way', async () => {
    await withServer(() => {}, (server) => withDriver(server.target, {}, async (driver) => {
      driver.say('GET', '/', 'go=1');
      driver.say('GET', '/', 'go=1');
      driver.say('GET', 'no path', 'go=1');
      driver.say('spin', 50);
      driver.say('free');
      const ends = [await driver.next(), await driver.next(), await driver.next()];
      assert.deepEqual(ends.map((end) => end.code).sort(), ['CANCELLED', 'CANCELLED', 'INVALID_ARGUMENT']);
    }));
  });

  test('goes over a unix socket and over IPv6', async () => {
    await withServer(plain('unix'), async (server) => {
      const result = await askOnce(server.target, {}, 'GET', '/');
      assertWhole(result);
      assert.deepEqual([result.body, result.conn.peer], ['unix', server.target]);
    }, { socketPath: path.join(dir, 'http.sock') });
    await withServer(plain('six'), async (server) => {
      const result = await askOnce(server.target, {}, 'GET', '/');
      assertWhole(result);
      assert.equal(result.conn.peer, `[::1]:${server.port}`);
    }, { host: '::1' });
    assertFault(await askOnce(`unix:${path.join(dir, 'nobody.sock')}`, {}, 'GET', '/'), 'connect', 'UNAVAILABLE', /nobody\.sock: there is no such socket$/);
  });
});

describe('a deadline', () => {
  test('ends a request to a server that says nothing', async () => {
    await withServer(() => {}, async (server) => {
      const result = await askOnce(server.target, {}, 'GET', '/', 'deadline=150');
      assertFault(result, 'client', 'DEADLINE_EXCEEDED', /^no whole answer within 0\.15 s: waiting for 127\.0\.0\.1:\d+$/);
      assert.ok(result.end_at_us >= 149_000);
    });
  });

  test('counts for headers and bodies that come slowly', async () => {
    const slow = (start, drop) => withServer((socket) => {
      socket.write(start);
      const timer = setInterval(() => socket.write(drop), 10);
      socket.on('close', () => clearInterval(timer));
    }, (server) => askOnce(server.target, {}, 'GET', '/', 'deadline=200'));
    assertFault(await slow(OK, 'A: b\r\n'), 'client', 'DEADLINE_EXCEEDED', /within 0\.2 s: waiting for/);
    const body = await slow(`${OK}\r\n`, 'x');
    assertFault(body, 'client', 'DEADLINE_EXCEEDED', /within 0\.2 s: in the body, \d+ bytes came$/);
    assert.equal(body.status, 200);
    assert.ok(body.headers_at_us > 0 && body.headers_at_us < body.end_at_us);
  });

  test('counts from the start of the request, not from the last turn of the loop', async () => {
    await withServer(plain('x'), (server) => withDriver(server.target, {}, async (driver) => {
      assertWhole(await driver.ask('GET', '/', 'deadline=400'));
      await new Promise((resolve) => { setTimeout(resolve, 600); });
      assertWhole(await driver.ask('GET', '/', 'deadline=400'));
    }));
  });
});
