// A fleet of three hosts behind the router, under load, through what a release does to hosts: drained, restarted and
// brought back one after the other, added, removed, killed. A host serves pages and calls, which are two services.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinLedgers, summarize } from '../support/ledger.mjs';
import { startLoad } from '../support/load.mjs';
import { startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { spawnUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';

const SERVICES = ['shop', 'rpc'];

const CHECK = {
  shop: 'pourover_check http uri=/healthz interval=200ms timeout=100ms rise=2 fall=2;',
  rpc: 'pourover_check tcp interval=200ms timeout=100ms rise=2 fall=2;',
};

const http = (hosts) => ({ ports, dir }) => `
  pourover_zone name=main size=8m state=${dir}/state/router.json;
  ${SERVICES.map((name) => `
  upstream ${name} {
    pourover zone=main slow_start=500ms;
    ${hosts.map(({ peer }) => `server ${peer};`).join(' ')}
    ${CHECK[name]}
    keepalive 32;
  }`).join('')}
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    pourover_service shop;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / { proxy_pass http://shop; }
    location /ws {
      proxy_pass http://shop;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
    location /demo.Echo/ { pourover_service rpc; grpc_pass grpc://rpc; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;

class Fleet {
  ledgers = []; // of processes that have ended

  constructor(nginx, hosts) {
    Object.assign(this, { nginx, hosts });
  }

  async call(method, path, body) {
    const answer = await call({ port: this.nginx.ports.api }, method, `v1/services/${path}`, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  async peers(service) {
    return (await this.call('GET', service)).peers;
  }

  /** Orders for a host in both services. */
  async order(host, body) {
    for (const service of SERVICES) await this.call('PATCH', `${service}/peers/${host.peer}`, body);
  }

  async #inFlight(host) {
    let sum = 0;
    for (const service of SERVICES) {
      const { state, in_flight: inFlight } = (await this.call('GET', `${service}/peers/${host.peer}`)).peer;
      assert.equal(state, 'draining');
      sum += inFlight;
    }
    return sum;
  }

  /** Draining in both services, and proved: nothing in flight in two readings, one after the other. */
  async drain(host) {
    await this.order(host, { state: 'draining', by: 'the test' });
    await waitUntil(async () => (await this.#inFlight(host)) === 0 && (await this.#inFlight(host)) === 0, 90_000,
      `nothing in flight at ${host.host}`);
  }

  /** Another process in the place of a drained host's. */
  async restart(host) {
    this.ledgers.push(await host.ledgerText());
    await host.stop();
    const fresh = await spawnUpstream({ version: host.version, host: host.host, port: host.port });
    this.hosts[this.hosts.indexOf(host)] = fresh;
    return fresh;
  }

  async untilHealth(host, health) {
    for (const service of SERVICES) {
      await waitUntil(async () => (await this.peers(service)).find(({ address }) => address === host.peer)?.health === health,
        10_000, `${host.host} is ${health} in ${service}`);
    }
  }

  /** Waits until a host has got requests since now. */
  async untilServed(host) {
    const requests = async () => (await this.peers('shop')).find(({ address }) => address === host.peer).requests;
    const before = await requests();
    await waitUntil(async () => (await requests()) > before + 10, 10_000, `requests at ${host.host}`);
  }

  async texts() {
    return [...this.ledgers, ...(await Promise.all(this.hosts.map((host) => host.ledgerText())))];
  }
}

async function startFleet(t) {
  const names = ['west1', 'west2', 'west3'];
  const hosts = await Promise.all(names.map((host) => spawnUpstream({ version: 'v1', host })));
  const nginx = await startNginx({ ports: ['http', 'h2', 'api'], http: http(hosts) });
  const fleet = new Fleet(nginx, hosts);
  t.after(async () => {
    await nginx.stop();
    await Promise.all(fleet.hosts.map((host) => host.stop()));
    nginx.assertCleanLog();
  });
  for (const host of hosts) await fleet.untilHealth(host, 'up');
  return fleet;
}

function startFleetLoad(t, { nginx }, options) {
  const target = { http: `127.0.0.1:${nginx.ports.http}`, h2: `127.0.0.1:${nginx.ports.h2}` };
  const load = startLoad({ target, visitors: 3000, ...options });
  t.after(() => load.abort());
  return load;
}

function tell(t, { sent, answered, failed, resent, failures }, what) {
  t.diagnostic(`${what}: ${JSON.stringify({ sent, answered, failed, resent, ...(failed ? { failures } : {}) })}`);
}

/** Nothing failed, and both sides' ledgers agree on every request. */
async function assertNothingLost(t, fleet, load, what) {
  const join = joinLedgers(await load.stop(), await fleet.texts());
  tell(t, join, what);
  assert.deepEqual(join.failures, {});
  assert.equal(join.answered, join.sent);
  assert.deepEqual([...join.contradicted, ...join.answeredUnserved, ...join.servedTwice], []);
}

/** How many requests of the load have come to a host. */
async function requestsAt(host) {
  return (await host.ledgerText()).split('\n').filter((line) => line.startsWith('load.')).length;
}

/** Options: `load` for startLoad; `rounds` through the fleet; `seconds` of rest between two events. */
export function fleetUnderLoad({ load: options, rounds, seconds }) {
  const rest = () => sleep(seconds * 1000);

  test('under load each host in turn is drained, restarted and brought back: nothing fails', async (t) => {
    const fleet = await startFleet(t);
    const load = startFleetLoad(t, fleet, options);
    await rest();
    for (let i = 0; i < 3 * rounds; i += 1) {
      const host = fleet.hosts[i % 3];
      await fleet.drain(host);
      const served = await requestsAt(host);
      await rest();
      assert.equal(await requestsAt(host), served, 'requests after the proof');
      const fresh = await fleet.restart(host);
      await fleet.untilHealth(fresh, 'up');
      await fleet.order(fresh, { state: 'ready' });
      await fleet.untilServed(fresh);
    }
    await assertNothingLost(t, fleet, load, `${3 * rounds} hosts drained, restarted, back`);
  });

  test('under load peers are added and removed: nothing fails, added ones serve', async (t) => {
    const fleet = await startFleet(t);
    const load = startFleetLoad(t, fleet, options);
    await rest();
    for (let i = 0; i < 2 * rounds; i += 1) {
      const extra = await spawnUpstream({ version: 'v1', host: `extra${i}` });
      fleet.hosts.push(extra);
      for (const service of SERVICES) await fleet.call('PUT', `${service}/peers/${extra.peer}`, { weight: 1 });
      await fleet.untilServed(extra);
      await rest();
      for (const service of SERVICES) await fleet.call('DELETE', `${service}/peers/${extra.peer}`);
      await rest();
    }
    await assertNothingLost(t, fleet, load, `${2 * rounds} peers added and removed`);
  });

  test('under load a host is killed and comes back: no idempotent request fails', async (t) => {
    const fleet = await startFleet(t);
    const load = startFleetLoad(t, fleet, { ...options, mix: { http1: 0.8, h2: 0.2 }, streams: 0, websockets: 0 });
    await rest();
    for (let i = 0; i < 3 * rounds; i += 1) {
      const host = fleet.hosts[i % 3];
      await host.stop();
      await fleet.untilHealth(host, 'down');
      await rest();
      fleet.hosts[i % 3] = await spawnUpstream({ version: host.version, host: host.host, port: host.port });
      await fleet.untilHealth(fleet.hosts[i % 3], 'up');
      await fleet.untilServed(fleet.hosts[i % 3]);
    }
    const sum = summarize(await load.stop());
    tell(t, sum, `${3 * rounds} hosts killed`);
    assert.deepEqual(sum.failures, {});
    assert.equal(sum.answered, sum.sent);
  });
}
