// Events against the ledger of bad outcomes, to the last one, whatever NGINX does about an answer.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { seeded } from '../support/visitors.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, ask2, call2, connect2 } from './client.mjs';
import {
  attemptsIn, begin, during, end, eventsOf, forEach, get, giveUp, kindsOf, nginx, page, peers, service, SHARE, stats, totalAtRest, trackOf,
  unit, user, versions,
} from './events.mjs';

const services = ({ ports, dir }) => `
  ${service('app', `${peers()} keepalive 16;`)}
  ${service('grpc', `${peers()} keepalive 16;`)}
  ${service('gone', `server 127.0.0.1:${ports.dead}; pourover_server 127.0.0.1:${ports.dead} track=canary;`)}
  ${service('empty', `server 127.0.0.1:${ports.dead} down; pourover_server 127.0.0.1:${ports.dead} track=canary;`)}
  ${service('half', `${peers()} server 127.0.0.1:${ports.dead}; pourover_server 127.0.0.1:${ports.dead} track=canary;`)}
  ${service('mixed', `server ${versions.stable.peer}; server ${versions.broken.peer};`)}
  ${['cached', 'mirrored', 'copy', 'guard', 'guarded', 'parts', 'named', 'forced'].map((name) => service(name)).join('')}
  pourover_cut host zone=main share=30% salt=r1;
  upstream host_stable { server ${versions.stable.peer}; }
  upstream host_canary { server ${versions.canary.peer}; }
  upstream host_half { server 127.0.0.1:${ports.dead} max_fails=0; server ${versions.stable.peer} max_fails=0; }
  upstream host_dead { server 127.0.0.1:${ports.dead}; }
  proxy_cache_path ${dir}/cache keys_zone=cache:1m;`;

const host = (more) => `pourover_service host; ${more}; proxy_pass http://host_$pourover_track$1;`;

const locations = ({ dir }) => `
  pourover_service app;
  location / { proxy_pass http://app; }
  location /raw/ { proxy_buffering off; proxy_pass http://app/; }
  location /late/ { proxy_read_timeout 100ms; proxy_pass http://app/; }
  location /page/ { proxy_intercept_errors on; error_page 500 503 =200 /fine; proxy_pass http://app/; }
  location /moved/ { proxy_intercept_errors on; error_page 500 /fine; proxy_pass http://app/; }
  location = /fine { internal; return 200 fine; }
  location /demo.Echo/ { pourover_service grpc; grpc_pass grpc://grpc; }
  location /forced/ { pourover_service forced; pourover_force header:X-Release; proxy_pass http://forced/; }
  location /gone/ { pourover_service gone; error_page 502 =200 /fine; proxy_pass http://gone/; }
  location /empty/ { pourover_service empty; proxy_pass http://empty/; }
  location /half/ { pourover_service half; access_log ${dir}/half.log attempts; proxy_pass http://half/; }
  location /mixed/ { pourover_service mixed; access_log ${dir}/mixed.log attempts; proxy_next_upstream http_503; proxy_pass http://mixed/; }

  location ~ ^/host(/.*) { ${host('proxy_buffering on')} }
  location ~ ^/host_raw(/.*) { ${host('proxy_buffering off')} }
  location ~ ^/host_late(/.*) { ${host('proxy_read_timeout 100ms')} }
  location ~ ^/named(/.*) { pourover_service named; proxy_pass http://host_$pourover_track$1; }
  location ~ ^/rpc(/.*) { pourover_service named; rewrite ^/rpc(/.*) $1 break; grpc_pass grpc://host_$pourover_track; }
  location /host_half/ { pourover_service host; set $read $pourover_track; access_log ${dir}/host.log attempts; proxy_pass http://host_half/; }
  location /host_dead/ { pourover_service host; set $read $pourover_track; proxy_pass http://host_dead/; }

  location /cached/ {
    pourover_service cached;
    proxy_cache cache;
    proxy_cache_valid 200 1s;
    proxy_cache_use_stale error timeout http_500 updating;
    proxy_cache_background_update on;
    proxy_pass http://cached/;
  }
  location /stale/ {
    pourover_service cached;
    proxy_cache cache;
    proxy_cache_valid 200 1s;
    proxy_cache_use_stale error timeout http_500;
    proxy_pass http://cached/;
  }
  location /mirrored/ { pourover_service mirrored; mirror /same; mirror /copy; proxy_pass http://mirrored/; }
  location = /same { internal; proxy_pass http://mirrored/status/500; }
  location = /copy { internal; proxy_pass http://copy/status/500; }
  location /guarded/ { pourover_service guarded; auth_request /guard; proxy_pass http://guarded/; }
  location = /guard { internal; rewrite ^ /status/$http_x_guard break; proxy_pass http://guard; }
  location /parts/ { pourover_service parts; ssi on; ssi_types text/plain; proxy_pass http://parts/; }
  location /part/ { pourover_service parts; proxy_pass http://parts/; }`;

before(() => begin({ services, locations }));
after(end);

const brief = ({ unit, kind, status, grpc, final_status: final, assigned, served, reason, nth, revision, share_ppm: share }) =>
  [unit, kind, status, grpc, final, assigned, served, reason, nth, revision, share].join(' ');

describe('each bad outcome is an event, and nothing else is', () => {
  // what is asked for: [url, kind, HTTP status of the first attempt, what the visitor gets]
  const HTTP = [
    ['/', null],
    ['/status/404', null],
    ['/status/301', null],
    ['/bytes/70000', null],
    ['/raw/bytes/70000', null],
    ['/status/500', 'app', 500, 500],
    ['/status/503', 'app', 503, 503],
    ['/raw/status/599', 'app', 599, 599],
    ['/page/status/500', 'app', 500, 200],
    ['/moved/status/500', 'app', 500, 500],
    ['/close', 'reset', 0, 502],
    ['/reset', 'reset', 0, 502],
    ['/late/hang', 'timeout', 0, 504],
    ['/cut', 'truncated', 200, 200],
    ['/raw/cut', 'truncated', 200, 200],
    ['/hang', 'client-gone', 0, 499],
  ];

  test('of HTTP', async () => {
    const draw = seeded(7);
    const own = [];
    const starts = new Map();
    const [{ split }, COUNT] = [await api(nginx.ports.api, 'v1/services/app'), 1200];
    await forEach(COUNT, async (n) => {
      const [url, kind, status, final] = HTTP[Math.floor(draw() * HTTP.length)];
      const id = `http-${n}`;
      const of = unit(id);
      const sent = Date.now();
      if (url === '/hang') await giveUp(url, id);
      else await get(url, id).catch(() => {});
      starts.set(of, { sent, ended: Date.now(), url });
      const [assigned, place] = [trackOf(id), `split 1 ${split.revision} ${SHARE}`];
      if (kind) own.push(`${of} ${kind} ${status} -1 ${final} ${assigned} ${assigned} ${place}`);
    });
    const { events } = await eventsOf('app', COUNT);
    assert.deepEqual(events.map(brief).sort(), own.sort());
    assert.deepEqual(events.map(({ seq }) => seq), events.map((_, i) => i + 1));

    const counted = {};
    for (const { kind } of events) counted[kind] = (counted[kind] ?? 0) + 1;
    assert.deepEqual(await kindsOf('app'), counted);
    assert.equal(Object.keys(counted).length, 5);

    const { peers: known } = await api(nginx.ports.api, 'v1/services/app');
    for (const event of events) {
      const { sent, ended, url } = starts.get(event.unit);
      assert.ok(event.start_ms >= sent - 1 && event.start_ms <= ended + 1, `${event.start_ms} not in ${sent}..${ended}`);
      if (url !== '/hang') assert.ok(event.took_us <= (ended - sent + 2) * 1000);
      if (event.kind === 'timeout') assert.ok(event.took_us >= 80_000, String(event.took_us));
      assert.equal(known.find(({ address }) => address === event.peer)?.track, event.assigned);
      assert.equal(event.route, /^\/(raw|late|page|moved)\//.exec(url)?.[0] ?? '/');
    }
  });

  // method, the status that is wished for, kind, status of the event
  const GRPC = [
    ['Say', 0, null],
    ['Fail', 5, null],
    ['FailLate', 7, null],
    ...[2, 4, 12, 13, 14, 15].flatMap((code) => [['Fail', code, 'grpc', code], ['FailLate', code, 'grpc', code]]),
    ['Fail', 99, 'grpc', 2],
    ['None', 0, 'grpc', 12],
    ['Cut', 0, 'truncated', -1],
  ];

  test('of gRPC, whose status comes in trailers or with headers alone', async () => {
    const session = connect2(nginx.ports.h2);
    const own = [];
    const COUNT = 3 * GRPC.length;
    await forEach(COUNT, async (n) => {
      const [method, wish, kind, code] = GRPC[n % GRPC.length];
      const id = `grpc-${n}`;
      await call2(session, method, { ...user(id), 'x-grpc-status': String(wish) }).catch(() => {});
      const track = trackOf(id);
      if (kind) own.push(`${unit(id)} ${kind} 200 ${code} 200 ${track} ${track} split 1 0 ${SHARE}`);
    });
    session.close();
    const { events } = await eventsOf('grpc', COUNT);
    assert.deepEqual(events.map(brief).sort(), own.sort());
  });

  test('of gRPC-Web, which has its status in the body, by the status of HTTP', async () => {
    const before = (await page('app')).appended;
    const headers = { ...user('web'), 'content-type': 'application/grpc-web+proto' };
    assert.equal((await ask(nginx.ports.http, '/', { method: 'POST', headers, body: 'x' })).status, 200);
    await ask(nginx.ports.http, '/status/500', { method: 'POST', headers, body: 'x' });
    await waitUntil(async () => (await page('app')).appended > before, 5000, 'the event');
    assert.equal((await page('app', String(before))).events.length, 1);
  });

  test('of a service that nobody can connect to, whatever page the visitor sees', async () => {
    const own = [];
    for (let n = 0; n < 20; n += 1) {
      const id = `gone-${n}`;
      assert.equal((await get('/gone/', id)).status, 200);
      own.push(`${unit(id)} connect 0 -1 200 ${trackOf(id)} ${trackOf(id)} split 1 0 ${SHARE}`);
    }
    const { events } = await eventsOf('gone', 20);
    assert.deepEqual(events.map(brief).sort(), own.sort());
    assert.ok(events.every(({ peer }) => peer === `127.0.0.1:${nginx.ports.dead}`));
  });

  test('of a track without a peer, under the track that was chosen', async () => {
    const own = [];
    for (let n = 0; n < 20; n += 1) {
      const id = `empty-${n}`;
      assert.equal((await get('/empty/', id)).status, 502);
      own.push(`${unit(id)} connect 0 -1 502 ${trackOf(id)} ${trackOf(id)} split 1 0 ${SHARE}`);
    }
    const { events } = await eventsOf('empty', 20);
    assert.deepEqual(events.map(brief).sort(), own.sort());
    assert.ok(events.every(({ peer, assigned }) => (peer === '') === (assigned === 'stable')));
  });

  test('with the reason of the track; who was forced there is no visitor that the share assigned, requests of verify are none', async () => {
    const { header, token } = await api(nginx.ports.api, 'v1/verify');
    const fails = (id, headers = {}) => ask(nginx.ports.http, '/forced/status/500', { headers: { ...user(id), ...headers } });
    const other = (id) => (trackOf(id) === 'canary' ? 'stable' : 'canary');
    const ids = Array.from({ length: 10 }, (_, n) => `forced-${n}`);
    const events = await during('forced', 2 * ids.length, async () => {
      for (const id of ids) {
        await fails(id);
        await fails(`${id}-there`, { 'x-release': other(`${id}-there`) });
        assert.equal((await fails(`${id}-verify`, { [header]: token })).status, 500);
      }
    });
    assert.deepEqual(
      events.map(({ unit: of, kind, assigned, served, reason }) => `${of} ${kind} ${assigned} ${served} ${reason}`).sort(),
      ids.flatMap((id) => {
        const there = other(`${id}-there`);
        return [`${unit(id)} app ${trackOf(id)} ${trackOf(id)} split`, `${unit(`${id}-there`)} app ${there} ${there} forced`];
      }).sort(),
    );
    const { units: [{ stable, canary }] } = await stats('forced');
    const canaries = ids.filter((id) => trackOf(id) === 'canary').length;
    assert.deepEqual({ stable, canary }, { stable: ids.length - canaries, canary: canaries });
  });

  test('of first attempts, when the request succeeds elsewhere', async () => {
    const COUNT = 150;
    await forEach(COUNT, async (n) => assert.equal((await get('/half/', `half-${n}`)).status, 200));
    await forEach(COUNT, async (n) => assert.equal((await get('/mixed/', `mixed-${n}`)).status, 200));
    const half = await eventsOf('half', COUNT);
    const refused = (await attemptsIn('half.log', COUNT)).filter(({ first }) => first === `127.0.0.1:${nginx.ports.dead}`);
    assert.ok(refused.length > 20);
    assert.deepEqual(
      half.events.map(brief).sort(),
      refused.map(({ id }) => `${unit(id)} connect 0 -1 200 ${trackOf(id)} ${trackOf(id)} split 1 0 ${SHARE}`).sort(),
    );
    const mixed = await eventsOf('mixed', COUNT);
    const failed = (await attemptsIn('mixed.log', COUNT)).filter(({ first }) => first === versions.broken.peer);
    assert.ok(failed.length > 20);
    assert.deepEqual(
      mixed.events.map(({ unit, kind, status, final_status: final, assigned, served, reason }) =>
        [unit, kind, status, final, assigned, served, reason].join(' ')).sort(),
      failed.map(({ id }) => {
        const how = trackOf(id) === 'canary' ? 'canary stable fallback' : 'stable stable split';
        return `${unit(id)} app 503 200 ${how}`; // there is no canary
      }).sort(),
    );
  });
});

const short = ({ unit: of, kind, status, final_status: final }) => `${of} ${kind} ${status} ${final}`;

describe('of a service without peers of ours', () => {
  const ASKED = [
    ['/host/', null],
    ['/host/status/404', null],
    ['/host/bytes/70000', null],
    ['/host_raw/bytes/70000', null],
    ['/host/status/500', 'app', 500, 500],
    ['/host/close', 'reset', 0, 502],
    ['/host_late/hang', 'timeout', 0, 504],
    ['/host/cut', 'truncated', 200, 200],
    ['/host_raw/cut', 'truncated', 200, 200],
    ['/host_dead/', 'connect', 0, 502],
    ['/host/hang', 'client-gone', 0, 499],
  ];

  test('the first attempt is known all the same', async () => {
    const own = [];
    const COUNT = 10 * ASKED.length;
    const events = await during('host', COUNT, () => forEach(COUNT, async (n) => {
      const [url, kind, status, final] = ASKED[n % ASKED.length];
      const id = `host-${n}`;
      if (url === '/host/hang') await giveUp(url, id);
      else await get(url, id).catch(() => {});
      if (kind) own.push(`${unit(id)} ${kind} ${status} ${final}`);
    }));
    assert.deepEqual(events.map(short).sort(), own.sort());
    assert.ok(events.every(({ peer }) => peer === ''));
  });

  test('and when a service with peers is reached by another upstream that a variable names', async () => {
    const headers = { 'content-type': 'application/grpc', te: 'trailers', 'x-grpc-status': '14' };
    const call = (session, method) => ask2(session, `/rpc/demo.Echo/${method}`, { method: 'POST', headers: { ...headers, ...user(method) }, body: Buffer.alloc(5) });
    const events = await during('named', 6, async () => {
      await get('/named/', 'named-1');
      await get('/named/status/500', 'named-2');
      const session = connect2(nginx.ports.h2);
      for (const method of ['Say', 'Fail', 'FailLate']) await call(session, method);
      await call(session, 'Cut').catch(() => {});
      session.close();
    });
    const own = [['named-2', 'app 500', -1], ['Fail', 'grpc 200', 14], ['FailLate', 'grpc 200', 14], ['Cut', 'truncated 200', -1]];
    assert.deepEqual(
      events.map(({ unit: of, kind, status, grpc }) => `${of} ${kind} ${status} ${grpc}`).sort(),
      own.map(([id, what, grpc]) => `${unit(id)} ${what} ${grpc}`).sort(),
    );
  });

  test('and when the request succeeds elsewhere, too', async () => {
    const COUNT = 40;
    const events = await during('host', COUNT, () =>
      forEach(COUNT, async (n) => assert.equal((await get('/host_half/', `host-half-${n}`)).status, 200)));
    const refused = (await attemptsIn('host.log', COUNT)).filter(({ first }) => first === `127.0.0.1:${nginx.ports.dead}`);
    assert.ok(refused.length > 5);
    assert.deepEqual(events.map(short).sort(), refused.map(({ id }) => `${unit(id)} connect 0 200`).sort());
  });
});

describe('what NGINX does about an answer falsifies no event:', () => {
  /** Every version answers so from now on; the modes of before come back. */
  async function withMode(mode, callback) {
    const good = [versions.stable, versions.canary];
    good.forEach((version) => version.setMode(mode));
    await callback();
    good.forEach((version) => version.setMode({}));
  }

  test('hits of a cache ask nobody, so they count nobody', async () => {
    const before = await totalAtRest('cached');
    assert.equal((await get('/cached/hit', 'cache-0')).status, 200);
    const events = await during('cached', 0, async () => {
      await withMode({ status: 500 }, async () => {
        for (let n = 1; n < 20; n += 1) await get('/cached/hit', `cache-${n}`);
      });
    });
    assert.deepEqual(events, []);
    assert.equal(await totalAtRest('cached'), before + 1);
  });

  /** Asks until the entry of the cache has run out, which costs a request at the service. */
  const runOut = (url) => waitUntil(async () => {
    const before = await totalAtRest('cached');
    await get(url, 'cache-again');
    return (await totalAtRest('cached')) > before;
  }, 10_000, `${url} to run out of the cache`);

  test('a stale answer hides no failure', async () => {
    assert.equal((await get('/stale/page', 'stale-0')).status, 200);
    const { appended } = await page('cached');
    await withMode({ status: 500 }, () => runOut('/stale/page'));
    const { events } = await page('cached', String(appended));
    assert.deepEqual(events.map(short), [`${unit('cache-again')} app 500 200`]);
  });

  test('the failure of an update in the background is the visitor\'s whose request began it', async () => {
    assert.equal((await get('/cached/page', 'update-0')).status, 200);
    const { appended } = await page('cached');
    await withMode({ status: 500 }, () => waitUntil(async () => {
      assert.equal((await get('/cached/page', 'update-1')).status, 200);
      return (await page('cached')).appended > appended;
    }, 10_000, 'the update'));
    const { events } = await page('cached', String(appended));
    assert.deepEqual([...new Set(events.map(({ unit: of, kind, status }) => `${of} ${kind} ${status}`))], [`${unit('update-1')} app 500`]);
  });

  test('a mirror that fails is an event of the service that it asks, unless the visitor asks that one too', async () => {
    const copies = await during('copy', 10, async () => {
      const own = await during('mirrored', 10, () => forEach(10, async (n) => get('/mirrored/', `mirror-${n}`)));
      assert.deepEqual(own, []);
    });
    assert.deepEqual(copies.map(({ unit: of, kind, status }) => `${of} ${kind} ${status}`).sort(),
      Array.from({ length: 10 }, (_, n) => `${unit(`mirror-${n}`)} app 500`).sort());
    const failed = await during('mirrored', 10, () => forEach(10, async (n) => get('/mirrored/close', `mirror-${n}`)));
    assert.deepEqual(failed.map(short).sort(), Array.from({ length: 10 }, (_, n) => `${unit(`mirror-${n}`)} reset 0 502`).sort());
  });

  test('auth_request: its refusal is no event, its failure one of the service that guards', async () => {
    const guarded = (id, guard, url = '/guarded/') =>
      ask(nginx.ports.http, url, { headers: { ...user(id), 'x-guard': guard } });
    const events = await during('guard', 4, async () => {
      const own = await during('guarded', 2, async () => {
        assert.equal((await guarded('guard-ok', '204')).status, 200);
        assert.equal((await guarded('guard-no', '403')).status, 403);
        assert.equal((await guarded('guard-bad', '500')).status, 500);
        assert.equal((await guarded('guard-ok', '204', '/guarded/status/502')).status, 502);
      });
      assert.deepEqual(own.map(short), [`${unit('guard-ok')} app 502 502`]);
    });
    assert.deepEqual(events.map(short), [`${unit('guard-bad')} app 500 500`]);
  });

  test('a part of a page that fails is the page\'s', async () => {
    const body = encodeURIComponent('<!--#include virtual="/part/status/204" --><!--#include virtual="/part/status/500" -->');
    const events = await during('parts', 2, async () => {
      assert.equal((await get(`/parts/reply?body=${body}`, 'page-1')).status, 200);
      await get('/parts/', 'page-2');
    });
    assert.deepEqual(events.map(short), [`${unit('page-1')} app 500 200`]);
  });
});
