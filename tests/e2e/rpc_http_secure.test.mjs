// HTTP requests of the client (src/rpc/http.c) over TLS and over HTTP/2, against node's servers.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { makeCertificates, readPair } from '../support/certificates.mjs';
import { askOnce, rawServer, withDriver } from '../support/http-driver.mjs';
import { waitUntil } from '../support/wait.mjs';

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-secure-'));
let certs;
before(() => { certs = makeCertificates(dir); });
after(() => rmSync(dir, { recursive: true, force: true }));

const { HTTP2_HEADER_STATUS: STATUS } = http2.constants;

/** Runs the body with a listening server of node; {port, connections, sessions} */
async function withNode(server, body, listen = { host: '127.0.0.1', port: 0 }) {
  const sockets = new Set();
  const seen = { server, connections: 0, port: 0, sockets, sessions: new Set() };
  server.on('connection', (socket) => {
    seen.connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => {
    seen.sessions.add(session);
    session.on('error', () => {});
  });
  for (const event of ['tlsClientError', 'sessionError']) server.on(event, () => {});
  server.listen(listen);
  await once(server, 'listening');
  seen.port = server.address().port;
  try {
    return await body(seen);
  } finally {
    const closed = once(server, 'close');
    server.close();
    sockets.forEach((socket) => socket.destroy());
    await closed;
  }
}

const secure = (pair, more = {}) => https.createServer({ ...readPair(pair), ...more }, (request, response) => response.end(`h1 ${request.url}`));

/** An h2 server whose streams `play` answers. */
function h2Server(play, options) {
  const server = options ? http2.createSecureServer(options) : http2.createServer();
  server.on('stream', (stream, headers, flags) => {
    stream.on('error', () => {});
    play(stream, headers, flags);
  });
  return server;
}

const hello = (stream) => {
  stream.respond({ [STATUS]: 200, 'content-type': 'text/plain' });
  stream.end('hello');
};

function assertWhole(result, status = 200) {
  assert.equal(result.error, '');
  assert.deepEqual([result.origin, result.code, result.status], ['server', 'OK', status]);
}

function assertFault(result, origin, code, error) {
  assert.match(result.error, error);
  assert.deepEqual([result.origin, result.code], [origin, code]);
}

describe('over TLS', () => {
  test('a request tells version, name and end of the certificate', async () => {
    await withNode(secure(certs.good), async ({ port }) => {
      const result = await askOnce(`https://127.0.0.1:${port}`, { ca: certs.ca }, 'GET', '/a');
      assertWhole(result);
      assert.equal(result.body, 'h1 /a');
      assert.deepEqual([result.conn.protocol, result.conn.tls], ['http/1.1', 'TLSv1.3']);
      assert.match(result.conn.subject, /localhost/);
      assert.equal(result.conn.not_after_s * 1000, Date.parse(new X509Certificate(readFileSync(certs.good.cert)).validTo));
    });
  });

  test('the protocol is the one that the server chooses', async () => {
    const both = () => http2.createSecureServer({ ...readPair(certs.good), allowHTTP1: true }, (request, response) => response.end(request.httpVersion));
    for (const [protocol, body] of [['auto', '2.0'], ['h2', '2.0'], ['h1', '1.1']]) {
      await withNode(both(), async ({ port }) => {
        const result = await askOnce(`https://localhost:${port}`, { ca: certs.ca, protocol }, 'GET', '/');
        assertWhole(result);
        assert.deepEqual([result.body, result.conn.alpn], [body, body === '2.0' ? 'h2' : 'http/1.1']);
      });
    }
  });

  test('the name that is verified may be another than the address', async () => {
    await withNode(secure(certs.good), async ({ port }) => {
      const options = { ca: certs.ca, authority: 'api.example.com' };
      assertWhole(await askOnce(`https://127.0.0.1:${port}`, options, 'GET', '/'));
      assertFault(await askOnce(`https://127.0.0.1:${port}`, { ...options, server_name: 'x.example.com' }, 'GET', '/'), 'connect', 'UNAVAILABLE', /x\.example\.com/);
    });
  });

  test('a certificate that does not fit is refused in words, or taken when told', async () => {
    for (const [name, error] of [['wrongName', /other\.example|name/], ['expired', /expired/], ['self', /self.signed/]]) {
      await withNode(secure(certs[name]), async ({ port }) => {
        const target = `https://localhost:${port}`;
        assertFault(await askOnce(target, { ca: certs.ca }, 'GET', '/'), 'connect', 'UNAVAILABLE', error);
        assertWhole(await askOnce(target, { ca: certs.ca, insecure: 1 }, 'GET', '/'));
      });
    }
  });

  test('a server may ask for the certificate of the client', async () => {
    await withNode(secure(certs.good, { ca: readFileSync(certs.ca), requestCert: true, rejectUnauthorized: true }), async ({ port }) => {
      const target = `https://localhost:${port}`;
      const without = await askOnce(target, { ca: certs.ca }, 'GET', '/');
      assert.notEqual(without.origin, 'server');
      assert.match(without.error, /certificate/);
      assertWhole(await askOnce(target, { ca: certs.ca, cert: certs.client.cert, key: certs.client.key }, 'GET', '/'));
    });
  });

  test('plaintext to a TLS port says which scheme to write', async () => {
    await withNode(secure(certs.good), async ({ port }) => {
      const result = await askOnce(`http://127.0.0.1:${port}`, {}, 'GET', '/');
      assert.equal(result.code, 'UNAVAILABLE');
      assert.match(result.error, new RegExp(`write https://127\\.0\\.0\\.1:${port}$`));
    });
  });

  test('TLS to a plaintext port says which scheme to write', async () => {
    await withNode(http.createServer((request, response) => response.end()), async ({ port }) => {
      assertFault(await askOnce(`https://127.0.0.1:${port}`, {}, 'GET', '/'), 'connect', 'UNAVAILABLE', new RegExp(`http://127\\.0\\.0\\.1:${port}`));
    });
  });

  test('a connection is kept, and over a unix socket it works too', async () => {
    await withNode(secure(certs.good), async (seen) => withDriver(`https+unix:${path.join(dir, 'tls.sock')}`, { ca: certs.ca, authority: 'localhost' }, async (driver) => {
      for (let i = 0; i < 3; i += 1) assertWhole(await driver.ask('GET', '/'));
      assert.equal(seen.connections, 1);
    }), { path: path.join(dir, 'tls.sock') });
  });

  test('a body that TLS cuts off is not a whole one', async () => {
    let requests = 0;
    const server = https.createServer(readPair(certs.good), (request, response) => {
      requests += 1;
      request.socket.write('HTTP/1.1 200 OK\r\n\r\npart');
      response.on('error', () => {});
    });
    await withNode(server, async ({ port, sockets }) => withDriver(`https://localhost:${port}`, { ca: certs.ca }, async (driver) => {
      driver.say('GET', '/', 'deadline=10000');
      await waitUntil(() => requests === 1);
      sockets.forEach((socket) => socket.end()); // the bare socket, below TLS
      const result = await driver.next();
      assertFault(result, 'http', 'UNAVAILABLE', /without the end of TLS \(close_notify\)/);
    }));
  });
});

describe('over HTTP/2', () => {
  const ask = (play, options, ...request) => withNode(h2Server(play), ({ port }) => askOnce(`http://127.0.0.1:${port}`, { protocol: 'h2', ...options }, ...request));

  test('a request says what it was told', async () => {
    let seen;
    let body = '';
    const result = await ask((stream, headers) => {
      seen = headers;
      stream.on('data', (chunk) => { body += chunk; });
      stream.on('end', () => hello(stream));
    }, {}, 'POST', '/orders?x=1', 'header=accept: text/plain', 'body=abc', 'authority=api.example.com');
    assertWhole(result);
    assert.deepEqual([result.body, result.conn.protocol, result.conn.tls], ['hello', 'h2', '']);
    assert.deepEqual(result.headers.find(([name]) => name === 'content-type'), ['content-type', 'text/plain']);
    assert.ok(!result.headers.some(([name]) => name.startsWith(':')));
    assert.deepEqual([seen[':method'], seen[':scheme'], seen[':path'], seen[':authority']], ['POST', 'http', '/orders?x=1', 'api.example.com']);
    assert.deepEqual([seen.accept, seen['content-length'], body], ['text/plain', '3', 'abc']);
    assert.match(seen['user-agent'], /^pourover\//);
  });

  test('trailers, 103 and HEAD are as over HTTP/1.1', async () => {
    const trailers = await ask((stream) => {
      stream.additionalHeaders({ [STATUS]: 103, link: '</a>' });
      stream.respond({ [STATUS]: 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '12' }));
      stream.end('body');
    }, {}, 'GET', '/');
    assertWhole(trailers);
    assert.deepEqual([trailers.body, trailers.trailers], ['body', [['x-sum', '12']]]);
    assert.ok(!trailers.headers.some(([name]) => name === 'link'));
    const head = await ask((stream) => stream.respond({ [STATUS]: 200, 'content-length': 1000 }, { endStream: true }), {}, 'HEAD', '/');
    assertWhole(head);
    assert.equal(head.body_bytes, 0);
  });

  test('many requests share one connection', async () => {
    await withNode(h2Server((stream, headers) => setTimeout(() => stream.respond({ [STATUS]: 200 }) ?? stream.end(headers[':path']), 20)),
      async (seen) => withDriver(`http://127.0.0.1:${seen.port}`, { protocol: 'h2' }, async (driver) => {
        for (let i = 0; i < 20; i += 1) driver.say('GET', `/${i}`, 'go=1');
        driver.say('wait');
        const bodies = [];
        for (let i = 0; i < 20; i += 1) bodies.push((await driver.next()).body);
        assert.deepEqual(bodies.sort(), Array.from({ length: 20 }, (_, i) => `/${i}`).sort());
        assert.equal(seen.connections, 1);
      }));
  });

  test('large bodies pass both ways, and those above the limit are stopped', async () => {
    const echo = (stream) => {
      stream.respond({ [STATUS]: 200 });
      stream.pipe(stream);
    };
    const result = await ask(echo, {}, 'POST', '/', 'body_bytes=3000000');
    assertWhole(result);
    assert.equal(result.body_bytes, 3_000_000);
    const big = await ask(echo, { max_body: 1_000_000 }, 'POST', '/', 'body_bytes=3000000');
    assertFault(big, 'client', 'RESOURCE_EXHAUSTED', /^the body of the answer is longer than 1000000 bytes$/);
    assertFault(await ask((stream) => stream.respond({ [STATUS]: 200, a: 'b'.repeat(5000) }), { max_header: 4000 }, 'GET', '/'),
      'client', 'RESOURCE_EXHAUSTED', /longer than 4000 bytes/);
  });

  test('a body in gzip is undone', async () => {
    const result = await ask((stream) => {
      stream.respond({ [STATUS]: 200, 'content-encoding': 'gzip' });
      stream.end(gzipSync('hello'));
    }, {}, 'GET', '/');
    assertWhole(result);
    assert.deepEqual([result.body, result.body_decoded], ['hello', true]);
  });

  test('a reset stream and a lost connection are told, and nothing is tried again', async () => {
    let streams = 0;
    const reset = await ask((stream) => {
      streams += 1;
      stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }, {}, 'GET', '/');
    assertFault(reset, 'http', 'RESOURCE_EXHAUSTED', /reset the stream: ENHANCE_YOUR_CALM$/);
    const lost = await withNode(h2Server(() => { streams += 1; }), async ({ port, sockets }) => withDriver(`http://127.0.0.1:${port}`, { protocol: 'h2' }, async (driver) => {
      driver.say('GET', '/');
      await waitUntil(() => streams === 2);
      sockets.forEach((socket) => socket.destroy());
      return driver.next();
    }));
    assertFault(lost, 'http', 'UNAVAILABLE', /closed the connection|reset the connection/);
    assert.equal(streams, 2);
  });

  test('after GOAWAY the next request has a new connection, which is counted', async () => {
    await withNode(h2Server(hello), async (seen) => withDriver(`http://127.0.0.1:${seen.port}`, { protocol: 'h2' }, async (driver) => {
      assertWhole(await driver.ask('GET', '/'));
      for (const session of seen.sessions) session.close();
      await waitUntil(() => {
        driver.say('spin', 10); // the client sees GOAWAY, and closes as nothing runs
        return seen.sockets.size === 0;
      });
      const result = await driver.ask('GET', '/');
      assertWhole(result);
      assert.equal(result.conn.connects, 2);
    }));
  });

  test('a deadline and a cancellation end one stream, not the connection', async () => {
    const resets = [];
    await withNode(h2Server((stream, headers) => {
      stream.on('close', () => resets.push(stream.rstCode));
      if (headers[':path'] === '/') hello(stream);
    }), async (seen) => withDriver(`http://127.0.0.1:${seen.port}`, { protocol: 'h2' }, async (driver) => {
      assertWhole(await driver.ask('GET', '/'));
      assertFault(await driver.ask('GET', '/never', 'deadline=100'), 'client', 'DEADLINE_EXCEEDED', /^no whole answer within 0\.1 s: waiting for/);
      assertFault(await driver.ask('GET', '/never', 'cancel=1'), 'client', 'CANCELLED', /^cancelled by this side$/);
      const last = await driver.ask('GET', '/');
      assertWhole(last);
      assert.equal(last.conn.connects, 1);
      await waitUntil(() => resets.length === 4);
      assert.deepEqual(resets.sort(), [0, 0, 8, 8]);
    }));
  });

  test('a server of the other protocol is named', async () => {
    await withNode(http.createServer((request, response) => response.end()), async ({ port }) => {
      const result = await askOnce(`http://127.0.0.1:${port}`, { protocol: 'h2' }, 'GET', '/');
      assert.equal(result.code, 'UNAVAILABLE');
      assert.match(result.error, /HTTP\/1\.1/);
    });
    await withNode(h2Server(hello), async ({ port }) => {
      const result = await askOnce(`http://127.0.0.1:${port}`, { protocol: 'h1' }, 'GET', '/');
      assert.notEqual(result.origin, 'server');
      assert.match(result.error, /HTTP\/2/);
    });
  });

  test('a server that takes the connection and says nothing runs into the connect timeout', async () => {
    const server = await rawServer(null);
    try {
      assertFault(await askOnce(server.target, { protocol: 'h2', connect_ms: 200 }, 'GET', '/'), 'connect', 'UNAVAILABLE', /SETTINGS.* within 0\.2 s$/);
      assertFault(await askOnce(server.target, { protocol: 'h2' }, 'GET', '/', 'deadline=200'), 'client', 'DEADLINE_EXCEEDED', /within 0\.2 s: .*SETTINGS/);
    } finally {
      await server.close();
    }
  });
});
