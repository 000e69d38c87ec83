// What the demo runs: two data centers with two hosts each, an NGINX beside each host and one in front, steady visitors.

import { ReleaseWorld } from '../tests/support/release-world.mjs';

const FRONT = 0;

/** How long a stage of the canary's walk lasts. */
export const DWELL = process.env.DWELL ?? '6s';
export const STAGES = ['0', '0.1%', '1%', '10%', '50%', '100%'];

export class World {
  #inner = null;

  /** Starts hosts, sidecars and the router; `version` is made and brought up everywhere. */
  async start(version) {
    this.#inner = await ReleaseWorld.start(null, { sidecar: true, overrides: { rolling: { soak: '500ms' } } });
    this.#inner.write('canary.yaml', {
      strategy: 'canary',
      rolling: { keep_up: { per_datacenter: 0 } }, // one of the two of a data center is of the pool
      canary: { pool: { hosts: ['west-2', 'east-2'], rest: 'stable', grow: true }, stages: STAGES, dwell: DWELL },
    });
    await this.#inner.install(version);
  }

  get dir() {
    return this.#inner.dir;
  }

  get hosts() {
    return this.#inner.hosts;
  }

  get load() {
    return this.#inner.loads[FRONT];
  }

  get nginx() {
    return this.#inner.routers[FRONT].nginx;
  }

  get addresses() {
    const ports = (host) => `http://127.0.0.1:${host.port('app')}/`;
    return {
      visitors: `${this.nginx.url('http')}/`,
      'visitors, HTTP/2 and gRPC': this.nginx.url('h2'),
      'API of the router': `${this.#inner.routers[FRONT].api}/`,
      ...Object.fromEntries(this.hosts.map((host) => [`${host.name} itself`, ports(host)])),
      'release.yaml, logs, ledgers': this.dir,
    };
  }

  make(version, fault) {
    this.#inner.make(version, fault);
  }

  /** Starts `pourover ARGS...`: a Run (tests/support/release-run.mjs). */
  pourover(args, file = 'release.yaml') {
    return this.#inner.machine.start(args, { file });
  }

  /** What a person is told, as text. */
  async told(args, file = 'release.yaml') {
    const { out, err } = await this.#inner.machine.run(args, { file, json: false });
    return out + err;
  }

  get command() {
    return `POUROVER_JOURNAL=${this.#inner.machine.journal}`;
  }

  async startLoad(options) {
    await this.#inner.startLoad(options);
  }

  share() {
    return this.#inner.share();
  }

  /** How many requests of visitors the router has counted. */
  async counted() {
    const { stable, canary } = (await this.#inner.ask(undefined, '/stats')).tracks;
    return stable.requests + canary.requests - this.#inner.countedBefore;
  }

  version(host) {
    return this.#inner.version(host);
  }

  served() {
    return this.#inner.served();
  }

  timeline() {
    return this.#inner.timeline();
  }

  async joinUp() {
    return (await this.#inner.joinUp())[FRONT];
  }

  /** Ends everything at once, by pid; for use before exit, so it waits for nothing. */
  cleanUp() {
    this.#inner?.cleanUp();
  }
}
