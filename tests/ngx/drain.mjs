// A router whose peers are drained: its configuration, its calls, and drains one after the other under load.

import assert from 'node:assert/strict';
import http from 'node:http';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask } from './client.mjs';

const config = (peers, start, more) => ({ ports, dir }) => `
  pourover_zone name=main size=4m state=${dir}/state/router.json;
  upstream shop { pourover zone=main share=0 ${start}; ${peers} ${more} keepalive 16; }
  upstream mute { pourover zone=main share=0; server 127.0.0.1:${ports.mute}; }
  upstream rpc { pourover zone=main share=0; ${peers} keepalive 16; }
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=$http_x_id;
    pourover_service shop;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_max_temp_file_size 0;
    location / { proxy_pass http://shop; }
    location /limited/ { limit_rate 2k; proxy_pass http://shop/; }
    location /slowly/ { proxy_limit_rate 500; proxy_pass http://shop/; }
    location /unbuffered/ { proxy_buffering off; proxy_pass http://shop/; }
    location /upload/ { proxy_request_buffering off; proxy_pass http://shop/; }
    location /mute/ { pourover_service mute; proxy_pass http://mute/; }
    location /mute-tls/ { pourover_service mute; proxy_pass https://mute/; }
    location /ws {
      proxy_pass http://shop;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
    location /demo.Echo/ { pourover_service rpc; grpc_pass grpc://rpc; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

export class Drained {
  /**
   * A router with these peers, in this process. `start`: parameters of the service shop, `more`: its lines; `later`:
   * peers that addLater() puts into the configuration.
   */
  static async start(t, { names = ['a', 'b', 'c'], start = '', more = '', later = [] } = {}) {
    const drained = new Drained();
    drained.upstreams = {};
    for (const name of names) drained.upstreams[name] = await startUpstream({ version: name, host: name });
    const http = (all) => config(all.map((name) => `server ${drained.upstreams[name].peer};`).join(' '), start, more);
    const first = names.filter((name) => !later.includes(name));
    drained.nginx = await startNginx({ ports: ['http', 'h2', 'api', 'mute'], http: http(first) });
    drained.addLater = () => {
      drained.nginx.writeConfig({ http: http(names) });
      return drained.nginx.reload();
    };
    t.after(async () => {
      await drained.nginx.stop();
      await Promise.all(Object.values(drained.upstreams).map((upstream) => upstream.stop()));
      drained.nginx.assertCleanLog();
    });
    return drained;
  }

  get ports() {
    return this.nginx.ports;
  }

  /** mute: the peer of the service mute, whoever listens there. */
  address(name) {
    return name === 'mute' ? `127.0.0.1:${this.ports.mute}` : this.upstreams[name].peer;
  }

  /** What the API says of a peer: its object with active, more, cut and cut_total beside `peer`. */
  look(name, service = 'shop') {
    return api(this.ports.api, `v1/services/${service}/peers/${this.address(name)}`);
  }

  async peer(name, service = 'shop') {
    return (await this.look(name, service)).peer;
  }

  async stats(service = 'shop') {
    return (await api(this.ports.api, `v1/services/${service}/stats`)).tracks.stable;
  }

  async order(name, order, service = 'shop') {
    const body = JSON.stringify(order);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const url = `/pourover/v1/services/${service}/peers/${this.address(name)}`;
    const answer = await ask(this.ports.api, url, { method: 'PATCH', headers, body });
    assert.equal(answer.status, 200, answer.body);
    return answer.json.peer;
  }

  drain(name, limits = {}, service = 'shop') {
    return this.order(name, { state: 'draining', by: 'the test', ...limits }, service);
  }

  ready(name, service = 'shop') {
    return this.order(name, { state: 'ready' }, service);
  }

  inFlight(name, count, service = 'shop') {
    return waitUntil(async () => (await this.peer(name, service)).in_flight === count, 10_000, `${count} in flight at ${name}`);
  }

  /** Lets only this peer of the service take requests while `act` begins some. */
  async only(name, act, service = 'shop') {
    const others = Object.keys(this.upstreams).filter((each) => each !== name);
    for (const other of others) await this.order(other, { state: 'down' }, service);
    const result = await act();
    for (const other of others) await this.ready(other, service);
    return result;
  }

  get(url, options) {
    return ask(this.ports.http, url, options);
  }
}

/** Requests that nginx does not try again, one after the other on each of `clients` connections, until stop(). */
function startPosts(port, clients) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients });
  const state = { stopped: false, answered: 0, failures: [] };
  const post = () => ask(port, '/slow/2', { method: 'POST', agent, body: 'text', headers: { 'content-length': 4 } });
  const run = async () => {
    while (!state.stopped) {
      const outcome = await post().then(({ status }) => status, (error) => error.message);
      if (outcome === 200) state.answered += 1;
      else state.failures.push(outcome);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, run));
  return async () => {
    state.stopped = true;
    await all;
    agent.destroy();
    return state;
  };
}

/**
 * `count` drains of one peer after the other under load. What is proved drained answers nothing more until it is ready
 * again: every request that were there, or came, would be seen to fail.
 */
export async function drains(t, count) {
  const router = await Drained.start(t, { more: 'pourover_passive off;' });
  const names = Object.keys(router.upstreams);
  const stop = startPosts(router.ports.http, 12);
  const readings = { of: 0, busy: 0 };
  for (let i = 0; i < count; i += 1) {
    const name = names[i % names.length];
    await router.drain(name);
    for (let empty = 0; empty < 2; readings.of += 1) {
      const { state, in_flight: inFlight } = await router.peer(name);
      assert.equal(state, 'draining');
      readings.busy += inFlight > 0;
      empty = inFlight === 0 ? empty + 1 : 0;
    }
    const { entries } = router.upstreams[name].ledger;
    const before = entries.length;
    router.upstreams[name].setMode({ reset: true });
    await router.peer(name);
    assert.equal(entries.length, before, `a request came to ${name} after drain ${i} of it was proved`);
    router.upstreams[name].setMode({});
    await router.ready(name);
  }
  const { answered, failures } = await stop();
  t.diagnostic(`${count} drains, ${answered} requests answered, ${readings.busy} of ${readings.of} readings saw some in flight`);
  assert.deepEqual(failures, []);
  assert.ok(answered > count);
  const stats = await router.stats();
  assert.deepEqual([stats.first_failed, stats.retries, stats.cut], [0, 0, 0]);
  for (const name of names) assert.equal((await router.peer(name)).failures, 0);
}
