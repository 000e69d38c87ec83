// The shop of examples/apitest, by grpc-js: `node server.mjs DIR`. DIR is where it may write (a descriptor set, certificates).
//
//   hello.v1.HelloService, shop.v1.OrderService (order.proto), reflection v1 and v1alpha
//   GET /healthz    {"status": "ok", "version": $RELEASE, "checks": [{"name": "orders", "ok": true}, ...]}
//
// All of it on one port of plaintext (HTTP/2) and one of TLS (HTTP/2; for /healthz HTTP/1.1, too), /healthz also on one of HTTP/1.1.
// OrderService wants the metadata `authorization: Bearer $TOKEN`, demo-token by default. Prints
// {"port", "tls", "http", "ca"} and ends when its standard input ends.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCertificates, readPair } from '../certificates.mjs';
import { requirePackage, untilStdinEnds } from '../child-server.mjs';
import { addReflection } from '../grpc-reflection.mjs';

const grpc = requirePackage('@grpc/grpc-js');
const loader = requirePackage('@grpc/proto-loader');
const protobuf = requirePackage('protobufjs');
const EXAMPLES = fileURLToPath(new URL('../../../examples/apitest', import.meta.url));
const PROTOS = ['order.proto', 'service.proto'];
const [dir] = process.argv.slice(2);
const TOKEN = process.env.TOKEN || 'demo-token';
const RELEASE = process.env.RELEASE || '1.0';
const HOST = process.env.SERVED_BY || 'demo-shop';
const PAID_AFTER_MS = 300;
const SHIPPED_AFTER_MS = 500;
const { INVALID_ARGUMENT, NOT_FOUND, UNAUTHENTICATED, UNKNOWN } = grpc.status;

// Errors with details

const { root: rpc } = protobuf.parse(`syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }`, { keepCase: true });

const encode = (name, value) => {
  const type = rpc.lookupType(`google.rpc.${name}`);
  return Buffer.from(type.encode(type.fromObject(value)).finish());
};

function badRequest(field, description) {
  const details = `${field} ${description}`;
  const value = encode('BadRequest', { field_violations: [{ field, description }] });
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', encode('Status', {
    code: INVALID_ARGUMENT, message: details, details: [{ type_url: 'type.googleapis.com/google.rpc.BadRequest', value }] }));
  return { code: INVALID_ARGUMENT, details, metadata };
}

function authorize(call) {
  const [given] = call.metadata.get('authorization');
  if (given !== `Bearer ${TOKEN}`) throw { code: UNAUTHENTICATED, details: given ? 'this token is not valid here' : 'no authorization given' };
}

const failure = (error) => ({ code: UNKNOWN, details: String(error.stack), ...error });

const answering = (body) => async (call, done) => {
  try {
    const reply = await body(call);
    const headers = new grpc.Metadata();
    headers.set('x-served-by', HOST);
    call.sendMetadata(headers);
    done(null, reply);
  } catch (error) {
    done(failure(error));
  }
};

const streaming = (body) => async (call) => {
  try {
    await body(call);
  } catch (error) {
    call.emit('error', failure(error));
  }
};

// Orders

const orders = new Map();

function newOrder({ sku, quantity, price }) {
  const id = `ord_${[...randomBytes(12)].map((byte) => (byte % 36).toString(36)).join('')}`;
  const now = Date.now();
  orders.set(id, { id, now, lines: [{ sku, quantity }], price });
  return orders.get(id);
}

function findOrder(id) {
  const order = orders.get(id);
  if (!order) throw { code: NOT_FOUND, details: `there is no order "${id}"` };
  return order;
}

const isPaid = (order) => Date.now() >= order.now + PAID_AFTER_MS;

function show(order) {
  const created = { seconds: Math.floor(order.now / 1000), nanos: (order.now % 1000) * 1e6 };
  return { id: order.id, state: isPaid(order) ? 'PAID' : 'PENDING', created_at: created, lines: order.lines, price: order.price };
}

function watch(call) {
  const order = findOrder(call.request.id);
  const events = [['CREATED', 0], ['PAID', PAID_AFTER_MS], ['SHIPPED', SHIPPED_AFTER_MS]];
  const timers = events.map(([event, ms], i) => setTimeout(() => {
    call.write({ seq: i + 1, event });
    if (i + 1 < events.length) return;
    const trailers = new grpc.Metadata();
    const names = events.map(([name]) => name).join(',');
    trailers.set('x-stream-checksum', createHash('sha256').update(names).digest('hex').slice(0, 8));
    call.end(trailers);
  }, Math.max(0, order.now + ms - Date.now())));
  call.on('cancelled', () => timers.forEach((timer) => clearTimeout(timer)));
}

const orderService = {
  Create: answering(async (call) => {
    authorize(call);
    const { sku, quantity } = call.request;
    if (sku === '') throw badRequest('sku', 'is missing');
    if (quantity < 1) throw badRequest('quantity', `must be 1 or more, not ${quantity}`);
    return { order: show(newOrder(call.request)) };
  }),
  Get: answering(async (call) => {
    authorize(call);
    return { order: show(findOrder(call.request.id)) };
  }),
  Watch: streaming(async (call) => {
    authorize(call);
    watch(call);
  }),
  Chat: streaming(async (call) => {
    authorize(call);
    let i = 0;
    call.on('data', ({ name }) => {
      call.write({ msg: `Hello ${name}`, i });
      i += 1;
    });
    call.on('end', () => call.end());
  }),
  Count: answering(async (call) => {
    authorize(call);
    const skus = new Set();
    for await (const { sku } of call) skus.add(sku);
    const lines = [...orders.values()].flatMap((order) => order.lines).filter(({ sku }) => skus.has(sku));
    return { quantity: lines.reduce((sum, { quantity }) => sum + quantity, 0) };
  }),
};

const helloService = { SayHello: answering(async (call) => ({ msg: `Hello ${call.request.name}!` })) };

// HTTP

const health = () => JSON.stringify({
  status: 'ok', version: RELEASE, checks: [{ name: 'orders', ok: true, count: orders.size }, { name: 'clock', ok: true }] });

/** [status, headers, body] for a path. */
function page(url) {
  if (url !== '/healthz') return [404, { 'content-type': 'application/json' }, JSON.stringify({ error: `no ${url}` })];
  return [200, { 'content-type': 'application/json; charset=utf-8', 'x-served-by': HOST }, health()];
}

function answerRequest(request, response) {
  const [status, headers, body] = page(request.url);
  response.writeHead(status, headers).end(request.method === 'HEAD' ? '' : body);
}

/** grpc-js keeps the server of its port to itself; what is not gRPC is taken before it sees it. */
function withPages(server) {
  const { emit } = server;
  server.emit = function emitOrAnswer(event, ...args) {
    if (event === 'request') {
      answerRequest(...args);
      return true;
    }
    if (event !== 'stream' || args[1]['content-type']?.startsWith('application/grpc')) return emit.call(this, event, ...args);
    const [stream, headers] = args;
    const [status, more, body] = page(headers[':path']);
    stream.respond({ ':status': status, ...more });
    stream.end(headers[':method'] === 'HEAD' ? '' : body);
    return true;
  };
  return server;
}

const { createServer, createSecureServer } = http2;
http2.createServer = (...args) => withPages(createServer(...args));
http2.createSecureServer = (options) => withPages(createSecureServer({ ...options, allowHTTP1: true }));

function descriptorSet() {
  const set = path.join(dir, 'shop.pb');
  execFileSync('protoc', ['-I', EXAMPLES, '--include_imports', `--descriptor_set_out=${set}`, ...PROTOS], { timeout: 30_000 });
  return readFileSync(set);
}

const bind = (server, credentials) => new Promise((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
});

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

async function main() {
  const certificates = makeCertificates(dir);
  const { cert, key } = readPair(certificates.good);
  const packages = grpc.loadPackageDefinition(
    loader.loadSync(PROTOS, { includeDirs: [EXAMPLES], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true }));
  const server = new grpc.Server();
  server.addService(packages.hello.v1.HelloService.service, helloService);
  server.addService(packages.shop.v1.OrderService.service, orderService);
  addReflection(server, descriptorSet());
  const port = await bind(server, grpc.ServerCredentials.createInsecure());
  const tls = await bind(server, grpc.ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }]));
  const plain = await listen(http.createServer(answerRequest));
  console.log(JSON.stringify({ port, tls, http: plain, ca: certificates.ca }));
}

untilStdinEnds();
await main();
