// A small service to try releases on: `node service.mjs --version 2.0 --host west3 --port 9003`.
//
//   GET /           a page that says which version and host answered, and what the router told it
//   GET /healthz    "ok"
//   demo.Echo/Say   gRPC echo (echo.proto), on the same port
//
// With --log FILE it appends one line a request: number (X-Request-Number), time, kind, status, track, version, host.
// It ends when its standard input ends, so that it cannot outlive whoever started it, or by a signal.

import { createWriteStream } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { parseArgs } from 'node:util';
import { Deframer, encodeText } from './grpc.mjs';

const { values: options } = parseArgs({
  options: {
    version: { type: 'string', default: '1.0' },
    host: { type: 'string', default: 'local' },
    port: { type: 'string', default: '9001' },
    log: { type: 'string' },
  },
});
const identity = { 'x-version': options.version, 'x-host': options.host };
const log = options.log ? createWriteStream(options.log, { flags: 'a' }) : null;

function page(headers) {
  const track = headers['x-pourover-track'] ?? 'unknown';
  return `<!doctype html><meta charset="utf-8"><title>demo ${options.version}</title>
<style>body{font:1.2rem system-ui;margin:4rem;color:#222}b{font-size:3rem}</style>
<b>${options.version}</b><p>host ${options.host}, track ${track.replace(/[^a-z-]/g, '')}</p>
`;
}

function writeDown(kind, headers, status) {
  const line = [headers['x-request-number'], Date.now(), kind, status, headers['x-pourover-track'], options.version, options.host];
  log?.write(`${line.map((value) => value ?? '').join('\t')}\n`);
}

const pages = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
  request.resume();
  if (request.url === '/healthz') return response.end('ok\n');
  writeDown('http', request.headers, 200);
  const body = page(request.headers);
  response.writeHead(200, { ...identity, 'content-type': 'text/html; charset=utf-8', 'content-length': Buffer.byteLength(body) });
  return response.end(body);
});

const calls = http2.createServer();
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
    stream.end(encodeText(texts.join()));
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

server.listen(Number(options.port), '127.0.0.1', () => {
  process.stdout.write(`demo ${options.version} on ${options.host}: http://127.0.0.1:${server.address().port}/\n`);
});
process.stdin.resume().on('end', () => (log ? log.end(() => process.exit(0)) : process.exit(0)));
