// A router for the tests of its life: a configuration with two services, connections of which one knows the worker,
// and the API asked through each of them.

import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AnswerReader } from '../support/http1.mjs';
import { alive, startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask } from './client.mjs';

export const PORTS = ['http', 'h2', 'api'];

const upstream = (name, { stable, canary }) => `
  upstream ${name} {
    pourover zone=main salt=r1;
    ${stable.map((peer) => `server ${peer};`).join(' ')}
    ${canary.map((peer) => `pourover_server ${peer} track=canary;`).join(' ')}
    keepalive 32;
  }`;

/**
 * The http block of a router. `stable`, `canary`: addresses of peers. Every answer to visitors tells X-Worker, the
 * pid, and X-Cut: track, bucket, share and revision that the request was cut by. Options: size of the zone, more
 * services (names) with the same peers, more lines for the block, no state file (state: false).
 */
export const routerHttp = (peers, { size = '8m', services = ['shop', 'rpc'], more = '', state = true } = {}) =>
  ({ ports, dir }) => `
  pourover_zone name=main size=${size} ${state ? `state=${dir}/state/router.json` : ''};
  ${services.map((name) => upstream(name, peers)).join('')}
  ${more}
  add_header X-Worker $pid always;
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    pourover_service shop;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    add_header X-Worker $pid always;
    add_header X-Cut "$pourover_track $pourover_bucket $pourover_share $pourover_revision" always;
    location / { proxy_pass http://shop; }
    location /ws {
      proxy_pass http://shop;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
    ${services.includes('rpc') ? 'location /demo.Echo/ { pourover_service rpc; grpc_pass grpc://rpc; }' : ''}
  }
  server {
    listen 127.0.0.1:${ports.api};
    location /pourover/ { pourover_api; }
  }`;

/** A connection of HTTP/1.1 that stays; requests one after the other. */
export class Wire {
  worker = 0; // the pid that gave the last answer
  #socket;
  #reader = null;
  #text = '';
  #settle = null;

  constructor(port) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#end(new Error('closed before the answer')));
    this.connected = new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve).once('error', reject);
    });
  }

  /** Sends bytes; an answer is awaited from finish() on. */
  begin(text) {
    this.#socket.write(text, 'latin1');
  }

  /** Sends the rest of a request; resolves to {status, headers, json} when the answer is whole. */
  finish(text) {
    return new Promise((resolve, reject) => {
      this.#reader = new AnswerReader();
      this.#text = '';
      this.#settle = { resolve, reject };
      this.#socket.write(text, 'latin1');
    });
  }

  get(path, headers = '') {
    return this.finish(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
  }

  put(path, change) {
    const body = JSON.stringify(change);
    const type = `Content-Type: application/json\r\nContent-Length: ${body.length}`;
    return this.finish(`PUT ${path} HTTP/1.1\r\nHost: localhost\r\n${type}\r\n\r\n${body}`);
  }

  close() {
    this.#socket.destroy();
  }

  get closed() {
    return this.#socket.destroyed;
  }

  #onData(chunk) {
    if (!this.#settle) return;
    this.#text += chunk.toString('latin1');
    if (!this.#reader.push(chunk)) return;
    const { status, headers } = this.#reader;
    const [, body] = this.#text.split(/\r\n\r\n(.*)/s);
    this.worker = Number(headers.get('x-worker') ?? 0);
    const settle = this.#settle;
    this.#settle = null;
    settle.resolve({ status, headers, get json() { return JSON.parse(body); } });
  }

  #end(error) {
    this.#settle?.reject(error);
    this.#settle = null;
  }
}

/** A wire to each of the workers with these pids, found by opening connections until all have answered. */
export async function wiresTo(port, pids, path) {
  const found = new Map();
  const wanted = new Set(pids);
  await waitUntil(
    async () => {
      const wires = Array.from({ length: 8 }, () => new Wire(port));
      await Promise.all(wires.map((wire) => wire.get(path)));
      for (const wire of wires) {
        if (wanted.has(wire.worker) && !found.has(wire.worker)) found.set(wire.worker, wire);
        else wire.close();
      }
      return found.size === wanted.size;
    },
    20_000,
    `connections to the workers ${pids.join(' ')}`,
  );
  return found;
}

export class Router {
  /** `allow`: lines of the log that the test expects, see assertCleanLog. */
  constructor(nginx, peers, allow) {
    Object.assign(this, { nginx, peers, allow, ports: nginx.ports });
  }

  /** Writes another http block for the next reload. */
  configure(http) {
    this.nginx.writeConfig({ http: ({ dir }) => http({ ports: this.ports, dir }) });
  }

  /**
   * GET of the API, which has to answer 200. A worker that is killed may take the kernel's call for a connection with
   * it, and the others hear of it with the next one only.
   */
  async api(path) {
    const call = () => ask(this.ports.api, `/pourover/v1/${path}`);
    const first = call();
    const answer = (await Promise.race([first, sleep(1000, null, { ref: false })])) ?? (await Promise.any([first, call()]));
    assert.equal(answer.status, 200, `${path}: ${answer.body}`);
    return answer.json;
  }

  async split(service = 'shop') {
    return (await this.api(`services/${service}`)).split;
  }

  /** PUT of a split as it is said; {status, body}. */
  async put(change, service = 'shop') {
    const body = JSON.stringify(change);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const options = { method: 'PUT', headers, body };
    const answer = await ask(this.ports.api, `/pourover/v1/services/${service}/split`, options);
    return { status: answer.status, body: answer.json };
  }

  /** Sets the share over what holds now; returns the split as the router says it is. */
  async set(share_ppm, service = 'shop') {
    const { revision } = await this.split(service);
    const { status, body } = await this.put({ share_ppm, revision: revision + 1, if_revision: revision }, service);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.saved, true);
    return body.split;
  }

  /** What each worker (of both masters, in an upgrade) says of a path: a Map from pid to answer. */
  async eachWorker(path, pids = this.workers()) {
    const wanted = new Set(pids);
    const said = new Map();
    await waitUntil(
      async () => {
        const calls = Array.from({ length: 8 }, () => ask(this.ports.api, `/pourover/v1/${path}`));
        for (const answer of await Promise.all(calls)) {
          const pid = Number(answer.header('x-worker'));
          if (wanted.has(pid)) said.set(pid, answer.json);
        }
        return said.size === wanted.size;
      },
      20_000,
      `answers of the workers ${[...wanted].join(' ')}`,
    );
    return said;
  }

  workers() {
    const old = this.nginx.oldMaster();
    return [...this.nginx.workers(), ...(old ? this.nginx.workers(old) : [])];
  }

  async inFlight(service = 'shop') {
    const { tracks } = await this.api(`services/${service}`);
    return tracks.stable.in_flight + tracks.canary.in_flight;
  }

  /** Ends all processes, with `signal` at first, and looks at the log. An earlier start would find addresses taken. */
  async stop(signal = 'SIGQUIT') {
    const pids = this.nginx.processes();
    if (signal === 'SIGKILL') pids.forEach((pid) => this.nginx.kill(pid));
    await this.nginx.stop();
    await waitUntil(() => !pids.some(alive), 10_000, `the end of ${pids.join(' ')}`);
    this.nginx.assertCleanLog(this.allow);
  }

  /** Another start in the same directory and on the same ports, so with the same state file; with a log of its own. */
  async startAgain(http = routerHttp(this.peers)) {
    const { ports } = this;
    const { dir } = this.nginx;
    renameSync(`${dir}/error.log`, `${dir}/error.${Date.now()}.log`);
    this.nginx = await startNginx({ ports: [], http: (place) => http({ ports, dir: place.dir }), dir });
  }
}

/** A router before the given peers, ended after the test. Options: as of routerHttp, Router, startNginx. */
export async function startRouter(t, peers, { config = {}, allow = [], ...options } = {}) {
  const nginx = await startNginx({ ports: PORTS, http: routerHttp(peers, config), ...options });
  const router = new Router(nginx, peers, allow);
  t.after(() => router.stop());
  return router;
}

/** Services in this process: v1 on the stable track, v2 on the canary. */
export async function startPeers(t, { stable = 1, canary = 1 } = {}) {
  const start = (version, n) =>
    Array.from({ length: n }, (_, i) => startUpstream({ version, host: `${version}-${i}` }));
  const services = { stable: await Promise.all(start('v1', stable)), canary: await Promise.all(start('v2', canary)) };
  t.after(() => Promise.all([...services.stable, ...services.canary].map((each) => each.stop())));
  const peers = (list) => list.map((each) => each.peer);
  return { services, stable: peers(services.stable), canary: peers(services.canary) };
}

/** The fields of X-Cut. */
export function cutOf({ headers }) {
  const [track, bucket, share, revision] = headers.get('x-cut').split(' ');
  return { track, bucket: Number(bucket), share: Number(share), revision: Number(revision) };
}
