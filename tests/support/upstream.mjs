// A service to stand behind the router in tests: HTTP/1.1 and HTTP/2 without TLS (gRPC too) on one port.
//
// HTTP paths (any other path answers 200 with name, version and host):
//   /echo               JSON of the request as it arrived: method, url, headers, rawHeaders, bytes of the body
//   /reply?status=..&header=Name:Value&body=..&length=..   just that answer (header may be repeated)
//   /status/N           an answer with that status
//   /slow/MS            200 after MS milliseconds            /hang        no answer, ever
//   /close              connection closed without an answer  /reset       the same by RST
//   /cut                half an answer, then closed          /stall       half an answer, the rest never
//   /bytes/N            N bytes of body, chunked
//   /sse?n=N&every=MS   N server-sent events                 /ws          websocket that echoes texts
// gRPC (demo.Echo of examples/demo-service/echo.proto; a call's wishes come as metadata):
//   Say   unary echo;   Watch  a message each x-every-ms (100) for x-seconds (1);   Chat  echoes each message
//   Check of grpc.health.v1.Health, if `serving` is set: {"demo.Echo": 1} is SERVING, 2 is NOT_SERVING
//   Fail  trailers-only answer with x-grpc-status (5);  FailLate  a message, then that status;  Cut  a message, then RST
//
// Every request is written into a ledger, with its X-Request-Number if it has one. A whole service can be made to
// fail by `mode` (see setMode). As a process: node tests/support/upstream.mjs --port 9001 --version v1 --host west1;
// then /_mode (PUT, JSON), /_ledger (GET, tab-separated) and /_ledger (DELETE) are its handles.

import { spawn } from 'node:child_process';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { answerGrpc } from './upstream-grpc.mjs';
import { answerHttp, upgradeWebSocket } from './upstream-http.mjs';

const LOOPBACK = '127.0.0.1';

/** What a service wrote down: one line a request, in the order of arrival. */
export class ServiceLedger {
  entries = [];

  constructor(version, host) {
    this.version = version;
    this.host = host;
  }

  /** Returns the entry, whose `status` (HTTP or `grpc:N`) is filled in when the answer is sent. */
  arrived(kind, headers) {
    const entry = {
      number: headers['x-request-number'] ?? '',
      at: Date.now(),
      kind,
      status: '',
      track: headers['x-pourover-track'] ?? '',
    };
    this.entries.push(entry);
    return entry;
  }

  /** Tab-separated: number, milliseconds since 1970, kind, status, track, version, host. */
  toText() {
    return this.entries
      .map((e) => `${e.number}\t${e.at}\t${e.kind}\t${e.status}\t${e.track}\t${this.version}\t${this.host}\n`)
      .join('');
  }
}

export class Upstream {
  #servers = {};
  #listener = null;
  #sockets = new Set();
  #tls;

  constructor({ name = 'app', version = 'v1', host = `${version}-host`, address = LOOPBACK, tls = null } = {}) {
    Object.assign(this, { name, version, host, address, port: 0 });
    this.ledger = new ServiceLedger(version, host);
    this.mode = {};
    this.serving = null;
    this.#tls = tls;
    const settings = { keepAliveTimeout: 0, requestTimeout: 0, maxRequestsPerSocket: 0 };
    this.#servers.http = http.createServer(settings, (request, response) => this.#onHttp(request, response));
    this.#servers.http.on('upgrade', (request, socket) => upgradeWebSocket(this, request, socket));
    this.#servers.h2 = http2.createServer();
    this.#servers.h2.on('stream', (stream, headers) => this.#onStream(stream, headers));
    this.#servers.h2.on('sessionError', () => {});
  }

  /** Listens on `port` (0: any). */
  start(port = 0) {
    this.#listener = this.#tls ? this.#tlsListener() : this.#plainListener();
    this.#listener.on(this.#tls ? 'secureConnection' : 'connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    return new Promise((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen(port, this.address, () => {
        this.port = this.#listener.address().port;
        resolve(this);
      });
    });
  }

  get peer() {
    return `${this.address}:${this.port}`;
  }

  get connections() {
    return this.#sockets.size;
  }

  /**
   * What happens to all requests from now on: {} as asked for; {status: 500} (gRPC: status 13); {delay: ms};
   * {hang: true}; {close: true}; {reset: true}.
   */
  setMode(mode) {
    this.mode = mode;
  }

  /** Stops listening and cuts all connections: from now on connecting is refused. start(port) undoes it. */
  async stop() {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.cutConnections();
    await closed;
  }

  cutConnections() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Both protocols on one port: the first bytes tell. */
  #plainListener() {
    return net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.once('readable', () => {
        const first = socket.read();
        if (first === null) return socket.destroy();
        socket.unshift(first);
        const server = first.subarray(0, 4).toString() === 'PRI ' ? this.#servers.h2 : this.#servers.http;
        server.emit('connection', socket);
      });
    });
  }

  /** ALPN tells; http2's own secure server would answer streams a second time through its other interface. */
  #tlsListener() {
    return tls.createServer({ ...this.#tls, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
      const server = socket.alpnProtocol === 'h2' ? this.#servers.h2 : this.#servers.http;
      server.emit('connection', socket);
    });
  }

  #onHttp(request, response) {
    const handled = request.url.startsWith('/_') && this.#control(request, response);
    if (!handled) answerHttp(this, request, response, this.ledger.arrived('http', request.headers));
  }

  #onStream(stream, headers) {
    stream.on('error', () => {});
    answerGrpc(this, stream, headers, this.ledger.arrived('grpc', headers));
  }

  #control(request, response) {
    const call = `${request.method} ${request.url}`;
    if (call === 'GET /_ledger') response.end(this.ledger.toText());
    else if (call === 'DELETE /_ledger') response.end(String(this.ledger.entries.splice(0).length));
    else if (call === 'PUT /_mode') {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        this.setMode(JSON.parse(Buffer.concat(chunks)));
        response.end();
      });
    } else return false;
    return true;
  }
}

/** A service in this process, listening. Options: see the constructor, and `port`. */
export function startUpstream(options = {}) {
  return new Upstream(options).start(options.port ?? 0);
}

/** The same in a process of its own, for load: {peer, port, version, host, pid, setMode, ledgerText, clearLedger, stop}. */
export async function spawnUpstream({ name = 'app', version = 'v1', host = `${version}-host`, port = 0 } = {}) {
  const args = ['--name', name, '--version', version, '--host', host, '--port', String(port)];
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)));
    child.once('exit', (code) => reject(new Error(`upstream ${host} ended with ${code}`)));
  });
  const peer = `${LOOPBACK}:${JSON.parse(line).port}`;
  const call = async (method, path, body) => (await fetch(`http://${peer}${path}`, { method, body })).text();
  return {
    ...{ name, version, host, peer, port: JSON.parse(line).port, pid: child.pid },
    setMode: (mode) => call('PUT', '/_mode', JSON.stringify(mode)),
    ledgerText: () => call('GET', '/_ledger'),
    clearLedger: () => call('DELETE', '/_ledger'),
    stop: (signal = 'SIGKILL') =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', resolve);
        child.kill(signal);
      }),
  };
}

async function main() {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: { name: text('app'), version: text('v1'), host: text('local'), port: text('0'), address: text(LOOPBACK) },
  });
  const upstream = await startUpstream({ ...values, port: Number(values.port) });
  process.stdout.write(`${JSON.stringify({ ready: true, port: upstream.port })}\n`);
  process.stdin.resume().on('end', () => process.exit(0)); // whoever started us is gone
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
