// The few bytes of gRPC that an echo needs, so that no package has to be installed.
//
// On the wire a message is 1 byte "compressed?", 4 bytes length (big-endian) and the protobuf bytes. The only
// message here is `message Text { string text = 1; }` (echo.proto): the tag 0x0a, a varint length, UTF-8.

/** The wire form of one message with this text. */
export function encodeText(text) {
  const bytes = Buffer.from(text);
  const length = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  const head = Buffer.alloc(5 + 1 + length.length);
  head.writeUInt32BE(1 + length.length + bytes.length, 1);
  head[5] = 0x0a;
  head.set(length, 6);
  return Buffer.concat([head, bytes]);
}

/** The text of one message's protobuf bytes; empty for the empty message. */
export function decodeText(message) {
  if (message.length === 0) return '';
  if (message[0] !== 0x0a) throw new Error(`field 1 of type string expected, tag 0x${message[0].toString(16)} seen`);
  let at = 1;
  while (message[at] & 128) at += 1;
  return message.subarray(at + 1).toString();
}

/** Cuts a byte stream into messages: push(chunk) returns the texts that became complete. */
export class Deframer {
  #rest = Buffer.alloc(0);

  push(chunk) {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const texts = [];
    while (this.#rest.length >= 5) {
      const end = 5 + this.#rest.readUInt32BE(1);
      if (this.#rest.length < end) break;
      texts.push(decodeText(this.#rest.subarray(5, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return texts;
  }

  /** Bytes of an unfinished message: not 0 at the end of a stream means that it was cut. */
  get pending() {
    return this.#rest.length;
  }
}
