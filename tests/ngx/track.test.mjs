// One request, one track: over the redirects, subrequests and retries that nginx makes of it, and from the first visit
// to the next; and the form in which the configuration switches hosts by $pourover_track.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, ask2, atRest, call2, connect2, withId } from './client.mjs';

let nginx;
let versions;

const config = ({ ports, dir }) => `
  pourover_zone name=main size=2m;
  log_format track '$request_uri $pourover_track $pourover_reason';
  upstream app {
    pourover zone=main share=50% salt=r1;
    server ${versions.stable.peer};
    pourover_server ${versions.canary.peer} track=canary;
  }
  upstream other {
    pourover zone=main share=0 salt=r1;
    server ${versions.stable.peer};
    pourover_server ${versions.canary.peer} track=canary;
  }
  pourover_cut plain zone=main share=50% salt=r1;
  upstream plain-stable { server ${versions.stable.peer}; }
  upstream plain-canary { server ${versions.canary.peer}; }
  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    pourover_service app;
    add_header X-Track $pourover_track always;
    add_header X-Peer $pourover_peer always;
    location / { proxy_pass http://app; }
    location = /moved { return 301 /; }
    location /guarded/ { auth_basic there; auth_basic_user_file ${dir}/nobody; proxy_pass http://app; }
    location /checked/ { auth_request /check; proxy_pass http://app; }
    location /refused/ { auth_request /check401; error_page 401 = @login; proxy_pass http://app; }
    location = /check { internal; proxy_pass http://app/status/204; }
    location = /check401 { internal; proxy_pass http://app/status/401; }
    location @login { proxy_pass http://app; }
    location /accel/ { proxy_pass http://app/reply?header=X-Accel-Redirect:/inner/; }
    location /inner/ { internal; proxy_pass http://app; }
    location /tried/ { root ${dir}; try_files /none /inner/; }
    location /paged/ { proxy_intercept_errors on; error_page 500 = /inner/; proxy_pass http://app/status/500; }
    location /mirrored/ { mirror /copy; proxy_pass http://app; }
    location = /copy { internal; proxy_pass http://app; }
    location /changed/ { error_page 404 = /over; return 404; }
    location = /over { pourover_service other; proxy_pass http://other; }
    location /plain/ {
      pourover_service plain;
      access_log ${dir}/track.log track;
      proxy_pass http://plain-$pourover_track;
    }
    location /demo.Echo/ { pourover_service plain; grpc_pass grpc://plain-$pourover_track; }
    location /rewritten/ { if ($pourover_track = canary) { rewrite ^ /plain/new last; } proxy_pass http://app; }
    location /named-by-variable/ { set $to app; proxy_pass http://$to; }
    location /included { ssi on; ssi_types *; proxy_pass http://app/reply?body=$arg_body; }
    location = /untouched { pourover_service plain; add_header X-None ''; access_log ${dir}/track.log track; return 204; }
  }
  server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } location = /connections { stub_status; } }`;

before(async () => {
  versions = {
    stable: await startUpstream({ version: 'stable' }),
    canary: await startUpstream({ version: 'canary' }),
  };
  nginx = await startNginx({
    ports: ['http', 'h2', 'api'],
    http: (place) => {
      writeFileSync(path.join(place.dir, 'nobody'), '');
      return config(place);
    },
  });
});

after(async () => {
  await nginx?.stop();
  await Promise.all(Object.values(versions).map((version) => version.stop()));
  nginx.assertCleanLog();
});

const get = (url, options) => ask(nginx.ports.http, url, options);
let numbers = 0;

/**
 * Asks with a number of its own for what reaches upstreams in so many parts. Returns the answer and who served how:
 * 'stable canary' is a part that was told the track canary and answered by the version stable.
 */
async function followed(url, headers = {}, parts = 1) {
  numbers += 1;
  const number = `track.${numbers}`;
  const answer = await get(url, { headers: { 'x-request-number': number, ...headers } });
  const served = () =>
    Object.values(versions).flatMap(({ version, ledger }) =>
      ledger.entries.filter((entry) => entry.number === number).map((entry) => `${version} ${entry.track}`));
  await waitUntil(() => served().length >= parts, 5000, `${parts} parts of ${url}`);
  return { answer, served: served() };
}

/** An id on either side of the share. */
async function sides() {
  const ids = {};
  while (!ids.stable || !ids.canary) {
    const answer = await get('/');
    ids[answer.header('x-track')] = answer.issued;
  }
  return ids;
}

/** Requests counted so far, by service and track; counting ends a moment after the answer, so it is awaited. */
async function counted(service) {
  await atRest(nginx.ports.api);
  const { tracks } = await api(nginx.ports.api, `v1/services/${service}/stats`);
  return { stable: tracks.stable.requests, canary: tracks.canary.requests };
}

async function assertCounts(service, before, more) {
  const wanted = { stable: before.stable + (more.stable ?? 0), canary: before.canary + (more.canary ?? 0) };
  assert.deepEqual(await counted(service), wanted);
}

describe('the first request of a visitor and the second agree when the first was', () => {
  const kinds = {
    'a GET': ['/'],
    'a POST': ['/', { method: 'POST', body: 'text', headers: { 'content-length': 4 } }],
    'a HEAD': ['/', { method: 'HEAD' }],
    'an OPTIONS of a CORS preflight': ['/', { method: 'OPTIONS', headers: { origin: 'http://a', 'access-control-request-method': 'PUT' } }],
    'answered with 301': ['/moved'],
    'answered with 304': ['/status/304'],
    'answered with 401 by nginx': ['/guarded/'],
    'answered with 401 by the application': ['/status/401'],
    'answered with 500': ['/status/500'],
    'checked by auth_request': ['/checked/'],
    'sent to the login page': ['/refused/'],
    'redirected inside': ['/accel/'],
    'in the host-switching form': ['/plain/'],
  };
  for (const [kind, [url, options]] of Object.entries(kinds)) {
    test(`${kind}`, async () => {
      const tracks = new Set();
      for (let n = 0; n < 12 || tracks.size < 2; n += 1) {
        const first = await get(url, options);
        const second = await get('/', { headers: withId(first.issued) });
        assert.equal(second.header('x-track'), first.header('x-track'));
        assert.equal(second.header('x-version'), second.header('x-track'));
        if (first.header('x-version')) assert.equal(first.header('x-version'), first.header('x-track'));
        tracks.add(first.header('x-track'));
      }
    });
  }

  test('a gRPC call', async () => {
    for (let n = 0; n < 12; n += 1) {
      const session = connect2(nginx.ports.h2);
      const call = await call2(session, 'Say');
      session.close();
      assert.equal((await get('/', { headers: withId(call.issued) })).header('x-version'), call.header('x-version'));
    }
  });
});

describe('all parts of a request are on one track:', () => {
  const parts = {
    'auth_request and what it guards': ['/checked/', 2],
    'auth_request and the page that takes its refusal': ['/refused/', 2],
    'X-Accel-Redirect and its target': ['/accel/', 2],
    'the target of try_files': ['/tried/', 1],
    'the page of an error and the error': ['/paged/', 2],
    'a mirrored request': ['/mirrored/', 2],
  };
  for (const [name, [url, count]] of Object.entries(parts)) {
    test(`${name}, told the same track, and counted once`, async () => {
      for (const [track, id] of Object.entries(await sides())) {
        const before = await counted('app');
        const { answer, served } = await followed(url, withId(id), count);
        assert.equal(answer.status, 200);
        assert.equal(answer.header('x-track'), track);
        assert.deepEqual(served, new Array(count).fill(`${track} ${track}`));
        await assertCounts('app', before, { [track]: 1 });
      }
    });
    test(`${name}, for a visitor without a cookie`, async () => {
      for (let n = 0; n < 6; n += 1) {
        const { answer, served } = await followed(url, {}, count);
        assert.deepEqual(served, new Array(count).fill(`${answer.header('x-track')} ${answer.header('x-track')}`));
        assert.ok(answer.issued);
      }
    });
  }

  test('a redirect into a location of another service is cut for that service', async () => {
    const { canary } = await sides();
    const before = { app: await counted('app'), other: await counted('other') };
    const { answer, served } = await followed('/changed/', withId(canary));
    assert.deepEqual([answer.header('x-track'), served], ['stable', ['stable stable']]);
    await assertCounts('other', before.other, { stable: 1 });
    await assertCounts('app', before.app, {});
  });
});

test('the included parts of a page are on its track', async () => {
  const body = encodeURIComponent('<!--#include virtual="/inner/" --> <!--#include virtual="/inner/" wait="yes" -->');
  for (const [track, id] of Object.entries(await sides())) {
    const before = await counted('app');
    const { answer, served } = await followed(`/included?body=${body}`, withId(id), 3);
    assert.deepEqual(served, new Array(3).fill(`${track} ${track}`));
    assert.equal(answer.body.match(new RegExp(`app ${track}`, 'g')).length, 2);
    await assertCounts('app', before, { [track]: 1 });
  }
});

test('a pass directive may name the service by a variable', async () => {
  for (const [track, id] of Object.entries(await sides())) {
    const { answer } = await followed('/named-by-variable/', withId(id));
    assert.equal(answer.header('x-version'), track);
  }
});

describe('$pourover_track switches hosts', () => {
  test('in the rewrite phase as well, before the location is final', async () => {
    for (const [track, id] of Object.entries(await sides())) {
      const { served, answer } = await followed('/rewritten/', withId(id));
      assert.deepEqual(served, [`${track} ${track}`]);
      assert.equal(answer.header('x-track'), track);
    }
  });


  test('so that each visitor gets the version that the header tells, of a service without peers of its own', async () => {
    const before = await counted('plain');
    const ids = await sides();
    for (const [track, id] of Object.entries(ids)) {
      const { answer, served } = await followed('/plain/', withId(id));
      assert.deepEqual(served, [`${track} ${track}`]);
      assert.equal(answer.header('x-version'), track);
    }
    const session = connect2(nginx.ports.h2);
    const call = await call2(session, 'Say', withId(ids.canary));
    session.close();
    assert.equal(call.header('x-version'), 'canary');
    await assertCounts('plain', before, { stable: 1, canary: 2 });
    const { kind } = await api(nginx.ports.api, 'v1/services/plain');
    assert.equal(kind, 'cut');
  });

  test('and an access log that only writes it down hands nothing over', async () => {
    const before = await counted('plain');
    const { stable } = await sides();
    const written = () => readFileSync(path.join(nginx.dir, 'track.log'), 'utf8').split('\n').filter((line) => line.startsWith('/untouched'));
    for (let n = 0; n < 3; n += 1) assert.equal((await get('/untouched', { headers: withId(stable) })).status, 204);
    await waitUntil(() => written().length === 3, 5000, 'three lines of the access log');
    assert.deepEqual(written(), new Array(3).fill('/untouched stable split'));
    await assertCounts('plain', before, {});
  });
});

test('HTTP/2 streams of one visitor at once are all on one track', async () => {
  const session = connect2(nginx.ports.h2);
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask2(session, '/')));
  session.close();
  assert.equal(new Set(answers.map((answer) => answer.header('x-version'))).size, 1);
});
