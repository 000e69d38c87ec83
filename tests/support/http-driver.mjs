// The C driver of the HTTP client (http_driver.c), and a server of bare sockets whose answers are bytes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';
import { BUILD_DIR } from './nginx.mjs';

const DRIVER = path.join(BUILD_DIR, 'tests/http_driver');

export class Driver {
  #child;
  #results = [];
  #waiting = [];
  #ended;
  #err = '';
  #code;

  /** options: {protocol, ca, ...} as http_driver.c lists them. */
  constructor(target, options = {}) {
    const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    this.#child = spawn(DRIVER, [target, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.on('data', (chunk) => { this.#err += chunk; });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (code, signal) => resolve(code ?? signal));
    });
    this.#ended.then((code) => {
      this.#code = code;
      this.#waiting.splice(0).forEach(({ reject }) => reject(this.#gone()));
    });
    readline.createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const next = this.#waiting.shift();
      if (next) next.resolve(JSON.parse(line));
      else this.#results.push(JSON.parse(line));
    });
  }

  #gone() {
    return new Error(`the driver ended with ${this.#code}: ${this.#err}`);
  }

  /** Writes a line; fields that hold tabs or line ends cannot be sent. */
  say(...fields) {
    this.#child.stdin.write(`${fields.join('\t')}\n`);
  }

  /** The next result, in the order in which requests ended. */
  next() {
    if (this.#results.length > 0) return Promise.resolve(this.#results.shift());
    if (this.#code !== undefined) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => { this.#waiting.push({ resolve, reject }); });
  }

  /** One request and its result. */
  ask(method, where, ...fields) {
    this.say(method, where, ...fields);
    return this.next();
  }

  /** Ends its input; {code, err} of the program. A leak under ASan is a code of its own. */
  async close() {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    const code = await this.#ended;
    clearTimeout(timer);
    return { code, err: this.#err };
  }
}

/** One driver for a body; it has to end well. */
export async function withDriver(target, options, body) {
  const driver = new Driver(target, options);
  let result;
  try {
    result = await body(driver);
  } finally {
    const { code, err } = await driver.close();
    if (code !== 0 && result !== undefined) throw new Error(`the driver ended with ${code}: ${err}`);
  }
  return result;
}

/** One request on a connection of its own. */
export const askOnce = (target, options, ...request) => withDriver(target, options, (driver) => driver.ask(...request));

/**
 * answer(socket, {text, head, body, number, connection}) is called for each whole request; number and connection
 * count from 1. on.connect(socket) instead of it sees the bare connection.
 */
export async function rawServer(answer, { host = '127.0.0.1', socketPath, connect } = {}) {
  const sockets = new Set();
  const state = { connections: 0, requests: 0, open: sockets };
  const server = net.createServer({ allowHalfOpen: false }, (socket) => {
    const connection = (state.connections += 1);
    let text = '';
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (connect) connect(socket, connection);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (!answer || end < 0) return;
        const head = text.slice(0, end);
        const length = Number(/^content-length: (\d+)$/m.exec(head)?.[1] ?? 0);
        if (text.length < end + 4 + length) return;
        const body = text.slice(end + 4, end + 4 + length);
        text = text.slice(end + 4 + length);
        state.requests += 1;
        answer(socket, { head, body, number: state.requests, connection });
      }
    });
  });
  server.listen(socketPath ? { path: socketPath } : { host, port: 0 });
  await once(server, 'listening');
  const { port } = socketPath ? {} : server.address();
  return {
    state,
    port,
    target: socketPath ? `unix:${socketPath}` : `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      sockets.forEach((socket) => socket.destroy());
    }),
  };
}
