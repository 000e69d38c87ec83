// The load client of the tests, the demo and the benchmarks. It behaves as browsers, curl and Go do: a request whose
// re-used connection closes before the first byte of an answer, and an HTTP/2 stream that the server did not take, is
// sent again once, on a fresh connection, and counted as `resent`. Whatever else gets no whole answer, or not the
// expected status, is `failed`, with the reason. See ledger.mjs for what is written down.
//
//   const load = startLoad({ target: { http: '127.0.0.1:8080', h2: '127.0.0.1:8081' }, rate: 300 });
//   ... load.stats() ...
//   const ledger = await load.stop();
//   const join = joinLedgers(ledger, [await service.ledgerText(), ...]);
//
// As a program (several --target for a comparison side by side; prints JSON):
//   node tests/support/load.mjs --target ours,http=127.0.0.1:8080,h2=127.0.0.1:8081 --rate 300 --duration 60

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodeText } from '../../examples/demo-service/grpc.mjs';
import { H2Pool } from './h2.mjs';
import { Http1Pool } from './http1.mjs';
import { ClientLedger, summarize } from './ledger.mjs';
import { openChat, openWatch, openWebSocket } from './longlived.mjs';
import { seeded, Visitors } from './visitors.mjs';
import { waitUntil } from './wait.mjs';

const TICK_MS = 5;

// nginx may close an HTTP/2 connection that has had no request yet, and its workers do not get to it in the same
// millisecond: a resend at once could meet the next one that is about to. Go and Chrome try several times; we wait.
const H2_RESEND_MS = 100;

const DEFAULTS = {
  run: 'load', // marks the numbers of this client's requests
  target: {}, // {http: 'host:port', h2: 'host:port'}; h2 for HTTP/2 and gRPC; needed only if the mix says so
  host: 'localhost', // the Host header, or :authority
  rate: 300, // short requests a second
  connections: 64, // of HTTP/1.1
  sessions: 8, // of HTTP/2, for pages and for gRPC each
  mix: { http1: 0.7, h2: 0.15, grpc: 0.15 }, // parts of the short requests
  streams: 0, // gRPC streams open at any time: bidirectional and server streams in turn
  websockets: 0, // websockets open at any time
  seconds: [5, 60], // how long each of those lives
  visitors: 1000,
  heavy: 0.3, // part of the visits that 1 % of the visitors make
  identify: () => ({}), // (visitor) => more headers, such as an id of their own
  jar: true, // whether visitors keep the cookie pourover_id
  headers: { via: '1.1 load' }, // on all requests; via: many visitors share a connection, as behind a CDN
  paths: [{ path: '/', expect: 200 }], // for http1 and h2, in turn
  calls: [{ path: '/demo.Echo/Say', headers: {}, expect: '0' }], // for gRPC, in turn; expect: grpc-status
  webSocketPath: '/ws',
  timeout: 30_000, // ms for the answer to a short request
  duration: 0, // s; 0: until stop()
  seed: 1,
};

/** Options: DEFAULTS above. */
export function startLoad(options) {
  return new Load({ ...DEFAULTS, ...options });
}

class Load {
  #options;
  #ledger;
  #visitors;
  #random;
  #kinds;
  #pools = {};
  #timer;
  #started = Date.now();
  #due = 0;
  #stopping = false;
  #open = new Set();
  #turn = 0;
  #counts = { sent: 0, answered: 0, failed: 0, resent: 0, skipped: 0 };
  #window = 0;

  constructor(options) {
    this.#options = options;
    this.#ledger = new ClientLedger(options.run);
    this.#visitors = new Visitors({ count: options.visitors, heavy: options.heavy, seed: options.seed });
    this.#random = seeded(options.seed + 1);
    this.#kinds = Object.entries(options.mix).filter(([, part]) => part > 0);
    this.#openPools();
    for (let i = 0; i < options.streams; i += 1) this.#stream(i);
    for (let i = 0; i < options.websockets; i += 1) this.#webSocket();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    if (options.duration) setTimeout(() => this.#pause(), options.duration * 1000);
  }

  get visitors() {
    return this.#visitors;
  }

  get ledger() {
    return this.#ledger;
  }

  /** Counts since the start, and versions: ClientLedger.measure since newWindow(). */
  stats() {
    const measure = () => this.#ledger.measure(this.#window);
    return {
      ...{ ms: Date.now() - this.#started, ...this.#counts, inFlight: this.#open.size },
      get versions() {
        return measure();
      },
    };
  }

  /** Starts the versions' figures of stats() anew, with the requests that are sent from now on. */
  newWindow() {
    this.#window = this.#ledger.entries.length;
  }

  /** Stops sending, lets what is under way end, and returns the client's ledger. */
  async stop() {
    this.#pause();
    const longest = this.#options.seconds[1] * 1000 + this.#options.timeout;
    try {
      await waitUntil(() => this.#open.size === 0, longest, 'the end of the requests under way');
    } finally {
      this.#close();
    }
    return this.#ledger;
  }

  /** Ends at once, whatever is under way. Nothing to do after stop(). */
  abort() {
    this.#pause();
    this.#close();
  }

  #close() {
    for (const pool of Object.values(this.#pools)) pool.close();
  }

  #pause() {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const { finish } of this.#open) finish?.();
  }

  #openPools() {
    const { target, connections, sessions, timeout, mix, streams } = this.#options;
    if (mix.http1) this.#pools.http1 = new Http1Pool(place(target.http), { limit: connections, timeout });
    if (mix.h2) this.#pools.h2 = new H2Pool(place(target.h2), { sessions, timeout });
    if (mix.grpc) this.#pools.grpc = new H2Pool(place(target.h2), { sessions, timeout });
    if (streams) this.#pools.streams = new H2Pool(place(target.h2), { sessions: Math.ceil(streams / 4) });
  }

  #tick() {
    const due = ((Date.now() - this.#started) / 1000) * this.#options.rate;
    for (; this.#due < due; this.#due += 1) this.#short();
  }

  #short() {
    let left = this.#random();
    const [kind] = this.#kinds.find(([, part]) => (left -= part) < 0) ?? this.#kinds[0];
    const visit = this.#begin(kind);
    if (visit) this.#send(visit, this.#request(kind, visit), false);
  }

  /** A visitor and an open entry of the ledger; null when everybody is busy. */
  #begin(kind) {
    const visitor = this.#visitors.enter();
    if (visitor < 0) {
      this.#counts.skipped += 1;
      return null;
    }
    const entry = this.#ledger.open(kind, visitor);
    this.#counts.sent += 1;
    const visit = { entry, started: performance.now(), expect: null, finish: null };
    this.#open.add(visit);
    return visit;
  }

  #headers({ entry }) {
    const id = this.#options.jar && this.#visitors.id(entry.visitor);
    return {
      'x-request-number': this.#ledger.number(entry),
      ...(id ? { cookie: `pourover_id=${id}` } : {}),
      ...this.#options.headers,
      ...this.#options.identify(entry.visitor),
    };
  }

  #request(kind, visit) {
    const list = kind === 'grpc' ? this.#options.calls : this.#options.paths;
    const { path, expect, headers = {} } = list[this.#turn++ % list.length];
    const all = { ...this.#headers(visit), ...headers };
    visit.expect = expect;
    if (kind === 'http1') return `GET ${path} HTTP/1.1\r\n${lines({ host: this.#options.host, ...all })}\r\n`;
    const pseudo = { ':path': path, ':authority': this.#options.host };
    if (kind === 'h2') return { headers: { ...all, ...pseudo, ':method': 'GET' }, body: null };
    return { headers: { ...all, ...GRPC, ...pseudo }, body: encodeText(`hello ${visit.entry.n}`) };
  }

  #send(visit, request, fresh) {
    const { entry } = visit;
    this.#pools[entry.kind].send(request, fresh, (outcome) => {
      if (this.#isToResend(entry, outcome)) {
        setTimeout(() => this.#send(visit, request, true), entry.kind === 'http1' ? 0 : H2_RESEND_MS);
      } else this.#end(visit, judged(visit, outcome), true);
    });
  }

  /** Whether a request is sent again, which then is written down. */
  #isToResend(entry, outcome) {
    if (!outcome.failed || !outcome.unsent || entry.resent) return false;
    entry.resent = outcome.failed;
    this.#counts.resent += 1;
    return true;
  }

  #stream(i) {
    const visit = !this.#stopping && this.#begin(i % 2 ? 'watch' : 'chat');
    if (visit) this.#openStream(i, visit, false);
  }

  #openStream(i, visit, fresh) {
    const headers = { ...this.#headers(visit), ...GRPC, ':authority': this.#options.host };
    const open = i % 2 ? openWatch : openChat;
    const { finish } = open(this.#pools.streams, headers, this.#lifetime(), fresh, (outcome) => {
      if (this.#isToResend(visit.entry, outcome)) {
        setTimeout(() => this.#openStream(i, visit, true), H2_RESEND_MS);
        return;
      }
      this.#end(visit, outcome, false);
      setTimeout(() => this.#stream(i), outcome.failed ? 100 : 0);
    });
    visit.finish = finish;
    if (this.#stopping) finish();
  }

  #webSocket() {
    const visit = !this.#stopping && this.#begin('websocket');
    if (!visit) return;
    const { target, host, webSocketPath } = this.#options;
    const head = lines({ host, ...this.#headers(visit) });
    const { finish } = openWebSocket(place(target.http), webSocketPath, head, this.#lifetime(), (outcome) => {
      this.#end(visit, outcome, false);
      setTimeout(() => this.#webSocket(), outcome.failed ? 100 : 0);
    });
    visit.finish = finish;
  }

  /** Seconds for a stream: as the options say, but not beyond the end of a run of known length. */
  #lifetime() {
    const [least, most] = this.#options.seconds;
    const left = this.#options.duration - (Date.now() - this.#started) / 1000;
    const chosen = least + this.#random() * (most - least);
    return this.#options.duration ? Math.max(0.1, Math.min(chosen, left)) : chosen;
  }

  #end(visit, outcome, short) {
    const { entry } = visit;
    this.#open.delete(visit);
    this.#visitors.leave(entry.visitor);
    entry.answeredAt = outcome.status ? Date.now() : 0;
    entry.us = short && outcome.status ? Math.round((performance.now() - visit.started) * 1000) : 0;
    entry.status = outcome.status ?? 0;
    entry.grpcStatus = outcome.grpcStatus ?? '';
    entry.version = outcome.headers?.get('x-version') ?? '';
    entry.host = outcome.headers?.get('x-host') ?? '';
    entry.failed = outcome.failed;
    this.#visitors.saw(entry.visitor, entry.sentAt, entry.version, outcome.headers?.get('set-cookie'));
    this.#counts[entry.failed ? 'failed' : 'answered'] += 1;
  }
}

const GRPC = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };

/** Fails a whole answer that has not the expected status. */
function judged({ entry, expect }, outcome) {
  if (outcome.failed) return outcome;
  if (entry.kind !== 'grpc') {
    return outcome.status === expect ? outcome : { ...outcome, failed: `status ${outcome.status}` };
  }
  const grpcStatus = outcome.trailers['grpc-status'] ?? outcome.headers.get('grpc-status') ?? 'missing';
  return { ...outcome, grpcStatus, failed: grpcStatus === expect ? '' : `grpc-status ${grpcStatus}, HTTP ${outcome.status}` };
}

const lines = (headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

function place(text) {
  const match = /^(.+):(\d+)$/.exec(text ?? '');
  if (!match) throw new Error(`load: target host:port expected, '${text}' seen`);
  return { host: match[1], port: Number(match[2]) };
}

async function main() {
  const text = (value) => ({ type: 'string', default: String(value) });
  const { values } = parseArgs({
    options: {
      target: { type: 'string', multiple: true },
      ...{ rate: text(300), duration: text(10), connections: text(64), sessions: text(8), visitors: text(1000) },
      ...{ http1: text(0.7), h2: text(0.15), grpc: text(0.15), streams: text(0), websockets: text(0) },
    },
  });
  const number = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
  const loads = (values.target ?? []).map((line) => {
    const [run, ...places] = line.split(',');
    const target = Object.fromEntries(places.map((each) => each.split('=')));
    const mix = { http1: number.http1, h2: number.h2, grpc: number.grpc };
    return startLoad({ ...number, mix, run, target, seconds: [1, 5] });
  });
  if (loads.length === 0) throw new Error('--target NAME,http=HOST:PORT,h2=HOST:PORT is missing');
  await new Promise((resolve) => setTimeout(resolve, number.duration * 1000));
  const results = {};
  for (const load of loads) {
    const stats = load.stats();
    results[load.ledger.run] = { ...summarize(await load.stop()), latencies: stats.versions };
  }
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
