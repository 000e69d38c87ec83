// What the load client keeps open for seconds: gRPC streams and websockets. Each sends or awaits numbered messages
// and is answered in full only if all came, in order, and the end was a proper one.

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { Deframer, encodeText } from '../../examples/demo-service/grpc.mjs';
import { AnswerReader } from './http1.mjs';
import { WebSocketSide } from './websocket.mjs';

const EVERY_MS = 100;

/** Sends '1', '2', ... each EVERY_MS through `send` until `seconds` passed or finish() is called; then calls end(). */
class Ticker {
  sent = 0;
  got = 0;
  wrong = '';
  #timer;
  #last;
  #end;

  constructor(seconds, send, end) {
    this.#last = Math.max(1, Math.round((seconds * 1000) / EVERY_MS));
    this.#end = end;
    this.#timer = setInterval(() => {
      this.sent += 1;
      send(String(this.sent));
      if (this.sent >= this.#last) this.finish();
    }, EVERY_MS);
  }

  /** Not before one message: node's server does not end an answer without any. */
  finish() {
    if (!this.#timer) return;
    this.#last = 1;
    if (this.sent === 0) return;
    this.stop();
    this.#end();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  heard(text) {
    this.got += 1;
    if (text !== String(this.got)) this.wrong ||= `message ${text} in the place of ${this.got}`;
  }
}

/** Fails an otherwise whole outcome of gRPC that has no status 0 or lost messages. */
function judged(outcome, expected, got, wrong) {
  if (outcome.failed) return outcome;
  const status = outcome.trailers['grpc-status'] ?? outcome.headers.get('grpc-status') ?? 'missing';
  let failed = status === '0' ? wrong : `grpc-status ${status}`;
  if (!failed && got !== expected) failed = `${got} of ${expected} messages`;
  return { ...outcome, grpcStatus: status, failed, unsent: false };
}

/** A bidirectional stream (demo.Echo/Chat). Returns {finish}. */
export function openChat(pool, headers, seconds, fresh, done) {
  let ticker;
  const attach = (stream) => {
    const deframer = new Deframer();
    ticker = new Ticker(seconds, (text) => stream.write(encodeText(text)), () => stream.end());
    stream.on('data', (chunk) => deframer.push(chunk).forEach((text) => ticker.heard(text)));
  };
  pool.send({ headers: { ...headers, ':path': '/demo.Echo/Chat' }, attach }, fresh, (outcome) => {
    ticker.stop();
    done(judged(outcome, ticker.sent, ticker.got, ticker.wrong));
  });
  return { finish: () => ticker.finish() };
}

/** A server's stream (demo.Echo/Watch). It ends by itself: finish() does nothing. */
export function openWatch(pool, headers, seconds, fresh, done) {
  const texts = [];
  const attach = (stream) => {
    const deframer = new Deframer();
    stream.on('data', (chunk) => texts.push(...deframer.push(chunk)));
    stream.end(encodeText('watch'));
  };
  const wishes = { 'x-seconds': String(seconds), 'x-every-ms': String(EVERY_MS), ':path': '/demo.Echo/Watch' };
  pool.send({ headers: { ...headers, ...wishes }, attach }, fresh, (outcome) => {
    const expected = Math.max(1, Math.round((seconds * 1000) / EVERY_MS));
    const wrong = texts.findIndex((text, i) => text !== `${i + 1}/${expected}`);
    done(judged(outcome, expected, texts.length, wrong < 0 ? '' : `message ${texts[wrong]} at place ${wrong + 1}`));
  });
  return { finish: () => {} };
}

/** A websocket that sends texts and wants them back, then closes. `lines`: more header lines. Returns {finish}. */
export function openWebSocket(target, path, lines, seconds, done) {
  const socket = net.connect({ host: target.host, port: target.port, noDelay: true });
  const reader = new AnswerReader();
  const state = { ticker: null, side: null, closed: false, error: '', settled: false };
  const settle = (outcome) => {
    if (state.settled) return;
    state.settled = true;
    state.ticker?.stop();
    socket.destroy();
    done({ unsent: false, ...outcome });
  };
  const opened = () => {
    state.side = new WebSocketSide(socket, {
      client: true,
      onText: (text) => state.ticker.heard(text),
      onClose: () => settle({ status: reader.status, headers: reader.headers, failed: lost(state.ticker) }),
    });
    state.ticker = new Ticker(seconds, (text) => state.side.send(text), () => state.side.close());
    state.side.push(reader.rest);
  };
  const key = randomBytes(16).toString('base64');
  const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\n${lines}${upgrade}\r\n`);
  socket.on('data', (chunk) => {
    if (state.side) return state.side.push(chunk);
    if (!reader.push(chunk)) return undefined;
    return reader.status === 101 ? opened() : settle({ failed: `websocket: status ${reader.status}` });
  });
  socket.on('error', (error) => {
    state.error = ` (${error.code ?? error.message})`;
  });
  socket.on('close', () => settle({ failed: `websocket cut ${state.side ? 'while open' : 'before 101'}${state.error}` }));
  return { finish: () => state.ticker?.finish() };
}

const lost = (ticker) => ticker.wrong || (ticker.got === ticker.sent ? '' : `${ticker.got} of ${ticker.sent} messages`);
