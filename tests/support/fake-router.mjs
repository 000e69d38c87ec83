// A router as docs/reference/api.md says, without nginx: its API and a visitors' address, each on a port of its own.
// Knobs on the returned object break it in the ways that the program must notice.
//
//   const router = await fakeRouter({ split: { share_ppm: 1000 } });
//   ... router.api, router.visit, router.split, router.calls ...
//   router.knobs.put = () => 'drop';
//   await router.close();

import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { ApiError, FakeService } from './fake-service.mjs';
import { freePort } from './wait.mjs';

const MASK = (1n << 64n) - 1n;
const rotate = (x, n) => ((x << n) | (x >> (64n - n))) & MASK;

/** SipHash-2-4 of bytes under 16 bytes of key, as a BigInt. */
function siphash(key, bytes) {
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  let [v0, v1, v2, v3] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn, k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n];
  const round = () => {
    v0 = (v0 + v1) & MASK; v1 = rotate(v1, 13n) ^ v0; v0 = rotate(v0, 32n);
    v2 = (v2 + v3) & MASK; v3 = rotate(v3, 16n) ^ v2;
    v0 = (v0 + v3) & MASK; v3 = rotate(v3, 21n) ^ v0;
    v2 = (v2 + v1) & MASK; v1 = rotate(v1, 17n) ^ v2; v2 = rotate(v2, 32n);
  };
  const last = Buffer.alloc(8);
  bytes.copy(last, 0, bytes.length & ~7);
  last[7] = bytes.length & 255;
  for (let at = 0; at <= bytes.length; at += 8) {
    const word = at + 8 <= bytes.length ? bytes.readBigUInt64LE(at) : last.readBigUInt64LE(0);
    v3 ^= word; round(); round(); v0 ^= word;
  }
  v2 ^= 255n;
  for (let i = 0; i < 4; i += 1) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

const keys = new Map();

/** The bucket of an id, by docs/reference/cut.md. */
export function bucketOf(id, salt) {
  if (!keys.has(salt)) {
    keys.set(salt, createHash('sha256').update(`pourover/cut/${salt}`).digest().subarray(0, 16));
  }
  return Number((siphash(keys.get(salt), Buffer.from(id)) * 1000000n) >> 64n);
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

class FakeRouter {
  epoch = 1;
  token = randomBytes(8).toString('hex');
  /** [{method, path, body}] of the API, in order of arrival. */
  calls = [];
  /** Bodies of the PUTs that were taken. */
  puts = [];
  visits = { fresh: 0, returning: 0 };
  healthcheck = { failing: false, by: '', since_ms: 0, flag_file: '' };
  stats = { stable: emptyTrack(), canary: emptyTrack() };
  units = [];
  knobs = {};
  #hung = [];

  constructor({ service = 'shop', split = {}, bearer, instance = randomBytes(8).toString('hex'), services, upgrading = false,
    restored = 'file', peers, names, version = '0.1.0', older = false } = {}) {
    this.service = service;
    this.services = services ?? [service];
    this.split = { share_ppm: 0, salt: 'r42', enabled: true, revision: 1, ...split };
    this.bearer = bearer;
    this.instance = instance;
    this.upgrading = upgrading;
    this.restored = restored;
    this.version = version;
    this.older = older; // a router that knows nothing of health, drains, events
    this.shop = new FakeService({ peers, names });
  }

  async listen(ports) {
    this.apiPort = ports?.[0] ?? await freePort();
    this.visitPort = ports?.[1] ?? await freePort();
    this.api = `http://127.0.0.1:${this.apiPort}/pourover`;
    this.visit = `http://127.0.0.1:${this.visitPort}/`;
    const serve = (handler, port) => new Promise((resolve, reject) => {
      const server = http.createServer((req, res) => { handler.call(this, req, res).catch((error) => res.destroy(error)); });
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
    this.servers = [await serve(this.answerApi, this.apiPort), await serve(this.answerVisitor, this.visitPort)];
    return this;
  }

  async close() {
    await Promise.all(this.servers.map((server) => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    })));
  }

  /** Answers as usual again, and breaks off what hangs. */
  release() {
    this.knobs = {};
    this.#hung.splice(0).forEach((socket) => socket.destroy());
  }

  /** Stops answering; comes back on the same ports with revive(). */
  async revive() {
    return this.listen([this.apiPort, this.visitPort]);
  }

  /** Serves the API at a unix socket too; returns that server. */
  async listenSocket(file) {
    return new Promise((resolve) => {
      const server = http.createServer((req, res) => { this.answerApi(req, res).catch((error) => res.destroy(error)); });
      server.listen(file, () => resolve(server));
    });
  }

  /** As after a restart with an empty zone: other instance, counters from zero, then these requests. */
  restart(requests) {
    this.instance = randomBytes(8).toString('hex');
    this.stats = { stable: emptyTrack(), canary: emptyTrack() };
    for (const [track, n] of Object.entries(requests)) this.serve(track, { requests: n });
  }

  /** What the present split makes of an id. */
  cut(id) {
    const bucket = bucketOf(id, this.split.salt);
    return { bucket, track: this.split.enabled && bucket < this.split.share_ppm ? 'canary' : 'stable' };
  }

  async answerApi(req, res) {
    let text = '';
    for await (const chunk of req) text += chunk;
    const path = req.url.replace(/^\/pourover\//, '');
    this.calls.push({ method: req.method, path, body: text, headers: req.headers });
    const [status, body] = await this.#answer(req, path, text);
    if (status === 'drop') return void req.socket.destroy();
    if (status === 'hang') return void this.#hung.push(req.socket); // until the client gives up, or release()
    res.writeHead(status, { 'Content-Type': 'application/json' });
    res.end(typeof body === 'string' ? body : JSON.stringify({ epoch: this.epoch, ...body }));
  }

  async #answer(req, path, text) {
    if (this.bearer && req.headers.authorization !== `Bearer ${this.bearer}`) return fail(401, 'unauthorized', 'a token is needed');
    if (this.knobs.delay) await sleep(this.knobs.delay);
    const broken = this.knobs.api?.(req.method, path);
    if (broken) return Array.isArray(broken) ? broken : [broken];
    const at = `v1/services/${this.service}`;
    if (req.method === 'GET' && path === 'v1/status') return [200, this.#status()];
    if (req.method === 'GET' && path === 'v1/verify') return [200, { header: 'X-Pourover-Verify', token: this.token }];
    if (req.method === 'GET' && path === at) return [200, this.#service()];
    if (req.method === 'GET' && path === `${at}/stats`) return [200, this.#stats()];
    if (req.method === 'PUT' && path === `${at}/split`) return this.#put(text);
    if (!this.older) {
      const answer = this.#answerControl(req.method, path, at, text);
      if (answer) return answer;
    }
    return fail(404, 'not_found', `there is no ${path}`);
  }

  #answerControl(method, path, at, text) {
    const { pathname, searchParams } = new URL(path, 'http://x/');
    const before = JSON.stringify([this.shop.peers, this.shop.maintenance]);
    try {
      if (method === 'POST' && /^\/healthcheck\/(fail|ok)$/.test(pathname)) return this.#postHealthcheck(pathname, text);
      if (!pathname.startsWith(`/${at}/`)) return undefined;
      const answer = this.shop.answer(method, pathname.slice(at.length + 2), searchParams, text);
      if (JSON.stringify([this.shop.peers, this.shop.maintenance]) !== before) this.epoch += 1;
      if (answer && path.includes('/events')) Object.assign(answer[1], { service: this.service, instance: this.instance });
      return answer && this.knobs.unsaved && method !== 'GET' ? fail(507, 'not_saved', 'No space left on device') : answer;
    } catch (error) {
      if (error instanceof ApiError) return error.answer;
      throw error;
    }
  }

  #postHealthcheck(pathname, text) {
    const failing = pathname.endsWith('fail');
    this.healthcheck = { ...this.healthcheck, by: '', ...(text ? JSON.parse(text) : {}), failing, since_ms: failing ? Date.now() : 0 };
    return [200, { saved: true, healthcheck: this.healthcheck, ...(!failing && this.knobs.flagLeft ? { flag_file_left: true } : {}) }];
  }

  #status() {
    const status = this.#oldStatus();
    return this.older ? status : { ...status, healthcheck: this.healthcheck, checker: { pid: 4711, lease: 3, checks: 120, late: 0 } };
  }

  #oldStatus() {
    return {
      pourover: this.version, nginx: '1.22.1', zone: 'main', instance: this.instance, started_at_ms: 1763766000000, now_ms: Date.now(),
      restored: this.restored, restored_reason: this.restored === 'refused' ? 'checksum is wrong' : '',
      state: { file: '/var/lib/pourover/router.json', saved: true, saved_at_ms: 1763766001000, error: '' },
      upgrading: this.upgrading, workers: [{ pid: 4711, slot: 0, generation: 1, exiting: false }], services: this.services,
    };
  }

  #service() {
    const service = { name: this.service, kind: 'balancer', split: this.split, restored: this.restored };
    this.shop.cutOverdue();
    if (!this.older) return { ...service, ...this.shop.show() };
    const { tracks, peers } = this.shop.show();
    for (const track of Object.values(tracks)) {
      delete track.failing;
      delete track.unknown;
    }
    const old = ({ name, track, dc, weight, state, in_flight, requests, failures, address }) => (
      { address, name, track, dc, weight, state, in_flight, requests, failures });
    return { ...service, tracks, peers: peers.map(old) };
  }

  #stats() {
    const stats = { service: this.service, instance: this.instance, since_ms: 1763766000000, split: this.split, tracks: this.stats };
    if (!this.older) Object.assign(stats, { units_error: 0.023, units: this.units });
    return { ...stats, ids: { valid: 0, issued: 0, replaced: 0, sourced: 0, none: 0 } };
  }

  #put(text) {
    const broken = this.knobs.put?.(text);
    if (broken) return Array.isArray(broken) ? broken : [broken];
    const body = JSON.parse(text);
    const now = this.split;
    const next = { ...now, ...body };
    delete next.if_revision;
    const raises = next.share_ppm > now.share_ppm || next.salt !== now.salt || (next.enabled && !now.enabled);
    if (!Number.isInteger(body.revision)) return fail(400, 'invalid', 'revision is missing', { field: 'revision' });
    const stale = body.if_revision === 'any' ? raises : body.if_revision !== now.revision;
    if (stale || body.revision <= now.revision) return fail(409, 'conflict', `the split has revision ${now.revision}`, { split: now });
    this.split = next;
    this.epoch += 1;
    this.puts.push(body);
    return [200, { saved: true, split: next }];
  }

  /** A visitor with or without cookie; only those marked by the verify token, as nothing else comes here. */
  async answerVisitor(req, res) {
    const mark = (req.headers['x-pourover-verify'] ?? '').split(' ');
    const sent = /(?:^|; )pourover_id=([0-9a-f]{16})/.exec(req.headers.cookie ?? '')?.[1] ?? req.headers['x-user-id'];
    const id = sent ?? randomBytes(8).toString('hex');
    const split = this.knobs.cutBy ?? this.split;
    const bucket = bucketOf(id, split.salt);
    let track = split.enabled && bucket < split.share_ppm ? 'canary' : 'stable';
    this.visits[sent ? 'returning' : 'fresh'] += 1;
    const cutOnly = mark[1] === 'cut';
    const answer = { id, sent, bucket, track, split, reason: split.enabled ? 'split' : 'disabled', status: cutOnly ? 204 : 200, cutOnly };
    if (this.knobs.visitor?.(answer) === 'hang') return;
    ({ track } = answer);
    answer.peer ??= cutOnly ? '-' : this.shop.peers.find((each) => each.track === track)?.address ?? '-';
    const headers = {};
    if (!sent && !this.knobs.noCookie) headers['Set-Cookie'] = `pourover_id=${answer.id}; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax`;
    if (mark[0] === this.token) {
      headers['X-Pourover-Verdict'] = `service=${this.service} track=${track} reason=${answer.reason} share_ppm=${split.share_ppm} `
        + `revision=${split.revision} bucket=${answer.bucket} peer=${answer.peer}`;
    }
    res.writeHead(answer.status, headers);
    res.end(answer.status === 204 ? undefined : 'hello\n');
  }

  /** Adds requests to the statistics: {requests, errors, us}. */
  serve(track, { requests, errors = 0, us = 1000 }) {
    const stats = this.stats[track];
    stats.requests += requests;
    stats.reasons.split += requests;
    stats.statuses['200'] = (stats.statuses['200'] ?? 0) + requests - errors;
    stats.statuses['502'] = (stats.statuses['502'] ?? 0) + errors;
    const shift = Math.max(0, Math.floor(Math.log2(us)) - 5);
    const index = us < 32 ? us : shift * 32 + Math.floor(us / 2 ** shift);
    const bucket = stats.header_time.buckets.find((pair) => pair[0] === index);
    if (bucket) bucket[1] += requests; else stats.header_time.buckets.push([index, requests]);
  }
}

function fail(status, code, message, more = {}) {
  return [status, { error: { code, message, ...more }, ...(more.split ? { split: more.split } : {}) }];
}

function emptyTrack() {
  const time = () => ({ count: 0, sum_us: 0, max_us: 0, p50_us: 0, p90_us: 0, p99_us: 0, p999_us: 0, buckets: [] });
  return {
    requests: 0, statuses: {}, grpc_statuses: {},
    reasons: { split: 0, forced: 0, fallback: 0, 'no-id': 0, disabled: 0, 'version-cookie': 0 },
    first_failed: 0, retries: 0, crossed: 0, bytes_sent: 0, bytes_received: 0, verify_requests: 0,
    header_time: time(), upstream_time: time(),
  };
}

export async function fakeRouter(options) {
  return new FakeRouter(options).listen();
}
