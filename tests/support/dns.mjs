// A small DNS server over UDP on 127.0.0.1, for names that come and go: A and AAAA of the names that a test sets.
//
//   const dns = await startDns();
//   dns.set('app.test', ['127.0.0.1', '::1']);   // no list: the name is not there (NXDOMAIN)
//   dns.fail('silent');                           // or 'failure' (SERVFAIL); dns.fail(null) ends it
//   ... `resolver 127.0.0.1:${dns.port} valid=1s;` ...
//   await dns.stop();

import dgram from 'node:dgram';
import net from 'node:net';

const TYPE = { A: 1, AAAA: 28 };
const CODE = { ok: 0, failure: 2, unknown: 3 };

export class Dns {
  #socket = null;
  #names = new Map();
  #failing = null;

  constructor() {
    this.port = 0;
    this.ttl = 1;
    this.delay = 0; // ms before an answer
    this.asked = 0; // queries that came
  }

  /** Listens on `port` (0: any). */
  start(port = 0) {
    this.#socket = dgram.createSocket('udp4');
    this.#socket.on('message', (message, { address, port: to }) => {
      const answer = this.#answer(message);
      if (answer) setTimeout(() => this.#socket.send(answer, to, address), this.delay);
    });
    return new Promise((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind(port, '127.0.0.1', () => {
        this.port = this.#socket.address().port;
        resolve(this);
      });
    });
  }

  /** Nobody listens any more: queries are refused by the kernel. start(dns.port) undoes it. */
  stop() {
    return new Promise((resolve) => this.#socket.close(resolve));
  }

  /** The addresses of a name, of both families. */
  set(name, addresses) {
    this.#names.set(name, addresses);
  }

  /** 'silent': no answers; 'failure': SERVFAIL; null: as it should be. */
  fail(how) {
    this.#failing = how;
  }

  #answer(message) {
    this.asked += 1;
    if (this.#failing === 'silent') return null;
    const { name, type, end } = question(message);
    const addresses = this.#names.get(name);
    const code = this.#failing ? CODE.failure : addresses ? CODE.ok : CODE.unknown;
    const family = type === TYPE.AAAA ? 6 : 4;
    const records = code === CODE.ok ? addresses.filter((address) => net.isIP(address) === family) : [];
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    return Buffer.concat([head, message.subarray(12, end), ...records.map((address) => this.#record(type, address))]);
  }

  /** The name is a pointer to the question's. */
  #record(type, address) {
    const data = type === TYPE.AAAA ? bytes6(address) : Buffer.from(address.split('.').map(Number));
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(this.ttl, 6);
    record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  }
}

function question(message) {
  const labels = [];
  let at = 12;
  for (let length = message[at]; length > 0; length = message[at]) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

/** `::` stands for as many zeros as are missing. */
function bytes6(address) {
  const [head, tail] = address.split('::').map((part) => (part ? part.split(':') : []));
  const groups = tail ? [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail] : head;
  return Buffer.from(groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]));
}

export function startDns(port = 0) {
  return new Dns().start(port);
}
