// What a router keeps of one service besides its split, as docs/reference/api.md says: peers and names, drains,
// maintenance, the flag of health checks, the ring of events. A small model: tests set what is in flight and what
// was seen by hand; limits of drains are looked at when somebody asks.

const STATES = ['ready', 'draining', 'down'];
const DEFAULT_PEERS = [
  { address: '10.0.1.11:80', track: 'stable' }, { address: '10.0.1.12:80', track: 'stable' }, { address: '10.0.2.11:80', track: 'canary' }];

export class ApiError extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    this.answer = [status, { error: { code, message, ...more } }];
  }
}

const invalid = (field, message) => new ApiError(400, 'invalid', message, { field });

/** The members of a body: {name: check}; `check` says whether the value is right. */
function readBody(text, members, required = []) {
  const body = text === '' ? {} : JSON.parse(text);
  for (const [name, value] of Object.entries(body)) {
    if (!members[name]) throw invalid(name, `there is no member ${name}`);
    if (!members[name](value)) throw invalid(name, `${name} is wrong: ${JSON.stringify(value)}`);
  }
  for (const name of required) if (!(name in body)) throw invalid(name, `${name} is missing`);
  return body;
}

const isMs = (value) => Number.isInteger(value) && value >= 0;
const isText = (max) => (value) => typeof value === 'string' && Buffer.byteLength(value) <= max;
const isWeight = (value) => Number.isInteger(value) && value >= 1 && value <= 1000;
const isTrack = (value) => value === 'stable' || value === 'canary';
const isState = (value) => STATES.includes(value);

export class FakeService {
  maintenance = { on: false, by: '', message: '', since_ms: 0 };
  watch = { slow_us: [], hang_ms: 60000, sample: 0, kinds: [] };
  events = [];
  appended = 0;
  capacity = 4096;
  lost = { stable: 0, canary: 0 };

  constructor({ peers = DEFAULT_PEERS, names = [] } = {}) {
    this.peers = peers.map((peer) => newPeer(peer));
    this.names = names.map((name) => ({
      dc: '', weight: 1, state: 'ready', drain: null, addresses: 0, resolved_at_ms: 0, error: '', track: 'stable', ...name }));
  }

  peer(address, track) {
    return this.peers.find((peer) => peer.address === address && (!track || peer.track === track));
  }

  /** Requests go to the peer and stay: {method, uri, stream, unit, client}, or a number of plain ones. */
  hold(address, requests) {
    const list = typeof requests === 'number' ? Array.from({ length: requests }, () => ({})) : requests;
    for (const request of list) {
      this.peer(address).active.push({
        since_ms: Date.now() - 2000, method: 'GET', uri: '/chat', stream: false, unit: '8f3c01d2a4b5e697', client: '203.0.113.9', ...request });
    }
  }

  /** What is in flight at the peer ends. */
  end(address) {
    this.peer(address).active.splice(0);
  }

  /** A request had a bad outcome. */
  event(members) {
    this.appended += 1;
    this.events.push({
      seq: this.appended, start_ms: Date.now() - 10 + 0.125, unit: '8f3c01d2a4b5e697', assigned: 'canary', served: 'canary', reason: 'split',
      revision: 41, share_ppm: 1000, kind: 'app', nth: 1, status: 500, grpc: -1, took_us: 1200, final_status: 500, peer: '10.0.2.11:80',
      route: '/api/', ...members });
    if (this.events.length > this.capacity) this.events.shift();
  }

  tracks() {
    const track = (name) => {
      const peers = this.peers.filter((peer) => peer.track === name);
      const ready = peers.filter((peer) => peer.state === 'ready');
      const of = (...health) => ready.filter((peer) => health.includes(peer.health)).length;
      const inFlight = peers.reduce((sum, peer) => sum + peer.active.length, 0);
      return { peers: peers.length, live: of('up', 'unchecked'), failing: of('down'), unknown: of('unknown'), in_flight: inFlight };
    };
    return { stable: track('stable'), canary: track('canary') };
  }

  /** Ends what the limits of drains end; called before every answer. */
  cutOverdue() {
    const now = Date.now();
    for (const peer of this.peers.filter((each) => each.drain)) {
      const until = (request) => (request.stream ? peer.drain.streams_until_ms : peer.drain.requests_until_ms);
      const over = peer.active.filter((request) => until(request) > 0 && until(request) <= now);
      peer.active = peer.active.filter((request) => !over.includes(request));
      peer.cut.push(...over.map((request) => ({ at_ms: now, ...request })));
    }
  }

  show() {
    return { maintenance: this.maintenance, tracks: this.tracks(), peers: this.peers.map(showPeer), names: this.names };
  }

  /** [status, body] of a call below v1/services/S/, or undefined when it is none of ours. */
  answer(method, path, query, text) {
    this.cutOverdue();
    const peer = /^peers\/(.+)$/.exec(path);
    if (peer) return this.#answerPeer(method, decodeURIComponent(peer[1]), query.get('track'), text);
    if (method === 'PUT' && path === 'maintenance') return this.#putMaintenance(text);
    if (method === 'PUT' && path === 'watch') return this.#putWatch(text);
    if (method === 'GET' && path === 'events') return [200, this.#events(query)];
    return undefined;
  }

  #answerPeer(method, address, track, text) {
    if (method === 'PUT') return this.#put(address, track, text);
    const found = [...this.names, ...this.peers.filter((peer) => peer.origin !== 'name' || method === 'GET')]
      .filter((each) => each.address === address && (!track || each.track === track));
    const ofName = this.peers.find((peer) => peer.address === address && peer.origin === 'name');
    if (found.length === 0 && ofName) throw new ApiError(409, 'conflict', `${address} is an address of ${ofName.name}`);
    if (found.length === 0) throw new ApiError(404, 'not_found', `there is no peer ${address}`);
    if (found.length > 1) throw new ApiError(409, 'conflict', `both tracks have ${address}: say which by ?track=`);
    const [target] = found;
    const own = this.peers.filter((peer) => peer === target || (peer.origin === 'name' && peer.name === address && peer.track === target.track));
    if (method === 'GET') return [200, showDetail(target)];
    if (method === 'DELETE') return this.#remove(target, own);
    if (method === 'PATCH') return this.#patch(target, own, text);
    throw new ApiError(405, 'method', `${method} is no method of a peer`);
  }

  #put(address, track, text) {
    if (!/^(unix:\/.+|\d+\.\d+\.\d+\.\d+:\d+|\[[0-9a-f:]+\]:\d+)$/.test(address)) {
      throw invalid('address', `"${address}" is no IP address with a port and no unix: path`);
    }
    const members = { track: isTrack, weight: isWeight, dc: isText(32), name: isText(128), state: isState };
    const body = readBody(text, members);
    const there = this.peers.find((peer) => peer.address === address && (!track || peer.track === track));
    if (!there) {
      this.peers.push(newPeer({ origin: 'api', address, track: track ?? 'stable', ...body }));
      return [200, { saved: true, peer: showPeer(this.peers.at(-1)) }];
    }
    if ('dc' in body && body.dc !== there.dc) throw new ApiError(409, 'conflict', `dc of this peer is "${there.dc}"`, { field: 'dc' });
    Object.assign(there, body, 'weight' in body ? { weight_now: body.weight } : {});
    return [200, { saved: true, peer: showPeer(there) }];
  }

  #patch(target, own, text) {
    const body = readBody(text, {
      state: isState, weight: isWeight, track: isTrack, by: isText(64), requests_ms: isMs, streams_ms: isMs });
    const until = (ms) => (ms ? Date.now() + ms : 0);
    for (const each of new Set([target, ...own])) {
      if (body.weight) Object.assign(each, { weight: body.weight, weight_now: body.weight });
      if (body.track) each.track = body.track;
      if (body.state) {
        each.state = body.state;
        each.drain = body.state !== 'draining' ? null : {
          by: body.by ?? '', since_ms: each.drain?.since_ms ?? Date.now(), requests_until_ms: until(body.requests_ms), streams_until_ms: until(body.streams_ms) };
      }
    }
    return [200, { saved: true, peer: target.active ? showPeer(target) : target }];
  }

  #remove(target, own) {
    this.peers = this.peers.filter((peer) => peer !== target && !own.includes(peer));
    this.names = this.names.filter((name) => name !== target);
    return [200, { saved: true }];
  }

  #putMaintenance(text) {
    const body = readBody(text, { on: (value) => typeof value === 'boolean', by: isText(64), message: isText(200) }, ['on']);
    this.maintenance = { by: '', message: '', ...body, since_ms: body.on ? Date.now() : 0 };
    return [200, { saved: true, maintenance: this.maintenance }];
  }

  #putWatch(text) {
    const isSlow = (value) => Array.isArray(value) && value.length <= 4 && value.every((us, i) => us > (value[i - 1] ?? 0));
    const isSample = (value) => Number.isInteger(value) && value >= 0 && value <= 65536 && (value & (value - 1)) === 0;
    const isKinds = (value) => Array.isArray(value) && value.every((kind) => ['4xx', '3xx'].includes(kind));
    Object.assign(this.watch, readBody(text, { slow_us: isSlow, hang_ms: isMs, sample: isSample, kinds: isKinds }));
    return [200, { watch: this.watch }];
  }

  #events(query) {
    const [seq, part] = query.get('after').split('.');
    const after = Number(seq);
    const list = this.events.filter((event) => event.seq > after).slice(0, Number(query.get('limit') ?? 1000));
    const last = list.at(-1)?.seq ?? Math.max(after, this.appended);
    const lost = part === undefined ? null : this.lost;
    this.lost = { stable: 0, canary: 0 };
    return {
      now_ms: Date.now(), next: `${last}.0`, appended: this.appended, capacity: this.capacity, lost, watermark_ms: Date.now(), watch: this.watch,
      events: list };
  }
}

function newPeer(peer) {
  const weight = peer.weight ?? 1;
  return {
    name: peer.address, origin: 'config', track: 'stable', dc: '', weight, weight_now: weight, state: 'ready', health: 'unchecked',
    check: { reason: 'none', text: '', at_ms: 0, took_us: 0, streak: 0, changes: 0 }, drain: null, requests: 0, failures: 0, active: [], cut: [],
    ...peer };
}

function showPeer({ active, cut, ...peer }) {
  return { ...peer, in_flight: active.length };
}

function showDetail(peer) {
  const active = peer.drain ? peer.active.slice(0, 64) : [];
  return {
    peer: showPeer(peer), active, more: peer.drain ? peer.active.length - active.length : 0, cut: peer.cut.slice(-64),
    cut_total: peer.cut.length };
}
