// 1,000 services of 100 peers each in one zone.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ask } from '../ngx/client.mjs';
import { startRouter } from '../ngx/life.mjs';

const SERVICES = 1000;
const PEERS = 100;
const READINGS = 20;

const service = (i) => {
  const peers = Array.from({ length: PEERS }, (_, k) =>
    `pourover_server 10.${i >> 8}.${i & 255}.${k}:80 track=${k % 10 ? 'stable' : 'canary'};`);
  return `upstream s${i} { pourover zone=main; ${peers.join(' ')} }`;
};

const http = ({ ports, dir }) => `
  pourover_zone name=main size=256m state=${dir}/state/router.json;
  ${Array.from({ length: SERVICES }, (_, i) => service(i)).join('\n')}
  server { listen 127.0.0.1:${ports.http}; location / { pourover_service s0; proxy_pass http://s0; } }
  server {
    listen 127.0.0.1:${ports.api};
    add_header X-Worker $pid;
    location /pourover/ { pourover_api; }
    location /static/ { alias ${dir}/; }
  }`;

/** The median time (ms) of a GET, and the length of its body. */
async function timed(port, path) {
  const times = [];
  let length = 0;
  for (let i = 0; i < READINGS; i += 1) {
    const start = performance.now();
    const answer = await ask(port, path);
    times.push(performance.now() - start);
    assert.equal(answer.status, 200);
    length = answer.body.length;
  }
  return { ms: times.sort((a, b) => a - b)[READINGS / 2], length };
}

test('campaign: 1,000 services of 100 peers are listed, changed, saved and reloaded', async (t) => {
  const ms = async (what, work) => {
    const start = performance.now();
    const result = await work();
    t.diagnostic(`${what}: ${(performance.now() - start).toFixed(0)} ms`);
    return result;
  };
  const router = await ms('start', () => startRouter(t, {}, { http }));
  const { services } = await router.api('services');
  assert.equal(services.length, SERVICES);
  assert.equal(services[SERVICES - 1].tracks.stable.live + services[SERVICES - 1].tracks.canary.live, PEERS);

  const list = await timed(router.ports.api, '/pourover/v1/services');
  writeFileSync(`${router.nginx.dir}/same-size.json`, Buffer.alloc(list.length, 32));
  const file = await timed(router.ports.api, '/static/same-size.json');
  t.diagnostic(`GET v1/services: ${list.length} bytes in ${list.ms.toFixed(1)} ms, a file of that size in `
    + `${file.ms.toFixed(1)} ms: ${(list.ms / file.ms).toFixed(1)} times`);
  const one = await timed(router.ports.api, `/pourover/v1/services/s${SERVICES - 1}`);
  t.diagnostic(`GET v1/services/S: ${one.length} bytes in ${one.ms.toFixed(1)} ms`);

  const split = await ms('PUT of a split, saved', () => router.set(10_000, `s${SERVICES - 1}`));
  await ms('reload', () => router.nginx.reload());
  assert.deepEqual(await router.split(`s${SERVICES - 1}`), split);
  await router.stop();
  await ms('start with the state file', () => router.startAgain(http));
  assert.deepEqual(await router.split(`s${SERVICES - 1}`), split);
});
