// The frames of HTTP/2 (RFC 9113) of a server that may break every rule: a connection that reads a client's frames, and streams whose
// methods write exactly the frames that they are asked for.

import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { HpackDecoder, hpackEncode } from './hpack.mjs';

export const TYPE = { data: 0, headers: 1, rst: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 };
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const SETTING = { tableSize: 1, push: 2, maxStreams: 3, initialWindow: 4, maxFrame: 5, maxHeaderList: 6 };
export const ERROR = {
  NO_ERROR: 0, PROTOCOL_ERROR: 1, INTERNAL_ERROR: 2, FLOW_CONTROL_ERROR: 3, SETTINGS_TIMEOUT: 4, STREAM_CLOSED: 5, FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7, CANCEL: 8, COMPRESSION_ERROR: 9, CONNECT_ERROR: 10, ENHANCE_YOUR_CALM: 11, INADEQUATE_SECURITY: 12, HTTP_1_1_REQUIRED: 13 };

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const MAX_FRAME = 16384;
const START_WINDOW = 65535;

const uint32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function settingsPayload(settings) {
  return Buffer.concat(Object.entries(settings).map(([name, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(SETTING[name], 0);
    entry.writeUInt32BE(value, 2);
    return entry;
  }));
}

/** The gRPC wire form of a message. */
export function grpcFrame(bytes, flag = 0, length = bytes.length) {
  return Buffer.concat([Buffer.from([flag]), uint32(length), bytes]);
}

/**
 * One client. `options`: settings (of the first SETTINGS frame), grants (false: gives no window back by itself).
 * onStream(stream) runs for each HEADERS that opens a stream.
 */
export class EvilConnection extends EventEmitter {
  streams = new Map();
  clientSettings = {};
  window = START_WINDOW; // of this side's sending
  opened = 0; // streams so far
  #socket;
  #options;
  #onStream;
  #rest = Buffer.alloc(0);
  #prefaced = false;
  #decoder = new HpackDecoder();
  #block = null;

  constructor(socket, options, onStream) {
    super();
    this.setMaxListeners(0);
    this.#socket = socket;
    this.#options = options;
    this.#onStream = onStream;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.emit('gone'));
    socket.on('data', (chunk) => this.#read(chunk));
  }

  write(type, flags, stream, payload) {
    this.writeRaw(frame(type, flags, stream, payload));
  }

  writeRaw(bytes) {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  settings(settings) {
    this.write(TYPE.settings, 0, 0, settingsPayload(settings));
  }

  goaway(lastId, error = ERROR.NO_ERROR, debug = '') {
    this.write(TYPE.goaway, 0, 0, Buffer.concat([uint32(lastId), uint32(error), Buffer.from(debug)]));
  }

  grant(stream, bytes) {
    this.write(TYPE.window, 0, stream, uint32(bytes));
  }

  /** Resolves when the client has answered a PING, and so has read everything before it. */
  async ping() {
    const id = Buffer.alloc(8, this.opened);
    this.write(TYPE.ping, 0, 0, id);
    await once(this, 'pong');
  }

  end() {
    this.#socket.end();
  }

  destroy() {
    this.#socket.destroy();
  }

  /** TCP's RST. */
  reset() {
    (this.#socket._parent ?? this.#socket).resetAndDestroy(); // below TLS
  }

  #read(chunk) {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#prefaced) {
      if (this.#rest.length < PREFACE.length) return;
      if (this.#rest.subarray(0, PREFACE.length).toString('latin1') !== PREFACE) {
        this.#socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      this.#prefaced = true;
      this.#rest = this.#rest.subarray(PREFACE.length);
      this.settings(this.#options.settings ?? {});
    }
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const payload = this.#rest.subarray(9, 9 + length);
      const [type, flags, id] = [this.#rest[3], this.#rest[4], this.#rest.readUInt32BE(5) & 0x7fffffff];
      this.#rest = this.#rest.subarray(9 + length);
      this.#frame(type, flags, id, payload);
    }
  }

  #frame(type, flags, id, payload) {
    const stream = this.streams.get(id);
    if (type === TYPE.settings && !(flags & ACK)) this.#onSettings(payload);
    else if (type === TYPE.ping) this.#onPing(flags, payload);
    else if (type === TYPE.headers) this.#onHeaders(flags, id, payload);
    else if (type === TYPE.continuation) this.#onBlock(flags, payload);
    else if (type === TYPE.data) this.#onData(stream, flags, payload);
    else if (type === TYPE.rst) stream?.wasReset(payload.readUInt32BE(0));
    else if (type === TYPE.goaway) this.emit('goaway', payload.readUInt32BE(4));
    else if (type === TYPE.window) this.#onWindow(stream, id, payload.readUInt32BE(0));
  }

  #onSettings(payload) {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const name = Object.keys(SETTING).find((each) => SETTING[each] === payload.readUInt16BE(at));
      const value = payload.readUInt32BE(at + 2);
      if (name === 'initialWindow') {
        const before = this.clientSettings.initialWindow ?? START_WINDOW;
        for (const stream of this.streams.values()) stream.window += value - before;
      }
      if (name) this.clientSettings[name] = value;
    }
    this.write(TYPE.settings, ACK, 0);
    this.emit('window');
  }

  #onPing(flags, payload) {
    if (flags & ACK) this.emit('pong');
    else this.write(TYPE.ping, ACK, 0, payload);
  }

  #onHeaders(flags, id, payload) {
    let at = flags & PADDED ? 1 : 0;
    const end = payload.length - (flags & PADDED ? payload[0] : 0);
    if (flags & 0x20) at += 5; // priority
    this.#block = { id, endStream: (flags & END_STREAM) !== 0, parts: [] };
    this.#onBlock(flags, payload.subarray(at, end));
  }

  #onBlock(flags, part) {
    this.#block.parts.push(Buffer.from(part));
    if (!(flags & END_HEADERS)) return;
    const { id, endStream, parts } = this.#block;
    const headers = this.#decoder.decode(Buffer.concat(parts));
    const stream = new EvilStream(this, id, headers);
    this.streams.set(id, stream);
    this.opened += 1;
    if (endStream) stream.requestEnds();
    this.#onStream(stream);
  }

  #onData(stream, flags, payload) {
    const padding = flags & PADDED ? payload[0] + 1 : 0;
    const bytes = padding > 0 ? payload.subarray(1, payload.length - padding + 1) : payload;
    if (this.#options.grants !== false && payload.length > 0) this.grant(0, payload.length);
    if (!stream) return;
    if (this.#options.grants !== false && stream.grants && payload.length > 0) this.grant(stream.id, payload.length);
    stream.pushBody(bytes);
    if (flags & END_STREAM) stream.requestEnds();
  }

  #onWindow(stream, id, bytes) {
    if (id === 0) this.window += bytes;
    else if (stream) stream.window += bytes;
    this.emit('window');
  }
}

/** One call; what is awaited after the client is gone never comes. */
export class EvilStream extends EventEmitter {
  body = Buffer.alloc(0);
  received = 0;
  ended = false;
  resetBy = null;
  grants = true;

  constructor(connection, id, headers) {
    super();
    this.setMaxListeners(0);
    this.connection = connection;
    this.id = id;
    this.headers = headers;
    this.window = connection.clientSettings.initialWindow ?? START_WINDOW;
  }

  header(name) {
    return this.headers.find(([each]) => each === name)?.[1];
  }

  get path() {
    return this.header(':path') ?? '';
  }

  pushBody(bytes) {
    this.received += bytes.length;
    if (this.received <= 1 << 20) this.body = Buffer.concat([this.body, bytes]); // of long requests only the length is wanted
    this.emit('body');
  }

  requestEnds() {
    this.ended = true;
    this.emit('body');
  }

  wasReset(error) {
    this.resetBy = error;
    this.emit('body');
    this.connection.emit('window');
  }

  /** The next message of the request; null when there is none any more. */
  async message() {
    for (;;) {
      const length = this.body.length >= 5 ? this.body.readUInt32BE(1) : 0;
      if (this.body.length >= 5 + length) {
        const bytes = this.body.subarray(5, 5 + length);
        this.body = this.body.subarray(5 + length);
        return bytes;
      }
      if (this.ended) return null;
      await once(this, 'body');
    }
  }

  /** Waits until the client has closed its side. */
  async requestEnd() {
    while (!this.ended) await once(this, 'body');
  }

  sendBlock(headers, flags = END_HEADERS) {
    this.connection.write(TYPE.headers, flags, this.id, hpackEncode(headers));
  }

  /** Initial headers of a right answer; more: [[name, value], ...]. */
  sendHeaders(more = [], { status = 200, type = 'application/grpc', end = false } = {}) {
    const own = [[':status', status], ...(type ? [['content-type', type]] : [])];
    this.sendBlock([...own, ...more], END_HEADERS | (end ? END_STREAM : 0));
  }

  /** A block cut into a HEADERS frame and CONTINUATION frames of `size` bytes. */
  sendLongBlock(headers, { size = MAX_FRAME, end = false } = {}) {
    const block = hpackEncode(headers);
    for (let at = 0; at < block.length; at += size) {
      const flags = at + size >= block.length ? END_HEADERS : 0;
      const first = at === 0;
      this.connection.write(
        first ? TYPE.headers : TYPE.continuation, flags | (first && end ? END_STREAM : 0), this.id, block.subarray(at, at + size));
    }
  }

  sendData(bytes, flags = 0) {
    this.window -= bytes.length;
    this.connection.window -= bytes.length;
    this.connection.write(TYPE.data, flags, this.id, bytes);
  }

  /** As much data as there is, in frames that the client's windows allow; false when the client gave up. */
  async sendAll(bytes) {
    for (let at = 0; at < bytes.length;) {
      const allowed = Math.min(this.window, this.connection.window, MAX_FRAME, bytes.length - at);
      if (this.resetBy !== null) return false;
      if (allowed > 0) {
        this.sendData(bytes.subarray(at, at + allowed));
        at += allowed;
      } else {
        await once(this.connection, 'window');
      }
    }
    return true;
  }

  sendTrailers(status = 0, more = []) {
    this.sendBlock([['grpc-status', status], ...more], END_HEADERS | END_STREAM);
  }

  sendTrailersOnly(status, message, more = []) {
    this.sendHeaders([['grpc-status', status], ...(message === undefined ? [] : [['grpc-message', message]]), ...more], { end: true });
  }

  rst(error) {
    this.connection.write(TYPE.rst, 0, this.id, uint32(error));
  }
}

export { sleep, uint32 };
