// As much of HPACK (RFC 7541) as a test server needs: reads whatever a client sends, writes literals only, so that what is on
// the wire is what a test wrote.

const STATIC = `:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|:status=206
:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept
access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length
content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range
if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after
server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
  .split(/[|\n]/).map((entry) => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });

// The code is canonical: the lengths tell it all. Symbols of more than 15 bits (control characters, bytes above 126) are refused.
const BY_LENGTH = {
  5: '012aceiost', 6: ' %-./3456789=A_bdfghlmnpru', 7: ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz', 8: '&*,;XZ', 10: '!"()?', 11: "'+|", 12: '#>',
  13: '\0$@[]~', 14: '^}', 15: '<`{' };

const HUFFMAN = new Map();
let code = 0;
let bits = 5;
for (const [length, symbols] of Object.entries(BY_LENGTH)) {
  code <<= Number(length) - bits;
  bits = Number(length);
  for (const symbol of symbols) HUFFMAN.set(bits * 65536 + code++, symbol);
}

function unHuffman(bytes) {
  let text = '';
  let value = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      value = (value << 1) | ((byte >> bit) & 1);
      length += 1;
      const symbol = HUFFMAN.get(length * 65536 + value);
      if (symbol !== undefined) {
        text += symbol;
        value = 0;
        length = 0;
      } else if (length > 15) {
        throw new Error('a Huffman code of more than 15 bits');
      }
    }
  }
  return text;
}

/** Reads header blocks of one direction of one connection, in their order. */
export class HpackDecoder {
  #dynamic = [];
  #size = 0;
  #max = 4096;

  /** [[name, value], ...] */
  decode(block) {
    const input = { block, at: 0 };
    const headers = [];
    while (input.at < block.length) {
      const first = block[input.at];
      if (first & 0x80) {
        headers.push(this.#entry(readInt(input, 7)));
      } else if ((first & 0xe0) === 0x20) {
        this.#max = readInt(input, 5);
        this.#evict();
      } else {
        const indexed = (first & 0xc0) === 0x40;
        const index = readInt(input, indexed ? 6 : 4);
        const name = index > 0 ? this.#entry(index)[0] : readText(input);
        const entry = [name, readText(input)];
        if (indexed) this.#add(entry);
        headers.push(entry);
      }
    }
    return headers;
  }

  #entry(index) {
    const entry = index <= STATIC.length ? STATIC[index - 1] : this.#dynamic[index - STATIC.length - 1];
    if (!entry) throw new Error(`no HPACK entry ${index}`);
    return entry;
  }

  #add(entry) {
    this.#dynamic.unshift(entry);
    this.#size += entry[0].length + entry[1].length + 32;
    this.#evict();
  }

  #evict() {
    while (this.#size > this.#max && this.#dynamic.length > 0) {
      const [name, value] = this.#dynamic.pop();
      this.#size -= name.length + value.length + 32;
    }
  }
}

function readInt(input, prefix) {
  const mask = (1 << prefix) - 1;
  let value = input.block[input.at++] & mask;
  if (value < mask) return value;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = input.block[input.at++];
    value += (byte & 127) << shift;
    if (byte < 128) return value;
  }
  throw new Error('an HPACK number without end');
}

function readText(input) {
  const huffman = (input.block[input.at] & 0x80) !== 0;
  const length = readInt(input, 7);
  const bytes = input.block.subarray(input.at, input.at + length);
  input.at += length;
  return huffman ? unHuffman(bytes) : bytes.toString('latin1');
}

function int7(value) {
  if (value < 127) return [value];
  const bytes = [127];
  let rest = value - 127;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

/** A block of literals that nobody has to remember. Names and values are latin1, sent as they are: upper case, too. */
export function hpackEncode(headers) {
  return Buffer.concat(headers.flatMap(([name, value]) => [
    Buffer.from([0, ...int7(name.length)]), Buffer.from(name, 'latin1'), Buffer.from(int7(String(value).length)), Buffer.from(String(value), 'latin1')]));
}
