// What the demo runs: five copies of the demo service, nginx with the module before them, and a steady load.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLoad } from '../tests/support/load.mjs';
import { startNginx } from '../tests/support/nginx.mjs';
import { freePort, waitUntil } from '../tests/support/wait.mjs';

const SERVICE = fileURLToPath(new URL('../examples/demo-service/service.mjs', import.meta.url));

export const OLD = '1.0';
export const NEW = '2.0';
const HOSTS = { west1: OLD, west2: OLD, east1: OLD, west3: NEW, east2: NEW };

/** nginx.conf's http block: one service, cut in two ways (a balancer for HTTP, the host by variable for gRPC). */
const config = (peers) => ({ ports, dir }) => `
  pourover_zone name=demo size=8m state=${dir}/state/router.json;

  upstream shop {
    pourover zone=demo share=0 salt=demo;
    ${peers(OLD, (peer) => `server ${peer};`)}
    ${peers(NEW, (peer) => `pourover_server ${peer} track=canary;`)}
    keepalive 32;
  }
  upstream shop-grpc-stable { ${peers(OLD, (peer) => `server ${peer};`)} keepalive 32; }
  upstream shop-grpc-canary { ${peers(NEW, (peer) => `server ${peer};`)} keepalive 32; }

  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;

    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
    location /demo.Echo/ { grpc_pass grpc://shop-grpc-$pourover_track; }
  }

  server {
    listen 127.0.0.1:${ports.api};
    location /pourover/ { pourover_api; }
  }`;

export class World {
  #services = [];
  nginx = null;
  load = null;

  async start() {
    const dir = mkdtempSync(path.join(tmpdir(), 'pourover-demo-'));
    mkdirSync(path.join(dir, 'state'));
    for (const [host, version] of Object.entries(HOSTS)) this.#services.push(await startService(dir, host, version));
    await Promise.all(this.#services.map((service) => waitUntil(() => service.ready, 15_000, `${service.host} to listen`)));
    const peers = (version, line) =>
      this.#services
        .filter((service) => service.version === version)
        .map((service) => line(`127.0.0.1:${service.port}`))
        .join(' ');
    this.nginx = await startNginx({ dir, ports: ['http', 'h2', 'api'], level: 'notice', http: config(peers) });
  }

  get router() {
    return `${this.nginx.url('api')}/pourover/`;
  }

  get addresses() {
    return {
      visitors: `${this.nginx.url('http')}/`,
      'visitors, HTTP/2 and gRPC': this.nginx.url('h2'),
      'API of the router': this.router,
      'nginx.conf, log, state': this.nginx.dir,
    };
  }

  get peers() {
    return this.#services.map(({ host, version, port }) => ({ host, version, address: `127.0.0.1:${port}` }));
  }

  startLoad(options) {
    const target = { http: `127.0.0.1:${this.nginx.ports.http}`, h2: `127.0.0.1:${this.nginx.ports.h2}` };
    this.load = startLoad({ target, host: 'shop.example', run: 'demo', ...options });
  }

  /** What the router says about the service: `what` is '' or '/stats'. */
  async ask(what = '') {
    const answer = await fetch(`${this.router}v1/services/shop${what}`);
    if (!answer.ok) throw new Error(`the router answered ${answer.status} to GET v1/services/shop${what}`);
    return answer.json();
  }

  /** Texts of the services' logs, which are their ledgers. */
  ledgers() {
    return this.#services.map(({ log }) => readFileSync(log, 'utf8'));
  }

  /** Ends everything at once, by pid; for use before exit, so it waits for nothing. */
  cleanUp() {
    this.load?.abort();
    for (const { child } of this.#services) child?.kill('SIGKILL');
    this.nginx?.cleanUp();
  }
}

async function startService(dir, host, version) {
  const port = await freePort();
  const log = path.join(dir, `${host}.log`);
  const args = [SERVICE, '--version', version, '--host', host, '--port', String(port), '--log', log];
  const service = { host, version, port, log, ready: false };
  service.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  service.child.stdout.once('data', () => {
    service.ready = true;
  });
  return service;
}
