// Faults that a review of the module found, each by the least that showed it.

import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { MODULE, startNginx } from '../support/nginx.mjs';
import { call } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
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

/** Asks without a pause on a few connections: {tally, stop}; tally counts answers by status, stop() returns it. */
function keepAsking(port, lanes, url = '/') {
  const tally = {};
  let stopped = false;
  const lane = async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopped) {
      const status = await ask(port, url, { agent }).then((answer) => answer.status, (error) => error.code);
      tally[status] = (tally[status] ?? 0) + 1;
    }
    agent.destroy();
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
  const config = (dc) => ({ ports }) => `
    pourover_zone name=main size=16m;
    upstream shop {
      pourover zone=main;
      ${Array.from({ length: 1000 }, (_, i) => `pourover_server 127.0.${1 + (i >> 7)}.${1 + (i & 127)}:${ports.up} dc=${dc};`).join('\n')}
    }
    server { listen ${ports.up}; location / { return 204; } }
    server { listen 127.0.0.1:${ports.http}; location / { proxy_pass http://shop; } }`;
  const nginx = await start(t, { ports: ['http', 'up'], http: config('a') });
  const asking = keepAsking(nginx.ports.http, 16);
  for (const dc of 'bcdefghijk') {
    const before = asking.tally[204] ?? 0;
    nginx.writeConfig({ http: config(dc) });
    await nginx.reload();
    await waitUntil(() => asking.tally[204] > before + 500, 10_000, 'answers after a reload');
  }
  const tally = await asking.stop();
  assert.equal(tally[502], undefined, `answers: ${JSON.stringify(tally)}`);
});

test('the times of a request whose header gave way to an error page count from its own peer', async (t) => {
  const nginx = await start(t, {
    ports: ['http', 'up'],
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      upstream shop { pourover zone=main; server 127.0.0.1:${ports.up}; }
      server { listen 127.0.0.1:${ports.up}; location / { return 200 short; } }
      server {
        listen 127.0.0.1:${ports.http};
        location /pourover/ { pourover_api; }
        location / { proxy_pass http://shop; proxy_force_ranges on; proxy_set_header Range ""; error_page 416 = /other; }
        location /other { proxy_pass http://shop; }
      }`,
  });
  await ask(nginx.ports.http, '/', { headers: { Range: 'bytes=100-200' } });
  const stats = () => call({ port: nginx.ports.http }, 'GET', 'v1/services/shop/stats');
  const times = await waitUntil(async () => {
    const { header_time: found } = (await stats()).body.tracks.stable;
    return found.count === 1 && found;
  }, 5_000, 'the request to be counted');
  assert.ok(times.max_us < 20_000_000, `header_time: ${JSON.stringify(times)}`);
});

test('a body that nginx keeps in a file is a body like any other', async (t) => {
  const nginx = await start(t, {
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      pourover_cut shop zone=main;
      server {
        listen 127.0.0.1:${ports.http};
        location /pourover/ { pourover_api; client_body_buffer_size 1k; }
      }`,
  });
  const put = (revision, blanks) =>
    call({ port: nginx.ports.http }, 'PUT', 'v1/services/shop/split',
      `{"share_ppm":${revision},${' '.repeat(blanks)}"revision":${revision},"if_revision":${revision - 1}}`);
  assert.deepEqual((await put(1, 12_000)).body.split, { share_ppm: 1, salt: 'shop', enabled: true, revision: 1 });
  assert.equal((await put(2, 16_300)).status, 200);
  assert.equal((await put(3, 16_384)).body.error.code, 'too_large');
});

test('a location of a server that passes headers on is told the truth by its own word', async (t) => {
  const upstream = await startUpstream();
  t.after(() => upstream.stop());
  const nginx = await start(t, {
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      upstream shop { pourover zone=main; server ${upstream.peer}; }
      server {
        listen 127.0.0.1:${ports.http};
        pourover_headers pass;
        location /echo/on { pourover_headers on; proxy_pass http://shop; }
        location /echo/off { pourover_headers off; proxy_pass http://shop; }
        location /echo/again { pourover_headers on; proxy_pass http://shop/status/404; proxy_intercept_errors on; error_page 404 = /echo/on; }
        location / { proxy_pass http://shop; }
      }`,
  });
  const sent = { 'X-Pourover-Track': 'forged', X_Pourover_Unit: 'forged', 'X-Pourover-Unit': 'forged' };
  const got = async (url) => {
    const { headers } = (await ask(nginx.ports.http, url, { headers: sent })).json;
    return Object.fromEntries(Object.entries(headers).filter(([name]) => /^x.pourover.(track|unit)$/.test(name)));
  };
  assert.deepEqual(await got('/echo/on'), { 'x-pourover-track': 'stable' });
  assert.deepEqual(await got('/echo/again'), { 'x-pourover-track': 'stable' });
  assert.deepEqual(await got('/echo/off'), {});
  assert.deepEqual(await got('/echo'), { 'x-pourover-track': 'forged', 'x-pourover-unit': 'forged' });
});

test('a reload to another state file saves there at once', async (t) => {
  const config = (state) => ({ ports, dir }) => `
    pourover_zone name=main size=4m state=${dir}/${state}/router.json;
    pourover_cut shop zone=main;
    server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`;
  const nginx = await start(t, { http: config('first') });
  const change = { share_ppm: 7, revision: 1, if_revision: 0 };
  assert.equal((await call({ port: nginx.ports.http }, 'PUT', 'v1/services/shop/split', change)).status, 200);
  nginx.writeConfig({ http: config('second') });
  await nginx.reload();
  const file = path.join(nginx.dir, 'second/router.json');
  await waitUntil(() => existsSync(file), 4_000, 'the new state file, which the living router would write in 10 s anyway');
  assert.match(readFileSync(file, 'utf8'), /"name":"shop","share_ppm":7,/);
});

test('a link in the place of the lock does not give a file of root to the worker user', async (t) => {
  if (process.getuid() !== 0) return t.skip('only root gives files away');
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  chmodSync(dir, 0o755);
  mkdirSync(path.join(dir, 'state'));
  chownSync(path.join(dir, 'state'), 65534, 65534);
  const precious = path.join(dir, 'precious');
  writeFileSync(precious, 'of root', { mode: 0o600 });
  symlinkSync(precious, path.join(dir, 'state/router.json.lock'));
  const nginx = await startNginx({
    dir,
    config: ({ ports }) => `
      user nobody nogroup;
      load_module ${MODULE};
      worker_processes 1;
      pid ${dir}/nginx.pid;
      error_log ${dir}/error.log info;
      events {}
      http {
        access_log off;
        pourover_zone name=main size=4m state=${dir}/state/router.json;
        pourover_cut shop zone=main;
        server { listen 127.0.0.1:${ports.http}; return 204; }
      }`,
  });
  t.after(async () => {
    await nginx.stop();
    nginx.remove();
  });
  assert.equal(statSync(precious).uid, 0);
  assert.equal(readFileSync(precious, 'utf8'), 'of root');
  assert.match(nginx.errorLog(), /\[alert\].*cannot make ".*router\.json\.lock"/);
  return undefined;
});

test('variables in a subrequest speak of the service that its location names', async (t) => {
  const nginx = await start(t, {
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      pourover_cut first zone=main share=0;
      pourover_cut second zone=main share=100%;
      pourover_visitor id=cookie:pourover_id;
      server {
        listen 127.0.0.1:${ports.http};
        pourover_service off;
        ssi on;
        ssi_types *;
        location / {
          pourover_service first;
          return 200 '$pourover_track, <!--# include virtual="/named/" -->, <!--# include virtual="/unnamed/" -->';
        }
        location /named/ { pourover_service second; proxy_pass http://127.0.0.1:${ports.http}/track/$pourover_track; }
        location /unnamed/ { proxy_pass http://127.0.0.1:${ports.http}/track/$pourover_track; }
        location /track/ { return 200 $request_uri; }
      }`,
  });
  assert.equal((await ask(nginx.ports.http, '/')).body, 'stable, /track/canary, /track/stable');
});

test('a reload hides no service from the API, not for a moment', async (t) => {
  const nginx = await start(t, {
    http: ({ ports }) => `
      pourover_zone name=main size=128m;
      ${Array.from({ length: 1500 }, (_, i) => `pourover_cut s${i} zone=main;`).join('\n')}
      server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`,
  });
  const asking = keepAsking(nginx.ports.http, 6, '/pourover/v1/services/s1499');
  for (let i = 0; i < 4; i += 1) {
    const before = asking.tally[200] ?? 0;
    await nginx.reload();
    await waitUntil(() => asking.tally[200] > before + 50, 10_000, 'answers after a reload');
  }
  const tally = await asking.stop();
  assert.equal(tally[404], undefined, `answers: ${JSON.stringify(tally)}`);
});

test('a request whose first peer said 429 holds the watermark no longer than it has something to tell', async (t) => {
  const answers = [
    (answer) => answer.writeHead(429).end(),
    (answer) => answer.writeHead(200, { 'content-length': 2 }).write('x'), // and no more
  ];
  const peers = [];
  for (let n = 0; n < 2; n += 1) {
    const server = http.createServer((_, answer) => answers.shift()(answer)).listen(0, '127.0.0.1');
    t.after(() => server.close(() => {}).closeAllConnections());
    await new Promise((resolve) => server.once('listening', resolve));
    peers.push(`server 127.0.0.1:${server.address().port};`);
  }
  const nginx = await start(t, {
    ports: ['http', 'api'],
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      upstream shop { pourover zone=main; ${peers.join(' ')} }
      server { listen 127.0.0.1:${ports.http}; proxy_next_upstream http_429; location / { proxy_pass http://shop; } }
      server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`,
  });
  const request = http.get({ port: nginx.ports.http, host: '127.0.0.1', path: '/' }).on('error', () => {});
  t.after(() => request.destroy());
  const { statusCode } = await new Promise((resolve) => request.on('response', resolve));
  assert.equal(statusCode, 200);
  const begun = Date.now();
  await waitUntil(async () => {
    const { body } = await call({ port: nginx.ports.api }, 'GET', 'v1/services/shop/events?after=0');
    return body.watermark_ms > begun + 500;
  }, 10_000, 'a watermark behind the start of the request');
});
