// A small service to try releases on: `node service.mjs --version 2.0 --host west3 --port 9003`.
//
//   GET /           a page that says which version and host answered, and what the router told it
//   GET /healthz    "ok"
//   GET /version    {"version":"2.0","host":"west3"}
//   GET /slow/MS    the page, after MS milliseconds
//   demo.Echo/Say   gRPC echo (echo.proto), on the same port
//
// With --start-ms N (DEMO_START_MS) it takes so long until it listens, as one that fills its caches first.
// With --log FILE it appends one line a request: number (X-Request-Number), time, kind, status, track, version, host.
// A folder made by make-version.mjs has a version.json beside this file, which says what version it is, and what is
// wrong with it if it is one that a release has to find out. Options may come from the environment, too: DEMO_HOST,
// DEMO_PORT, DEMO_LOG.
//
// TERM lets it finish what it has begun. With --until-eof it also ends when its standard input does, with --owner PID
// (DEMO_OWNER) when that process is gone: so that it does not outlive whoever tried it.

import { openSync, writeSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { Deframer, encodeText } from './grpc.mjs';
import { endWithOwner, versionHere } from './life.mjs';

const made = versionHere(import.meta.url);
const { env } = process;
const { values: options } = parseArgs({
  options: {
    version: { type: 'string', default: made.version ?? '1.0' },
    host: { type: 'string', default: env.DEMO_HOST ?? 'local' },
    port: { type: 'string', default: env.DEMO_PORT ?? '9001' },
    log: { type: 'string', default: env.DEMO_LOG ?? '' },
    owner: { type: 'string', default: env.DEMO_OWNER ?? '' },
    'start-ms': { type: 'string', default: env.DEMO_START_MS ?? '0' },
    'until-eof': { type: 'boolean', default: false },
  },
});
const { version, host } = options;
const identity = { 'x-version': version, 'x-host': host };
const fault = made.fault ?? '';
const log = options.log ? openSync(options.log, 'a') : null;

/** One write a line, so that what was answered is written down even if the process is killed. */
function writeDown(kind, headers, status) {
  if (log === null) return;
  const line = [headers['x-request-number'], Date.now(), kind, status, headers['x-pourover-track'], version, host];
  writeSync(log, `${line.map((value) => value ?? '').join('\t')}\n`);
}

function page(headers) {
  const track = headers['x-pourover-track'] ?? 'unknown';
  return `<!doctype html><meta charset="utf-8"><title>demo ${version}</title>
<style>body{font:1.2rem system-ui;margin:4rem;color:#222}b{font-size:3rem}</style>
<b>${version}</b><p>host ${host}, track ${track.replace(/[^a-z-]/g, '')}</p>
`;
}

function answer(response, status, type, body) {
  response.writeHead(status, { ...identity, 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function answerPage(request, response) {
  const status = fault === 'errors' ? 500 : 200;
  writeDown('http', request.headers, status);
  answer(response, status, 'text/html; charset=utf-8', page(request.headers));
}

const idle = new Set(); // connections of HTTP/1.1 that have no request

const pages = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
  request.resume();
  idle.delete(request.socket);
  response.on('close', () => !request.socket.destroyed && idle.add(request.socket));
  if (ending) response.setHeader('connection', 'close');
  if (request.url === '/healthz') return answer(response, fault === 'unready' ? 503 : 200, 'text/plain', 'ok\n');
  if (request.url === '/version') return answer(response, 200, 'application/json', `${JSON.stringify({ version, host })}\n`);
  const slow = /^\/slow\/(\d{1,6})$/.exec(request.url);
  if (slow) return setTimeout(() => answerPage(request, response), Number(slow[1]));
  return answerPage(request, response);
});

pages.on('connection', (socket) => {
  idle.add(socket);
  socket.on('close', () => idle.delete(socket));
});

const sessions = new Set();
const calls = http2.createServer();
calls.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
});
calls.on('stream', (stream, headers) => {
  const head = { ...identity, 'content-type': 'application/grpc' };
  stream.on('error', () => {});
  if (headers[':path'] !== '/demo.Echo/Say') {
    stream.resume();
    writeDown('grpc', headers, 'grpc:12');
    return stream.respond({ ...head, 'grpc-status': '12', 'grpc-message': 'only demo.Echo/Say' }, { endStream: true });
  }
  const deframer = new Deframer();
  const texts = [];
  stream.on('data', (chunk) => texts.push(...deframer.push(chunk)));
  return stream.on('end', () => {
    writeDown('grpc', headers, 'grpc:0');
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(encodeText(fault === 'say' ? 'I am sorry?' : texts.join()));
  });
});
calls.on('sessionError', () => {});

// HTTP/1.1 and HTTP/2 (which gRPC speaks) share the port: an HTTP/2 client's first bytes are "PRI * HTTP/2.0".
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  socket.on('error', () => {});
  socket.once('readable', () => {
    const first = socket.read();
    if (first === null) return socket.destroy();
    socket.unshift(first);
    return (first.subarray(0, 4).toString() === 'PRI ' ? calls : pages).emit('connection', socket);
  });
});

let ending = false;

/** No new connections; what has begun is finished. */
function end() {
  if (ending) return;
  ending = true;
  if (!server.listening) process.exit(0);
  server.close(() => process.exit(0));
  for (const socket of idle) socket.destroy();
  for (const session of sessions) session.close();
}

if (fault === 'crash') {
  process.stderr.write(`demo ${version}: cannot read the price list: no such column "vat"\n`);
  process.exit(3);
}
function listen() {
  if (ending) return;
  server.listen(Number(options.port), '127.0.0.1', () => {
    process.stdout.write(`demo ${version} on ${host}: http://127.0.0.1:${server.address().port}/\n`);
  });
}

if (Number(options['start-ms']) > 0) setTimeout(listen, Number(options['start-ms']));
else listen();
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, end);
if (options['until-eof']) process.stdin.resume().on('end', () => process.exit(0));
endWithOwner(options.owner);
