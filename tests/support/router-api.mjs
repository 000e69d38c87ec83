// Calls of a router's API from tests, and a reader of its state file that shares no code with the router's.

import { createHash } from 'node:crypto';
import http from 'node:http';

/**
 * One call on a connection of its own, so that any worker may take it. `target` is {port} or {socketPath}, with
 * `path` below /pourover/. A body that is no string is sent as JSON. Returns {status, headers, text, body}.
 */
export function call(target, method, path, body, headers = {}) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const length = headers['Transfer-Encoding'] ? {} : { 'Content-Length': Buffer.byteLength(text ?? '') };
  const options = {
    host: '127.0.0.1',
    ...target,
    method,
    path: `/pourover/${path}`,
    agent: false,
    headers: text === undefined ? headers : { 'Content-Type': 'application/json', ...length, ...headers },
  };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        const json = response.headers['content-type'] === 'application/json' && answer !== '';
        resolve({ status: response.statusCode, headers: response.headers, text: answer, body: json ? JSON.parse(answer) : null });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

const MASK = (1n << 64n) - 1n;
const rotate = (x, n) => ((x << n) | (x >> (64n - n))) & MASK;

/** SipHash-2-4 as 16 hex digits (from the paper, not from src/base); the key has 16 bytes. */
export function siphash(text, key = Buffer.alloc(16)) {
  const data = Buffer.from(text);
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)];
  let v = [0x736f6d6570736575n ^ k0, 0x646f72616e646f6dn ^ k1, 0x6c7967656e657261n ^ k0, 0x7465646279746573n ^ k1];
  const round = () => {
    let [a, b, c, d] = v;
    a = (a + b) & MASK;
    b = rotate(b, 13n) ^ a;
    a = rotate(a, 32n);
    c = (c + d) & MASK;
    d = rotate(d, 16n) ^ c;
    a = (a + d) & MASK;
    d = rotate(d, 21n) ^ a;
    c = (c + b) & MASK;
    b = rotate(b, 17n) ^ c;
    c = rotate(c, 32n);
    v = [a, b, c, d];
  };
  const padded = Buffer.alloc(Math.floor(data.length / 8) * 8 + 8);
  data.copy(padded);
  padded[padded.length - 1] = data.length & 255;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v[3] ^= word;
    round();
    round();
    v[0] ^= word;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i += 1) round();
  return (v[0] ^ v[1] ^ v[2] ^ v[3]).toString(16).padStart(16, '0');
}

/** The unit of a visitor's id in a train, as 16 hex digits (docs/reference/cut.md). */
export const unitOf = (salt, id) => siphash(id, createHash('sha256').update(`pourover/cut/${salt}`).digest().subarray(0, 16));

/** The bucket of a unit: 0 .. 999999. */
export const bucketOf = (unit) => Number((BigInt(`0x${unit}`) * 1_000_000n) >> 64n);

/** A line of a state file with its sum: {a: 1} becomes {"a":1,"sum":"..."} and a line feed. */
export function stateLine(values) {
  const start = JSON.stringify(values).slice(0, -1);
  return `${start},"sum":"${siphash(start)}"}\n`;
}

/**
 * A whole state file: lines is a list of {name, share_ppm, salt, enabled, revision} and other lines. Layout 1 is what
 * pourover 0.1.0 wrote.
 */
export function stateText(lines, header = {}) {
  const count = header.pourover_state === 1 ? { services: lines.length } : { lines: lines.length };
  const first = { pourover_state: 2, instance: '0123456789abcdef', alive_at_ms: Date.now(), ...count, ...header };
  return [first, ...lines, { end: lines.length }].map(stateLine).join('');
}

/**
 * Reads a state file and throws unless every line is as it should be. Returns {header, services, controls, peers,
 * failing}: Maps by the service's name of its split and its control line, a list, and a line or undefined.
 */
export function readState(text) {
  if (!text.endsWith('\n')) throw new Error('the state file is cut');
  const lines = text.slice(0, -1).split('\n');
  const values = lines.map((line) => {
    const { sum, ...rest } = JSON.parse(line);
    const start = line.slice(0, line.lastIndexOf(',"sum":'));
    if (sum !== siphash(start)) throw new Error(`wrong sum: ${line}`);
    return rest;
  });
  const header = values[0];
  const inside = values.slice(1, -1);
  if (header.pourover_state !== 2 || header.lines !== inside.length || values.at(-1).end !== inside.length) {
    throw new Error(`wrong frame: ${text}`);
  }
  const by = (key, kind) => new Map(inside.filter((line) => kind in line).map((line) => [line[key], line]));
  return {
    header,
    services: by('name', 'share_ppm'),
    controls: by('control', 'control'),
    peers: inside.filter((line) => 'peer' in line),
    failing: inside.find((line) => 'failing' in line),
  };
}
