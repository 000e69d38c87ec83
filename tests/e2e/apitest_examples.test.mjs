// The shop of the examples by a client that is not ours, and then the examples by `pourover test`.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { noApitest, runApitest } from '../support/apitest.mjs';
import { requirePackage, startServer } from '../support/child-server.mjs';

const EXAMPLES = fileURLToPath(new URL('../../examples/apitest', import.meta.url));
const SHOP = fileURLToPath(new URL('../support/demo-shop/server.mjs', import.meta.url));
const TOKEN = 'a token of this test';
const RELEASE = '2026.11.25';
const grpc = requirePackage('@grpc/grpc-js');
const loader = requirePackage('@grpc/proto-loader');

let dir;
let shop;

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-shop-'));
  shop = await startServer(process.execPath, [SHOP, dir], { env: { TOKEN, RELEASE } });
});

after(async () => {
  rmSync(dir, { recursive: true, force: true });
  assert.equal(await shop?.close(), 0);
});

describe('the shop', () => {
  let orders;
  let hello;
  const token = new grpc.Metadata();
  token.set('authorization', `Bearer ${TOKEN}`);

  before(() => {
    const packages = grpc.loadPackageDefinition(loader.loadSync(['order.proto', 'service.proto'], {
      includeDirs: [EXAMPLES], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }));
    const at = [`127.0.0.1:${shop.port}`, grpc.credentials.createInsecure()];
    orders = new packages.shop.v1.OrderService(...at);
    hello = new packages.hello.v1.HelloService(...at);
  });

  after(() => {
    orders.close();
    hello.close();
  });

  const options = () => ({ deadline: Date.now() + 10_000 });
  const ask = (client, method, request, metadata = token) =>
    new Promise((resolve) => client[method](request, metadata, options(), (error, reply) => resolve(error ?? reply)));
  const listen = (call) => new Promise((resolve) => {
    const messages = [];
    call.on('data', (message) => messages.push(message));
    call.on('error', () => {});
    call.on('status', (status) => setImmediate(() => resolve({ messages, ...status })));
  });

  test('makes orders, which are paid and shipped, and counts them', async () => {
    const { order } = await ask(orders, 'Create', { sku: 'S-1', quantity: 3, price: { units: '9007199254740993' } });
    assert.match(order.id, /^ord_[0-9a-z]{12}$/);
    assert.deepEqual([order.state, order.price.units, order.coupon], ['PENDING', '9007199254740993', undefined]);
    const watched = await listen(orders.Watch({ id: order.id }, token, options()));
    assert.deepEqual(watched.messages, [{ seq: 1, event: 'CREATED' }, { seq: 2, event: 'PAID' }, { seq: 3, event: 'SHIPPED' }]);
    assert.match(watched.metadata.get('x-stream-checksum')[0], /^[0-9a-f]{8}$/);
    assert.equal((await ask(orders, 'Get', { id: order.id })).order.state, 'PAID');
    const count = await new Promise((resolve) => {
      const call = orders.Count(token, options(), (error, reply) => resolve(error ?? reply));
      call.end({ sku: 'S-1' });
    });
    assert.deepEqual(count, { quantity: '3' });
  });

  test('greets, and chats message by message', async () => {
    assert.deepEqual(await ask(hello, 'SayHello', { name: 'hoge' }), { msg: 'Hello hoge!' });
    const call = orders.Chat(token, options());
    const done = listen(call);
    call.write({ name: 'a' });
    await new Promise((resolve) => call.once('data', resolve));
    call.end({ name: 'b' });
    assert.deepEqual((await done).messages, [{ msg: 'Hello a', i: 0 }, { msg: 'Hello b', i: 1 }]);
  });

  test('refuses with code, message and details', async () => {
    const bad = await ask(orders, 'Create', { sku: 'S-1', quantity: -1 });
    assert.deepEqual([bad.code, bad.details], [grpc.status.INVALID_ARGUMENT, 'quantity must be 1 or more, not -1']);
    assert.match(bad.metadata.get('grpc-status-details-bin')[0].toString('latin1'), /google\.rpc\.BadRequest[^]*quantity/);
    assert.equal((await ask(orders, 'Get', { id: 'none' })).code, grpc.status.NOT_FOUND);
    assert.equal((await ask(orders, 'Get', { id: 'none' }, new grpc.Metadata())).code, grpc.status.UNAUTHENTICATED);
  });

  for (const [name, args] of Object.entries({
    'HTTP/2 without TLS': ({ port }) => ['--http2-prior-knowledge', `http://127.0.0.1:${port}/healthz`],
    'HTTP/2 over TLS': ({ tls, ca }) => ['--http2', '--cacert', ca, `https://localhost:${tls}/healthz`],
    'HTTP/1.1 over TLS': ({ tls, ca }) => ['--http1.1', '--cacert', ca, `https://localhost:${tls}/healthz`],
    'HTTP/1.1': ({ http }) => [`http://127.0.0.1:${http}/healthz`] })) {
    test(`says its health by ${name}`, async () => {
      const { stdout } = await promisify(execFile)('curl', ['-sS', '--noproxy', '*', '--max-time', '10', '-w', '\n%{http_version}', ...args(shop)]);
      const [body, version] = stdout.split('\n');
      const { status, version: release, checks } = JSON.parse(body);
      assert.deepEqual([status, release, checks.map(({ ok }) => ok)], ['ok', RELEASE, [true, true]]);
      assert.equal(version, name.startsWith('HTTP/2') ? '2' : '1.1');
    });
  }
});

describe('the examples', () => {
  const files = readdirSync(EXAMPLES).filter((name) => name.endsWith('.yaml')).sort();

  test('there are six', () => assert.equal(files.length, 6));

  for (const file of files) {
    for (const scheme of ['grpc', 'grpcs']) {
      if (file === '06_http.yaml' && scheme === 'grpc') continue;
      test(`example ${file} over ${scheme}`, { skip: noApitest }, async () => {
        const result = await runApitest(path.join(EXAMPLES, file), {
          target: `${scheme}://127.0.0.1:${scheme === 'grpcs' ? shop.tls : shop.port}`, ...(scheme === 'grpcs' && { ca: shop.ca }),
          secrets: { TOKEN }, env: { RELEASE } });
        assert.equal(result.code, 0, result.out + result.err);
        assert.ok(!(result.out + result.err).includes(TOKEN), 'a secret stays one');
      });
    }
  }

  test('with another token the orders fail', { skip: noApitest }, async () => {
    const result = await runApitest(path.join(EXAMPLES, '02_orders.yaml'), { target: `127.0.0.1:${shop.port}`, secrets: { TOKEN: 'stolen' } });
    assert.equal(result.code, 1, result.out + result.err);
    assert.match(result.out + result.err, /UNAUTHENTICATED/);
  });
});
