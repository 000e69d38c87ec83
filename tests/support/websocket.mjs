// As much of RFC 6455 as an echo and its client need: handshake, text, ping, close; messages below 64 KiB, unfragmented.

import { createHash, randomBytes } from 'node:crypto';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** The Sec-WebSocket-Accept that answers this Sec-WebSocket-Key. */
export function acceptKey(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function frame(opcode, payload, masked) {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = 0x80 | opcode;
  head[1] = (masked ? 0x80 : 0) | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i & 3])]);
}

/**
 * One side of an open websocket over `socket`. `onText(text)` is called for each text, `onClose()` once when the other
 * side's close frame came. Clients mask what they send.
 */
export class WebSocketSide {
  #socket;
  #masked;
  #rest = Buffer.alloc(0);
  #closeSent = false;

  constructor(socket, { client, onText, onClose }) {
    this.#socket = socket;
    this.#masked = client;
    this.onText = onText;
    this.onClose = onClose;
  }

  send(text) {
    this.#socket.write(frame(TEXT, Buffer.from(text), this.#masked));
  }

  close() {
    if (this.#closeSent) return;
    this.#closeSent = true;
    this.#socket.write(frame(CLOSE, Buffer.from([0x03, 0xe8]), this.#masked));
  }

  /** Bytes that came from the other side. */
  push(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let part = this.#cut(); part; part = this.#cut()) this.#handle(part);
  }

  #cut() {
    const bytes = this.#rest;
    if (bytes.length < 2) return null;
    const short = bytes[1] & 127;
    if (short === 127) throw new Error('websocket message of 64 KiB or more');
    const masked = (bytes[1] & 128) !== 0;
    const start = (short === 126 ? 4 : 2) + (masked ? 4 : 0);
    if (bytes.length < start) return null;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < start + length) return null;
    const mask = bytes.subarray(start - 4, start);
    const payload = bytes.subarray(start, start + length);
    this.#rest = bytes.subarray(start + length);
    return { opcode: bytes[0] & 15, payload: masked ? payload.map((byte, i) => byte ^ mask[i & 3]) : payload };
  }

  #handle({ opcode, payload }) {
    if (opcode === TEXT) this.onText?.(Buffer.from(payload).toString());
    if (opcode === PING) this.#socket.write(frame(PONG, Buffer.from(payload), this.#masked));
    if (opcode === CLOSE) {
      this.close();
      this.onClose?.();
    }
  }
}
