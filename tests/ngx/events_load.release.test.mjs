// A canary that fails every request under full load, each of a visitor of its own: a reader that comes once a second loses
// no event, with events= as docs/reference/nginx-directives.md says.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { begin, end, page, pipeline, stats, total } from './events.mjs';

const EVENTS = 60_000;
const CONNECTIONS = 4;
const REQUESTS = 40_000; // on each

const services = ({ dir }) => `
  upstream load {
    pourover zone=main share=50% salt=r1 events=${EVENTS};
    pourover_passive off;
    server unix:${dir}/stable.sock;
    pourover_server unix:${dir}/canary.sock track=canary;
    keepalive 64;
  }
  server { listen unix:${dir}/stable.sock; keepalive_requests 1000000; location / { return 200; } }
  server { listen unix:${dir}/canary.sock; keepalive_requests 1000000; location / { return 500; } }`;

before(() => begin({ services, locations: () => 'location / { pourover_service load; proxy_pass http://load; }' }));
after(end);

test('no event of a canary that fails all its requests at full load is lost', { timeout: 120_000 }, async (t) => {
  const begun = Date.now();
  let done = false;
  const load = Promise.all(Array.from({ length: CONNECTIONS }, (_, c) => pipeline('/', REQUESTS, (n) => `load-${c}-${n}`))).then(() => {
    done = true;
  });
  const units = new Set();
  let next = '0.0';
  let ends = 0;
  while (ends < 2) {
    if (done) ends += 1; // once more for the last of them
    else await sleep(1000);
    for (let more = true; more; ) {
      const answer = await page('load', next, '&limit=10000');
      assert.deepEqual(answer.lost, { stable: 0, canary: 0 });
      for (const { unit, kind, status, assigned, nth } of answer.events) {
        units.add(unit);
        assert.deepEqual([kind, status, assigned, nth], ['app', 500, 'canary', 1]);
      }
      ({ next } = answer);
      more = answer.events.length === 10_000;
    }
  }
  await load;
  const seconds = (Date.now() - begun) / 1000;
  const now = await stats('load');
  const { appended } = await page('load', next);
  assert.equal(total(now), CONNECTIONS * REQUESTS);
  assert.deepEqual(now.tracks.canary.statuses, { 500: now.tracks.canary.requests });
  assert.deepEqual([appended, units.size], [now.tracks.canary.requests, now.tracks.canary.requests]);
  t.diagnostic(`${Math.round(total(now) / seconds)} requests a second, ${Math.round(appended / seconds)} events`);
});
