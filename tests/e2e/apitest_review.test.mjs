// `pourover test` never says that something is right which it did not compare: ways in which a case, a run or a gate could pass in silence,
// and in which a secret could be shown.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/child-server.mjs';
import { run } from '../support/program.mjs';

const EXAMPLES = fileURLToPath(new URL('../../examples/apitest', import.meta.url));
const SHOP = fileURLToPath(new URL('../support/demo-shop/server.mjs', import.meta.url));
const TOKEN = 'r3view-token';
const HELLO = '  proto: ./service.proto\n  serviceName: HelloService\n';
const ORDERS = '  proto: ./order.proto\n  serviceName: OrderService\n  defaults: {metadata: {authorization: "Bearer ${secret.TOKEN}"}}\n';
const GREET = 'methodName: SayHello, detail: {requests: [{name: a}], responses: [{msg: Hello a!}]}';

let dir;
let shop;
let target;
const opened = []; // ends what a failed test has left

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-review-'));
  for (const name of ['service.proto', 'order.proto']) copyFileSync(path.join(EXAMPLES, name), path.join(dir, name));
  shop = await startServer(process.execPath, [SHOP, dir], { env: { TOKEN, RELEASE: '1' } });
  target = `127.0.0.1:${shop.port}`;
});

after(async () => {
  for (const end of opened) end();
  await shop?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a suite, against the shop unless the arguments name a target. */
function suite(text, args = [], env = {}) {
  const place = path.join(dir, 'review.yaml');
  writeFileSync(place, text);
  const whom = args.includes('--target') || args.includes('--cross') ? [] : ['--target', target];
  return run(['test', place, ...whom, ...args], [], { POUROVER_TARGET: '', POUROVER_SECRET_TOKEN: TOKEN, ...env }, { ms: 60_000 });
}
const greet = (more) => suite(`- testName: T\n${HELLO}  cases:\n  - {name: a, ${more}}\n`);
const chat = (detail, more = '', args = []) =>
  suite(`- testName: T\n${ORDERS}  cases:\n  - {name: a, methodName: Chat, ${more} detail: {${detail}}}\n`, args);
const exits = (result, code) => assert.equal(result.code, code, result.out + result.err);

async function listen(server) {
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  opened.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${server.address().port}`;
}

async function freeAddress() {
  const server = net.createServer();
  const address = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}

/** Plays as gRPC what `play(stream, headers)` does; {address, close()}. */
async function grpcServer(play) {
  const sessions = new Set();
  const server = http2.createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => {}).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    play(stream, headers);
  });
  return {
    address: await listen(server),
    close: () => {
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const frame = (bytes) => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
};
const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const field = (number, bytes) => Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);

/** A unary reply of these bytes. */
function reply(stream, bytes) {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frame(bytes));
}

describe('a script without end', () => {
  const script = 'stream: [{send: {name: a}}, {expect: {msg: Hello a}}]';
  for (const beside of ['headers: {x-nope: a}', 'trailers: {x-nope: a}', 'headersOrTrailers: {x-nope: a}', 'wire: {protocol: http/1.1}',
    'timing: {total: {$gt: 100s}}']) {
    test(`${beside} beside it is compared`, async () => {
      const result = await chat(`${script}, ${beside}`);
      exits(result, 1);
      assert.match(result.out, /x-nope|wire\.protocol|timing\.total/);
    });
  }

  test('passes when what stands beside it is right', async () => {
    exits(await chat(`${script}, wire: {protocol: h2}, timing: {total: {$lt: 100s}}`), 0);
  });

  test('saves for the case behind it, and cannot save what is not there', async () => {
    const use = `  - {name: b, methodName: Chat, detail: {stream: [{send: {name: "\${m}"}}, {expect: {msg: "Hello Hello a"}}]}}\n`;
    const good = await suite(`- testName: T\n${ORDERS}  cases:\n  - {name: a, methodName: Chat, save: {m: "responses[0].msg"}, detail: {${script}}}\n${use}`);
    exits(good, 0);
    exits(await chat(script, 'save: {m: "responses[7].msg"},'), 1);
  });

  test('is not satisfied by the silence of an address that it does not reach: 3', async () => {
    const mute = net.createServer((socket) => socket.resume().on('error', () => {}));
    const result = await chat('stream: [{send: {name: a}}, {quiet: 100ms}]', '', ['--target', await listen(mute)]);
    mute.close();
    exits(result, 3);
  });

  test('that only waits for silence tests something', async () => {
    const open = await grpcServer((stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc' }));
    const result = await chat('stream: [{send: {name: a}}, {quiet: 100ms}]', '', ['--target', open.address]);
    await open.close();
    exits(result, 0);
  });
});

describe('the baseline', () => {
  const http1 = (body) => http.createServer((request, response) => response.end(typeof body === 'function' ? body(request) : body));
  const page = (more = '') => `- testName: T\n  http: {scheme: http}\n  cases:\n  - {name: a, ${more} http: {path: /}, expect: {status: 200}}\n`;

  test('that cannot be reached fails what was not compared: 3', async () => {
    const result = await suite(`- testName: T\n${HELLO}  cases:\n  - {name: a, ${GREET}}\n`, ['--baseline', await freeAddress()]);
    exits(result, 3);
    assert.match(result.out, /baseline gave no reply to compare with/);
  });

  test('is compared with answers of HTTP, JSON by its values, but for what is ignored', async () => {
    const old = http1('{"a": 1, "at": 5}');
    const fresh = http1('{"at": 6, "a": 2}');
    const args = ['--target', `http://${await listen(fresh)}`, '--baseline', `http://${await listen(old)}`];
    const differs = await suite(page(), args);
    exits(differs, 1);
    assert.match(differs.out, /json \(baseline\)\.a\b/);
    exits(await suite(page('ignore: [a, at],'), args), 0);
    exits(await suite(page('ignore: [at],'), args), 1);
    old.close();
    fresh.close();
  });

  test('is compared with scripts, too', async () => {
    const other = await grpcServer((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(frame(Buffer.concat([field(1, Buffer.from('Hello a')), Buffer.from([0x10, 7])])));
    });
    const result = await chat('stream: [{send: {name: a}}, {expect: {msg: Hello a}}]', '', ['--baseline', other.address]);
    await other.close();
    exits(result, 1);
    assert.match(result.out, /\(baseline\)\.i/);
  });

  test('keeps replies with an Any inside a message until they are compared', async () => {
    writeFileSync(path.join(dir, 'any.proto'), 'syntax = "proto3";\npackage t;\nimport "google/protobuf/any.proto";\nmessage In { google.protobuf.Any any = 1; }\n'
      + 'message Box { In in = 1; string text = 2; }\nservice S { rpc Get(Box) returns (Box); }\n');
    const any = (text) => field(1, field(1, Buffer.concat([
      field(1, Buffer.from('type.googleapis.com/t.Box')), field(2, field(2, Buffer.from(text)))])));
    const one = await grpcServer((stream) => reply(stream, any('old '.repeat(5000))));
    const two = await grpcServer((stream) => reply(stream, any('new')));
    const result = await suite('- testName: T\n  proto: ./any.proto\n  serviceName: S\n  cases:\n'
      + '  - {name: a, methodName: Get, detail: {requests: [{}], responses: [{in: {$present: true}}]}}\n', ['--target', two.address, '--baseline', one.address]);
    await one.close();
    await two.close();
    exits(result, 1);
    assert.match(result.out, /\(baseline\)\.in\.any\.text/);
    assert.doesNotMatch(result.err, /AddressSanitizer/);
  });
});

describe('setup', () => {
  const file = (more) => `version: 1\nsetup:\n- testName: S\n${HELLO}  cases:\n  - {name: s, ${GREET}}\ntests:\n- testName: T\n${HELLO}  cases:\n  - {name: a, ${more}${GREET}}\n`;

  test('alone is no test: a filter that matches nothing is 5, and nothing is called', async () => {
    const result = await suite(file(''), ['--run', 'nothing']);
    exits(result, 5);
    assert.doesNotMatch(result.out, /pass /);
  });

  test('passed beside skipped cases is 5', async () => exits(await suite(file('skip: later, ')), 5));

  test('with side effects is refused by --production whatever --run chooses', async () => {
    const create = 'methodName: Create, detail: {requests: [{sku: A-100, quantity: 1}], responses: [{order: {state: PENDING}}]}';
    const text = `version: 1\nsetup:\n- testName: S\n${ORDERS}  cases:\n  - {name: s, ${create}}\ntests:\n- testName: T\n${HELLO}  cases:\n  - {name: a, ${GREET}}\n`;
    const result = await suite(text, ['--production', '--run', '^T/a$']);
    exits(result, 2);
    assert.match(result.err, /allowSideEffects/);
  });
});

describe('facts that are not there', () => {
  for (const fact of ['tls: {version: {$ne: TLSv1.0}}', 'tls: {subject: {$not: {$contains: x}}}', 'tls: {cipher: {$not: {$contains: RC4}}}']) {
    test(`${fact} does not hold for plaintext`, async () => {
      const result = await greet(`methodName: SayHello, detail: {requests: [{name: a}], wire: {${fact}}}`);
      exits(result, 1);
      assert.match(result.out, /plaintext/);
    });
  }

  test('tls: {version: null} holds for plaintext', async () => {
    exits(await greet('methodName: SayHello, detail: {requests: [{name: a}], wire: {tls: {version: null}}}'), 0);
  });

  test('timing: {gap} needs two messages', async () => {
    const one = 'stream: [{send: {name: a}}, {expect: {msg: Hello a}}], timing: {gap: {$lt: 100s}}';
    exits(await chat(one), 1);
    exits(await chat(one.replace('],', ', {send: {name: b}}, {expect: {msg: Hello b}}],')), 0);
  });
});

test('our own deadline is an answer only for those who name DEADLINE_EXCEEDED', async () => {
  const never = await grpcServer(() => {});
  const ends = (error) => suite(`- testName: T\n${HELLO}  cases:\n  - {name: a, methodName: SayHello, deadline: 100ms, detail: {requests: [{}], error: ${error}}}\n`,
    ['--target', never.address]);
  exits(await ends('{code: {$ne: OK}}'), 4);
  exits(await ends('{message: {$not: {$contains: nothing}}}'), 4);
  exits(await ends('DEADLINE_EXCEEDED'), 0);
  exits(await ends('{code: {$in: [UNAVAILABLE, DEADLINE_EXCEEDED]}}'), 0);
  await never.close();
});

test('two targets of one name are refused, and an = in the path of a socket names none', async () => {
  const text = `- testName: T\n${HELLO}  cases:\n  - {name: a, ${GREET}}\n`;
  exits(await suite(text, ['--target', await freeAddress(), '--target', target]), 2);
  exits(await suite(text, ['--target', 'edge=127.0.0.1:1', '--target', target]), 0);
  const socket = await suite(text, ['--target', `unix:${dir}/a=b`]);
  exits(socket, 3);
  assert.match(socket.out, /a=b/);
});

test('--cross and --baseline leave a test where its target says', async () => {
  const server = http.createServer((request, response) => response.end('edge'));
  const edge = `edge=http://${await listen(server)}`;
  const text = `- testName: T\n  target: edge\n  http: {scheme: http}\n  cases:\n  - {name: a, http: {path: /}, expect: {body: edge}}\n- testName: G\n${HELLO}  cases:\n  - {name: a, ${GREET}}\n`;
  exits(await suite(text, ['--cross', `${target},${target}`, '--target', edge]), 0);
  exits(await suite(text, ['--target', target, '--target', edge, '--baseline', target]), 0);
  server.close();
});

test('an --authority that is none is an error of the command line', async () => {
  for (const authority of ['', 'a b', 'x/y']) exits(await suite(`- testName: T\n${HELLO}  cases:\n  - {name: a, ${GREET}}\n`, ['--authority', authority]), 2);
});

describe('reflection', () => {
  const reflects = (n, head = '') => `${head}${[...Array(n).keys()].map((i) => `- testName: T${i}\n  reflection: true\n  serviceName: HelloService\n  cases:\n  - {name: a, ${GREET}}\n`).join('')}`;

  test('is asked for once, also in vain; a server that ends without an answer is told', async () => {
    let asked = 0;
    const ends = await grpcServer((stream) => {
      asked++;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end();
    });
    const result = await suite(reflects(4), ['--target', ends.address]);
    await ends.close();
    exits(result, 1);
    assert.match(result.err, /ended the stream after 0 answers/);
    assert.equal(asked, 1);
  });

  test('calls nothing when what the file requires is not given', async () => {
    let asked = 0;
    const counts = await grpcServer((stream) => {
      asked++;
      stream.close();
    });
    const result = await suite(reflects(1, "version: 1\nrequires: {TENANT: {$regex: '^test-'}}\ntests:\n"), ['--target', counts.address], { TENANT: 'real' });
    await counts.close();
    exits(result, 2);
    assert.match(result.err, /nothing is called/);
    assert.equal(asked, 0);
  });
});

describe('a secret is not shown', () => {
  const hidden = (result, secret, more = []) => {
    for (const text of [result.out, result.err, ...more.map((place) => readFileSync(place, 'utf8'))]) {
      for (let n = 8; n <= secret.length; n++) assert.ok(!text.includes(secret.slice(0, n)), text);
    }
  };

  test('when the case that would save it fails', async () => {
    const file = path.join(dir, 'report.json');
    const result = await suite(`- testName: T\n${HELLO}  cases:\n  - name: login\n    methodName: SayHello\n`
      + '    detail: {requests: [{name: "a"}], responses: [{msg: Bye}]}\n    save: {token: {path: "responses[0].msg", secret: true}}\n', ['--json', file, '-v']);
    exits(result, 1);
    hidden(result, 'Hello a!', [file]);
  });

  test('when the step that would save it fails', async () => {
    const result = await chat('stream: [{send: {name: abc}}, {expect: {msg: Bye}, save: {m: {path: msg, secret: true}}}]');
    exits(result, 1);
    hidden(result, 'Hello abc');
  });

  test('when an answer of HTTP that would save it is wrong', async () => {
    const server = http.createServer((request, response) => response.end('{"token": "very-private-4711", "ok": false}'));
    const result = await suite('- testName: T\n  http: {scheme: http}\n  cases:\n  - {name: a, http: {path: /}, expect: {json: {ok: true}}, save: {t: {path: json.token, secret: true}}}\n',
      ['--target', `http://${await listen(server)}`]);
    server.close();
    exits(result, 1);
    assert.match(result.out, /json\.ok/);
    hidden(result, 'very-private-4711');
  });

  test('by half, where a long text is cut', async () => {
    const secret = 'Zq7-0123456789abcdefghijklmnopqrstuvwxyz-Zq7';
    for (const room of [200, 1000, 2000]) {
      const server = http.createServer((request, response) => response.writeHead(200).end(`${'x'.repeat(room - 20)}${secret}${'y'.repeat(3000)}`));
      const expect = room === 200 ? 'json: {ok: true}' : 'status: 201';
      const where = room === 2000 ? `/${'x'.repeat(1970)}\${secret.LONG}` : '/';
      const result = await suite(`- testName: T\n  http: {scheme: http}\n  cases:\n  - {name: a, http: {path: "${where}", headers: {x-a: "\${secret.LONG}"}}, expect: {${expect}}}\n`,
        ['--target', `http://${await listen(server)}`], { POUROVER_SECRET_LONG: secret });
      server.close();
      exits(result, 1);
      hidden(result, secret);
    }
  });
});

test('a method whose call could not be sent is not covered', async () => {
  const result = await suite(`- testName: S\n${ORDERS}  cases:\n`
    + '  - {name: s, methodName: Chat, detail: {stream: [{send: {name: é}}, {expect: {msg: Hello é}}]}, save: {m: "responses[0].msg"}}\n'
    + '  - {name: a, methodName: Get, detail: {metadata: {x-a: "${m}"}, requests: [{id: x}], responses: [{}]}}\n', ['--coverage']);
  exits(result, 1);
  assert.match(result.out, /not called: shop\.v1\.OrderService\/Get\b/);
  assert.doesNotMatch(result.out, /not called: shop\.v1\.OrderService\/Chat\b/);
});
