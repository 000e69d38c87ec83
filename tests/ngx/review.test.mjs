// Faults that a review of the module found, each by the least that showed it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask } from './client.mjs';

/** An nginx for one test, with a clean log at its end. */
async function start(t, options) {
  const nginx = await startNginx(options);
  t.after(async () => {
    await nginx.stop();
    nginx.assertCleanLog();
    nginx.remove();
  });
  return nginx;
}

/** Asks one after the other on fresh connections until stopped; returns a function that stops and returns {status: n}. */
function keepAsking(port, lanes) {
  const tally = {};
  let stopped = false;
  const lane = async () => {
    while (!stopped) {
      const status = await ask(port, '/').then((answer) => answer.status, (error) => error.code);
      tally[status] = (tally[status] ?? 0) + 1;
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return {
    tally,
    stop: async () => {
      stopped = true;
      await all;
      return tally;
    },
  };
}

test('a reload that replaces every peer leaves no moment without one', async (t) => {
  const http = (dc) => ({ ports }) => `
    pourover_zone name=main size=16m;
    upstream shop {
      pourover zone=main;
      ${Array.from({ length: 1000 }, (_, i) => `pourover_server 127.0.${1 + (i >> 7)}.${1 + (i & 127)}:${ports.up} dc=${dc};`).join('\n')}
    }
    server { listen ${ports.up}; location / { return 204; } }
    server { listen 127.0.0.1:${ports.http}; location / { proxy_pass http://shop; } }`;
  const nginx = await start(t, { ports: ['http', 'up'], http: http('a') });
  const asking = keepAsking(nginx.ports.http, 8);
  for (const dc of ['b', 'c', 'd', 'e', 'f', 'g']) {
    const before = asking.tally[204] ?? 0;
    nginx.writeConfig({ http: http(dc) });
    await nginx.reload();
    await waitUntil(() => asking.tally[204] > before + 50, 10_000, 'answers after a reload');
  }
  const tally = await asking.stop();
  assert.equal(tally[502], undefined, `answers: ${JSON.stringify(tally)}`);
});
