// An HTTP/1.1 client over bare sockets. It exists because a judge of reloads has to know two things that node's own
// client hides: whether the connection had carried an answer before, and whether a byte of this answer had come.
//
// An outcome, here and in h2.mjs, is
//   { status, headers, failed: '' }                    a whole answer
//   { failed: 'why', unsent: true|false }              none; unsent: a browser would send it again, as the connection
//                                                      was re-used and closed before the first byte of an answer

import net from 'node:net';

export class Http1Pool {
  #target;
  #limit;
  #timeout;
  #open = new Set();
  #idle = [];
  #waiting = [];
  #sweeper;

  /** At most `limit` connections to `target` ({host, port}); `timeout` in ms for one answer. */
  constructor(target, { limit = 64, timeout = 30_000 } = {}) {
    this.#target = target;
    this.#limit = limit;
    this.#timeout = timeout;
    this.#sweeper = setInterval(() => this.#sweep(), 1000);
  }

  /** Sends the text of a request without body; with `fresh` on a connection opened for it. Calls done(outcome) once. */
  send(text, fresh, done) {
    if (fresh || this.#open.size < this.#limit) return this.#connect().send(text, done);
    const connection = this.#idle.shift();
    if (connection) return connection.send(text, done);
    return this.#waiting.push([text, done]);
  }

  close() {
    clearInterval(this.#sweeper);
    for (const connection of this.#open) connection.destroy();
  }

  #connect() {
    const connection = new Connection(this.#target, {
      onIdle: () => this.#onIdle(connection),
      onGone: () => this.#onGone(connection),
    });
    this.#open.add(connection);
    return connection;
  }

  #onIdle(connection) {
    const next = this.#waiting.shift();
    if (next) connection.send(...next);
    else this.#idle.push(connection);
  }

  #onGone(connection) {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#open.size < this.#limit && this.#waiting.shift();
    if (next) this.#connect().send(...next);
  }

  #sweep() {
    for (const connection of this.#open) connection.expire(Date.now() - this.#timeout);
  }
}

class Connection {
  #socket;
  #events;
  #current = null;
  #answers = 0;
  #reader = null;
  #error = '';
  #connected = false;

  constructor(target, events) {
    this.#events = events;
    this.#socket = net.connect({ host: target.host, port: target.port, noDelay: true });
    this.#socket.on('connect', () => {
      this.#connected = true;
    });
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('end', () => this.#reader?.end() && this.#finish());
    this.#socket.on('error', (error) => {
      this.#error = error.code ?? error.message;
    });
    this.#socket.on('close', () => this.#onClose());
  }

  send(text, done) {
    this.#current = { done, at: Date.now() };
    this.#reader = new AnswerReader();
    this.#socket.write(text, 'latin1');
  }

  destroy() {
    this.#socket.destroy();
  }

  /** Gives up a request that was sent before `limit` (ms since 1970). */
  expire(limit) {
    if (!this.#current || this.#current.at > limit) return;
    this.#settle({ failed: 'timeout', unsent: false });
    this.destroy();
  }

  #onData(chunk) {
    if (!this.#current) return this.destroy(); // nobody asked
    try {
      return this.#reader.push(chunk) && this.#finish();
    } catch (error) {
      this.#settle({ failed: `malformed answer: ${error.message}`, unsent: false });
      return this.destroy();
    }
  }

  #finish() {
    const { status, headers, keepAlive } = this.#reader;
    this.#answers += 1;
    this.#settle({ status, headers, failed: '' });
    if (!keepAlive) this.destroy();
    else if (!this.#socket.destroyed) this.#events.onIdle();
  }

  #onClose() {
    const begun = this.#reader?.begun ?? false;
    const why = this.#connected ? `closed ${begun ? 'in the middle of' : 'before'} an answer` : 'connect';
    const where = this.#answers > 0 ? 're-used' : 'fresh';
    const code = this.#error && ` (${this.#error})`;
    this.#settle({ failed: `${why}, ${where} connection${code}`, unsent: !begun && this.#answers > 0 });
    this.#events.onGone();
  }

  #settle(outcome) {
    const current = this.#current;
    this.#current = null;
    current?.done(outcome);
  }
}

/** Reads one answer: push(chunk) returns true when it is whole. */
export class AnswerReader {
  status = 0;
  headers = null;
  keepAlive = true;
  #rest = Buffer.alloc(0);
  #left = 0; // bytes of the body (or chunk) still to come; Infinity: until the connection closes
  #chunked = false;
  #seen = false;

  /** True when a byte of the answer came. */
  get begun() {
    return this.#seen;
  }

  push(chunk) {
    this.#seen = true;
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.headers && !this.#readHead()) return false;
    return this.#chunked ? this.#readChunks() : this.#readBody();
  }

  /** The other side closed: true when that is the end of a body without length. */
  end() {
    return this.headers !== null && this.#left === Infinity;
  }

  /** Bytes after the head of a 101 answer. */
  get rest() {
    return this.#rest;
  }

  #readHead() {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const lines = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + 4);
    const match = /^HTTP\/1\.[01] (\d{3})/.exec(lines[0]);
    if (!match) throw new Error(`status line expected, '${lines[0].slice(0, 60)}' seen`);
    this.status = Number(match[1]);
    if (this.status === 100) return this.#readHead();
    this.headers = headersOf(lines);
    this.#prepareBody(lines[0].startsWith('HTTP/1.0'));
    return true;
  }

  #prepareBody(old) {
    const { headers } = this;
    const length = headers.get('content-length');
    this.#chunked = headers.get('transfer-encoding') === 'chunked';
    if ([101, 204, 304].includes(this.status)) this.#left = 0;
    else this.#left = length === undefined ? Infinity : Number(length);
    this.keepAlive = !old && headers.get('connection') !== 'close' && (this.#chunked || this.#left !== Infinity);
  }

  #readBody() {
    if (this.status === 101) return true;
    this.#left -= this.#rest.length;
    this.#rest = Buffer.alloc(0);
    if (this.#left < 0) throw new Error(`${-this.#left} bytes more than Content-Length`);
    return this.#left === 0;
  }

  #readChunks() {
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end < 0) return false;
      const size = parseInt(this.#rest.toString('latin1', 0, end), 16);
      if (Number.isNaN(size)) throw new Error('size of a chunk expected');
      if (this.#rest.length < end + 2 + size + 2) return false;
      this.#rest = this.#rest.subarray(end + 2 + size + 2);
      if (size === 0) return true;
    }
  }
}

/** Header lines (after the first) as a Map of lower-case names; set-cookie's value is an array. */
function headersOf(lines) {
  const headers = new Map();
  for (let i = 1; i < lines.length; i += 1) {
    const colon = lines[i].indexOf(':');
    const name = lines[i].slice(0, colon).toLowerCase();
    const value = lines[i].slice(colon + 1).trim();
    if (name !== 'set-cookie') headers.set(name, value);
    else headers.set(name, [...(headers.get(name) ?? []), value]);
  }
  return headers;
}
