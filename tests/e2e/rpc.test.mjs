// The gRPC client of src/rpc, driven by tests/support/rpc_driver.c, against the evil server's table and servers of other stacks.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROTO, SERVERS, startInterop } from '../interop/servers.mjs';
import { makeCertificates } from '../support/certificates.mjs';
import { requirePackage, startServer } from '../support/child-server.mjs';
import { BUILD_DIR } from '../support/nginx.mjs';
import { CASES } from './evil_cases.mjs';

const SUPPORT = fileURLToPath(new URL('../support/', import.meta.url));
const DRIVER = path.join(BUILD_DIR, 'tests/rpc_driver');
const protobuf = requirePackage('protobufjs');
const evil = protobuf.parse(readFileSync(path.join(SUPPORT, 'evil.proto'), 'utf8'), { keepCase: true }).root;

/** Runs calls to their end: [{headers, messages, end}], one for each; fails when the driver does not end well. */
function drive(target, method, options = []) {
  const args = [target, method, ...options.flatMap(([name, value = 1]) => [`-${name}`, String(value)])];
  return new Promise((resolve, reject) => {
    execFile(DRIVER, args, { maxBuffer: 256 << 20, timeout: 60_000 }, (error, out, err) => {
      if (error) return reject(new Error(`rpc_driver ${args.join(' ').slice(0, 300)}: ${error.message.slice(-300)}\n${err}`));
      const calls = [];
      for (const line of out.split('\n').filter(Boolean)) {
        const event = JSON.parse(line);
        const call = (calls[event.call] ??= { headers: null, messages: [], end: null });
        if (event.event === 'message') call.messages.push(event);
        else call[event.event] = event.event === 'headers' ? event.headers : event;
      }
      resolve(calls);
    });
  });
}

const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** A message as the driver takes it: zeros at the end as their number, as arguments have a limit. */
function messageOption(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return ['m', `${hex(bytes.subarray(0, end))}+${bytes.length - end}`];
}
const valuesOf = (headers, name) => headers.filter(([each]) => each === name).map(([, value]) => value);
const asText = (value) => (Buffer.isBuffer(value) ? value.toString('hex') : value);
const oneOf = (value) => (Array.isArray(value) ? value : [value]);

function checkReplies(wanted, messages, Reply) {
  assert.equal(messages.length, wanted.length, 'replies');
  for (const [i, members] of wanted.entries()) {
    if (messages[i].base64 === undefined) continue; // too long to be shown
    const got = Reply.toObject(Reply.decode(Buffer.from(messages[i].base64, 'base64')), { defaults: true });
    for (const [name, value] of Object.entries(members)) {
      if (value instanceof RegExp) assert.match(got[name], value);
      else assert.deepEqual(got[name], value, `reply ${i}: ${name}`);
    }
  }
}

function checkEnd(each, { end, messages }) {
  const context = `${end.code} from ${end.origin}: ${end.message}`;
  assert.ok(oneOf(each.code).includes(end.code), context);
  if (end.code !== 'OK' && each.says) assert.match(end.message, each.says, context);
  if (end.code !== 'OK') assert.notEqual(end.message, '', 'an error says what it is');
  assert.equal(end.origin === 'connect', Boolean(each.connect), context);
  const wire = each.wire ?? {};
  if (wire.trailersOnly !== undefined) assert.equal(end.trailersOnly, wire.trailersOnly);
  if (wire.httpStatus !== undefined) assert.equal(end.httpStatus, wire.httpStatus);
  if (wire.compressed) assert.deepEqual(messages.map(({ compressed }) => compressed), wire.compressed);
  if (each.rst !== undefined) assert.deepEqual([end.rst, end.rstError], [true, each.rst]);
  for (const block of ['headers', 'trailers']) {
    for (const [name, value] of Object.entries(each[block] ?? {})) {
      assert.deepEqual(valuesOf(end[block], name), oneOf(value).map(asText), `${block}: ${name}`);
    }
  }
  if (each.details) assert.match(Buffer.from(end.details, 'base64').toString('latin1'), each.details);
}

describe('evil server', { concurrency: 2 }, () => {
  let dir;
  let server;
  const Request = evil.lookupType('evil.v1.Request');
  const Reply = evil.lookupType('evil.v1.Reply');
  const { methods } = evil.lookupService('evil.v1.Evil');

  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rpc-'));
    server = await startServer(process.execPath, [path.join(SUPPORT, 'evil-server.mjs'), dir]);
  });
  after(async () => {
    assert.equal(await server?.close(), 0);
    rmSync(dir, { recursive: true, force: true });
  });

  function targetOf({ port = 'plain', tls }) {
    if (port === 'unix') return `unix:${server.unix}`;
    const host = port === 'ipv6' ? '[::1]' : '127.0.0.1';
    return `${tls ? 'grpcs' : 'grpc'}://${host}:${server.ports[port]}`;
  }

  function optionsOf(each) {
    const method = methods[each.method];
    return [
      ['d', each.deadlineMs ?? 5000],
      ...(method.responseStream ? [] : [['u']]),
      ...(each.requests ?? [{}]).map((request) => messageOption(Request.encode(Request.fromObject(request)).finish())),
      ...Object.entries(each.metadata ?? {}).map(([name, value]) => ['H', `${name}=${asText(value)}`]),
      ...(each.authority ? [['a', each.authority]] : []),
      ...(each.tls && each.tls.ca !== false ? [['C', server.ca]] : []),
      ...(each.tls?.client ? [['c', server.client.cert], ['k', server.client.key]] : []),
      ...(each.atOnce ? [['n', each.atOnce]] : []),
    ];
  }

  for (const each of CASES) {
    test(each.name, async () => {
      const started = Date.now();
      const calls = await drive(targetOf(each), `/evil.v1.Evil/${each.method}`, optionsOf(each));
      assert.ok(Date.now() - started < Math.max(each.deadlineMs ?? 5000, 5000) + 5000, 'the call ended in time');
      for (const call of calls) {
        checkEnd(each, call);
        if (call.end.code === 'OK' && each.replies !== null && oneOf(each.code).length === 1) {
          checkReplies(each.replies ?? [{ msg: 'ok' }], call.messages, Reply);
        }
      }
      assert.equal(calls.length, each.atOnce ?? 1);
    });
  }
});

describe('evil server, what it saw of the client', () => {
  let dir;
  let server;
  const Reply = evil.lookupType('evil.v1.Reply');

  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rpc-'));
    server = await startServer(process.execPath, [path.join(SUPPORT, 'evil-server.mjs'), dir]);
  });
  after(async () => {
    assert.equal(await server?.close(), 0);
    rmSync(dir, { recursive: true, force: true });
  });

  const plain = () => `127.0.0.1:${server.ports.plain}`;
  const msgOf = ({ messages: [{ base64 }] }) => Reply.decode(Buffer.from(base64, 'base64'));

  for (const [name, options, code] of [
    ['cancel after the first message', [['x', 1]], 'CANCELLED'],
    ['the deadline', [['d', 300]], 'DEADLINE_EXCEEDED'],
  ]) {
    test(`${name} sends RST_STREAM(CANCEL)`, async () => {
      const [watched] = await drive(plain(), '/evil.v1.Evil/Watched', [['m', ''], ...options]);
      assert.equal(watched.end.code, code);
      assert.equal(watched.end.origin, 'client');
      assert.equal(watched.messages.length, 1);
      const [what] = await drive(plain(), '/evil.v1.Evil/WhatReset', [['m', ''], ['u'], ['d', 5000]]);
      assert.equal(msgOf(what).msg, 'RST 8');
    });
  }

  test('a call cancelled at once ends so, before anything is sent', async () => {
    const [call] = await drive(plain(), '/evil.v1.Evil/Fine', [['m', ''], ['x', 0]]);
    assert.deepEqual([call.end.code, call.end.origin, call.end.httpStatus], ['CANCELLED', 'client', 0]);
  });

  test('GOAWAY: the next call opens another connection, which is counted', async () => {
    const calls = await drive(plain(), '/evil.v1.Evil/GoAwayAndCount', [['m', ''], ['u'], ['r', 3], ['d', 5000]]);
    const facts = calls.map(({ end }) => [end.code, end.conn.connects, end.conn.goaway]);
    assert.deepEqual(facts, [['OK', 1, true], ['OK', 2, true], ['OK', 3, true]]);
    assert.deepEqual(calls.map((call) => msgOf(call).seq), [1, 1, 1], 'each on a connection of its own');
  });

  test('nothing is tried again: a refused call is told, and one connection was opened', async () => {
    const [call] = await drive(plain(), '/evil.v1.Evil/GoAwayBefore', [['m', ''], ['u'], ['d', 5000]]);
    assert.deepEqual([call.end.code, call.end.goaway, call.end.conn.connects], ['UNAVAILABLE', true, 1]);
  });

  test('200 calls at once on one connection', async () => {
    const calls = await drive(plain(), '/evil.v1.Evil/Fine', [['m', ''], ['u'], ['n', 200], ['d', 20_000], ['q']]);
    assert.equal(calls.length, 200);
    for (const { end } of calls) assert.deepEqual([end.code, end.conn.connects, end.sentAll], ['OK', 1, true]);
  });

  test('a server that takes one stream at a time, and a deadline in the queue', async () => {
    const calls = await drive(`127.0.0.1:${server.ports.one}`, '/evil.v1.Evil/NeverAnswers', [['m', ''], ['u'], ['n', 3], ['d', 300]]);
    for (const { end } of calls) assert.equal(end.code, 'DEADLINE_EXCEEDED');
    assert.ok(calls.some(({ end }) => /waiting for its turn: .* takes 1 at once/.test(end.message)), calls[1].end.message);
  });

  test('the facts of TLS are told', async () => {
    const options = [['m', ''], ['u'], ['C', server.ca], ['d', 5000]];
    const [{ end }] = await drive(`grpcs://127.0.0.1:${server.ports.tls}`, '/evil.v1.Evil/Fine', options);
    assert.deepEqual([end.code, end.conn.alpn, end.conn.protocol, end.conn.tlsVersion], ['OK', 'h2', 'h2', 'TLSv1.3']);
    assert.match(end.conn.certSubject, /localhost/);
    assert.ok(end.conn.certNotAfter > Date.now() / 1000);
    assert.equal(end.conn.peer, `127.0.0.1:${server.ports.tls}`);
  });

  test('words of TLS name the cure', async () => {
    const at = (port, scheme = 'grpcs') => `${scheme}://127.0.0.1:${server.ports[port]}`;
    const ca = ['C', server.ca];
    for (const [target, options, says] of [
      [at('tlsExpired'), [ca], /has expired: it was valid until 20\d\d-\d\d-\d\dT/],
      [at('tlsWrongName'), [ca], /the certificate is for .*other\.example.*, not for "127\.0\.0\.1"/],
      [at('tlsSelfSigned'), [ca], /self-signed \(.*\): name it as the CA file/],
      [at('tlsClientCert'), [ca], /wants a client certificate, and none was given/],
      [at('tlsNoAlpn'), [ca], /chose no protocol by ALPN, and gRPC needs "h2"/],
      [at('tlsHttp1Only'), [ca], /ALPN.*HTTP\/1\.1 only/],
      [at('tls'), [], /authority that is unknown here.*CA file/],
      [at('tls'), [['C', '/nonexistent.pem']], /CA file \/nonexistent\.pem: No such file/],
      [at('tls'), [ca, ['c', server.ca]], /key file .*ca\.pem/],
      [at('plain'), [ca], new RegExp(`answered without TLS: write grpc://127\\.0\\.0\\.1:${server.ports.plain}`)],
      [at('tls', 'grpc'), [], new RegExp(`write grpcs://127\\.0\\.0\\.1:${server.ports.tls}$`)],
    ]) {
      const [{ end }] = await drive(target, '/evil.v1.Evil/Fine', [['m', ''], ['u'], ['d', 5000], ...options]);
      assert.deepEqual([end.code, end.origin], ['UNAVAILABLE', 'connect'], end.message);
      assert.match(end.message, says);
    }
  });

  test('a certificate that is not verified, and a name of our own', async () => {
    const named = [['C', server.ca], ['s', 'other.example']];
    for (const [port, options] of [['tlsSelfSigned', [['i']]], ['tlsExpired', [['i']]], ['tlsWrongName', named]]) {
      const [{ end }] = await drive(`grpcs://127.0.0.1:${server.ports[port]}`, '/evil.v1.Evil/Fine', [['m', ''], ['u'], ['d', 5000], ...options]);
      assert.equal(end.code, 'OK', `${port}: ${end.message}`);
    }
  });

  test('the connect timeout holds without a deadline', async () => {
    for (const target of [`127.0.0.1:${server.ports.mute}`, `grpcs://127.0.0.1:${server.ports.mute}`]) {
      const [{ end }] = await drive(target, '/evil.v1.Evil/Fine', [['m', ''], ['u'], ['t', 200]]);
      assert.deepEqual([end.code, end.origin], ['UNAVAILABLE', 'connect']);
      assert.match(end.message, /within 0\.2 s$/);
    }
  });
});

describe('servers that answer in another way', () => {
  for (const [name, answer, says] of [
    ['an alert of TLS', Buffer.from('15030100020246', 'hex'), /answered with TLS: write grpcs:\/\/127\.0\.0\.1:\d+$/],
    ['a page about HTTPS',
      'HTTP/1.1 400 Bad Request\r\n\r\n<center>The plain HTTP request was sent to HTTPS port</center>', /wants TLS: write grpcs:\/\/127/],
    ['HTTP/1.1', 'HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n',
      /speaks HTTP\/1 here, and gRPC needs HTTP\/2: it answered "HTTP\/1\.1 505 HTTP Version Not Supported"; if it wants TLS, write grpcs:/],
    ['one byte', 'H', /speaks no HTTP\/2: it answered "H"/],
    ['half of its SETTINGS', Buffer.from('000000040000', 'hex'), /closed the connection/],
  ]) {
    test(name, async () => {
      const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(answer));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        const [{ end }] = await drive(`127.0.0.1:${server.address().port}`, '/a.B/C', [['m', ''], ['u'], ['d', 5000]]);
        assert.deepEqual([end.code, end.origin, end.conn.connects], ['UNAVAILABLE', 'connect', 1], end.message);
        assert.match(end.message, says);
      } finally {
        server.close();
      }
    });
  }
});

for (const name of SERVERS) {
  for (const secure of [false, true]) {
    describe(`interop with the ${name} server${secure ? ' over TLS' : ''}`, () => {
      let dir;
      let server;
      let root;
      let certificates;

      before(async () => {
        dir = mkdtempSync(path.join(tmpdir(), 'rpc-'));
        certificates = makeCertificates(dir);
        server = await startInterop(name, secure ? certificates.good : {});
        root = protobuf.loadSync(PROTO);
      });
      after(async () => {
        assert.equal(await server?.close(), 0);
        rmSync(dir, { recursive: true, force: true });
      });

      const type = (each) => root.lookupType(`grpc.testing.${each}`);
      const bytesOf = (each, value) => hex(type(each).encode(type(each).fromObject(value)).finish());
      const bodyOf = ({ base64 }) => type('StreamingOutputCallResponse').decode(Buffer.from(base64, 'base64')).payload.body.length;
      const body = (size) => ({ body: Buffer.alloc(size) });
      /** Like drive; requests are values of the method's type. */
      function call(method, requests, options = [], service = 'TestService') {
        const { requestType } = root.lookupService('grpc.testing.TestService').methods[method];
        const target = `${secure ? 'grpcs' : 'grpc'}://127.0.0.1:${server.port}`;
        return drive(target, `/grpc.testing.${service}/${method}`, [
          ['d', 10_000], ...(secure ? [['C', certificates.ca]] : []), ...options,
          ...requests.map((each) => messageOption(Buffer.from(bytesOf(requestType, each), 'hex')))]);
      }

      test('empty_unary and large_unary', async () => {
        const [empty] = await call('EmptyCall', [{}], [['u']]);
        assert.deepEqual([empty.end.code, empty.messages.length, empty.messages[0]?.bytes], ['OK', 1, 0], empty.end.message);
        const [large] = await call('UnaryCall', [{ responseSize: 314159, payload: body(271828) }], [['u']]);
        assert.equal(large.end.code, 'OK', large.end.message);
        assert.ok(large.messages[0].bytes > 314159);
        assert.equal(large.end.sentAll, true);
      });

      test('compressed requests and replies', async () => {
        const [packed] = await call('UnaryCall', [
          { responseSize: 31415, responseCompressed: { value: true }, payload: body(27182) }], [['u'], ['z']]);
        assert.equal(packed.end.code, 'OK', packed.end.message);
        assert.ok(packed.messages[0].bytes > 31415);
        assert.equal(packed.messages[0].compressed, packed.messages[0].wireBytes < 31415, 'the flag says the truth');
      });

      test('client_streaming', async () => {
        const [input] = await call('StreamingInputCall', [27182, 8, 1828, 45904].map((size) => ({ payload: body(size) })), [['u']]);
        assert.equal(input.end.code, 'OK', input.end.message);
        const reply = type('StreamingInputCallResponse').decode(Buffer.from(input.messages[0].base64, 'base64'));
        assert.equal(reply.aggregatedPayloadSize, 74922);
      });

      test('server_streaming, ping_pong and empty_stream', async () => {
        const sizes = [31415, 9, 2653, 58979];
        const [output] = await call('StreamingOutputCall', [{ responseParameters: sizes.map((size) => ({ size })) }]);
        assert.deepEqual([output.end.code, output.messages.map(bodyOf)], ['OK', sizes]);
        const [pong] = await call('FullDuplexCall', sizes.map((size) => ({ responseParameters: [{ size }], payload: body(size) })), [['p']]);
        assert.deepEqual([pong.end.code, pong.messages.map(bodyOf)], ['OK', sizes]);
        const [empty] = await call('FullDuplexCall', []);
        assert.deepEqual([empty.end.code, empty.messages.length], ['OK', 0]);
      });

      test('custom_metadata', async () => {
        const options = [['u'], ['H', 'x-grpc-test-echo-initial=test_initial_metadata_value'], ['H', 'x-grpc-test-echo-trailing-bin=ababab']];
        const [{ end }] = await call('UnaryCall', [{ responseSize: 1 }], options);
        assert.deepEqual(valuesOf(end.headers, 'x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
        assert.deepEqual(valuesOf(end.trailers, 'x-grpc-test-echo-trailing-bin'), ['ababab']);
      });

      test('status_code_and_message, special_status_message', async () => {
        const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
        for (const [method, options] of [['UnaryCall', [['u']]], ['FullDuplexCall', []]]) {
          const [{ end }] = await call(method, [{ responseStatus: { code: 2, message } }], options);
          assert.deepEqual([end.code, end.origin, end.message], ['UNKNOWN', 'server', message]);
        }
      });

      test('unimplemented_method and unimplemented_service', async () => {
        for (const service of ['TestService', 'UnimplementedService']) {
          const [{ end }] = await call('UnimplementedCall', [{}], [['u']], service);
          assert.deepEqual([end.code, end.origin], ['UNIMPLEMENTED', 'server'], end.message);
        }
      });

      test('cancel_after_begin, cancel_after_first_response, timeout_on_sleeping_server', async () => {
        const [begun] = await call('StreamingInputCall', [{ payload: body(10) }], [['u'], ['x', 0], ['o']]);
        assert.equal(begun.end.code, 'CANCELLED');
        const [first] = await call('FullDuplexCall', [{ responseParameters: [{ size: 31415 }] }], [['x', 1], ['o']]);
        assert.deepEqual([first.end.code, first.messages.length], ['CANCELLED', 1]);
        const [asleep] = await call('StreamingOutputCall', [{ responseParameters: [{ size: 1, intervalUs: 2_000_000 }] }], [['d', 200]]);
        assert.equal(asleep.end.code, 'DEADLINE_EXCEEDED');
      });
    });
  }
}
