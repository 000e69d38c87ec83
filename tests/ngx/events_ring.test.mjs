// The ring of events as a reader sees it: thinned, lost, over reloads and kills; the watermark; what is watched for; how
// many visitors there were.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bucketOf } from '../support/router-api.mjs';
import { seeded } from '../support/visitors.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, connect2, setSplit } from './client.mjs';
import {
  begin, during, end, forEach, get, kindsOf, nginx, open, page, peers, pipeline, put, readOn, reload, service, SHARE, trackOf, unit, user, versions,
} from './events.mjs';

const PLAIN = ['small', 'thin', 'moving', 'kept', 'marked', 'sampled'];
const EVENTS = { small: 'events=256', kept: 'events=30000' };
const UPGRADE = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };

const services = () => `
  ${[...PLAIN, 'watched'].map((name) => service(name, peers(), EVENTS[name])).join('')}
  pourover_cut count zone=main share=30% salt=r1;
  pourover_cut away zone=main share=30% salt=r1;
  upstream away_stable { server ${versions.stable.peer}; }
  upstream away_canary { server ${versions.canary.peer}; }`;

const locations = () => `
  ${PLAIN.map((name) => `location /${name}/ { pourover_service ${name}; proxy_pass http://${name}/; }`).join('\n')}
  location /marked/ws { pourover_service marked; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://marked/ws; }
  location /watched/ { pourover_service watched; proxy_pass http://watched/; }
  location /watched_raw/ { pourover_service watched; proxy_buffering off; proxy_pass http://watched/; }
  location /watched/ws { pourover_service watched; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://watched/ws; }
  location /rpc/ { pourover_service watched; rewrite ^/rpc(/.*) $1 break; grpc_pass grpc://watched; }
  location ~ ^/away(/.*) { pourover_service away; proxy_pass http://away_$pourover_track$1; }
  location = /count { pourover_service count; return 200 $pourover_track; }`;

before(() => begin({ services, locations }));
after(end);

describe('the ring', () => {
  test('keeps the 1st, 5th and 25th of a visitor, and all of requests without an id', async () => {
    const events = await during('thin', 124, async () => {
      await forEach(31, async () => {
        await get('/thin/status/500', 'thin-1');
        await get('/thin/close', 'thin-1').catch(() => {});
        await get('/thin/status/500', 'thin-2');
        await ask(nginx.ports.http, '/thin/status/500');
      });
    });
    const kept = events.filter(({ unit }) => unit !== null).map(({ unit, kind, nth }) => `${unit} ${kind} ${nth}`);
    const own = [['thin-1', 'app'], ['thin-1', 'reset'], ['thin-2', 'app']]
      .flatMap(([id, kind]) => [1, 5, 25].map((nth) => `${unit(id)} ${kind} ${nth}`));
    assert.deepEqual(kept.sort(), own.sort());
    const alone = events.filter(({ unit }) => unit === null);
    assert.deepEqual([alone.length, ...new Set(alone.map(({ nth, reason, assigned }) => `${nth} ${reason} ${assigned}`))], [31, '1 no-id stable']);
    assert.deepEqual(await kindsOf('thin'), { app: 93, reset: 31 });
  });

  test('tells how many it has lost of each track', async () => {
    const first = await page('small');
    assert.deepEqual([first.capacity, first.appended, first.next, first.lost], [256, 0, '0.0', null]);
    const COUNT = 700;
    const sent = { stable: 0, canary: 0 };
    await forEach(COUNT, async (n) => {
      sent[trackOf(`small-${n}`)] += 1;
      await get('/small/status/500', `small-${n}`);
    });
    await waitUntil(async () => (await page('small')).appended === COUNT, 5000, 'all events');
    const { events, lost, next } = await page('small', first.next, '&limit=10000');
    assert.equal(events.length, 256);
    for (const { assigned } of events) sent[assigned] -= 1;
    assert.deepEqual(lost, sent);
    assert.ok(lost.canary > 0 && lost.stable > 0);
    const rest = await page('small', next);
    assert.deepEqual([rest.events, rest.next, rest.lost], [[], next, { stable: 0, canary: 0 }]);

    // a reader of another instance has come too far, and begins anew
    const other = await page('small', '90000.5');
    assert.deepEqual([other.events.length, other.lost, other.events[0].seq], [256, null, COUNT - 255]);
  });

  test('is read in pages, each record once', async () => {
    const seen = [];
    for (let next = '0'; ;) {
      const answer = await page('small', next, '&limit=100');
      assert.ok(answer.events.length <= 100);
      seen.push(...answer.events.map(({ seq }) => seq));
      if (answer.next === next) break;
      next = answer.next;
    }
    assert.deepEqual(seen, Array.from({ length: 256 }, (_, i) => 700 - 255 + i));
  });

  test('has the size that events= says, from the start on, or one that the zone has room for', async () => {
    const sizes = async () => Object.fromEntries(await Promise.all(['small', 'kept', 'thin', 'count', 'late']
      .map(async (name) => [name, (await page(name).catch(() => ({}))).capacity])));
    const { small, kept, thin, count, late } = await sizes();
    assert.deepEqual([small, kept, thin, count, late], [256, 30_000, 4096, 4096, undefined]);
    await reload((text) => text.replace('events=256', 'events=512').replace(/$/, 'pourover_cut late zone=main events=300;'));
    assert.match(nginx.errorLog(), /\[warn\].*service "small": events=512 takes effect with a restart, there are 256 until then/);
    assert.deepEqual(await sizes(), { small, kept, thin, count, late: 300 });
    assert.equal((await page('small')).appended, 700);
  });

  test('refuses a cursor or a limit that it did not give', async () => {
    for (const [args, field] of [['after=x', 'after'], ['after=1.', 'after'], ['after=1.2', 'after'], ['after=-1', 'after'],
      ['after=0&limit=0', 'limit'], ['after=0&limit=10001', 'limit'], ['limit=ten', 'limit']]) {
      const answer = await ask(nginx.ports.api, `/pourover/v1/services/small/events?${args}`);
      assert.deepEqual([answer.status, answer.json.error.code, answer.json.error.field], [400, 'invalid', field], args);
    }
  });

  test('has the revision and the share in each record by which its request was cut', async () => {
    const shares = new Map();
    const note = async () => {
      const { split } = await api(nginx.ports.api, 'v1/services/moving');
      shares.set(split.revision, split.share_ppm);
    };
    await note();
    let running = true;
    const load = forEach(3000, async (n) => running && get('/moving/status/500', `moving-${n}`));
    for (const share of [0, 500_000, 10_000, 900_000, 300_000]) {
      await setSplit(nginx.ports.api, 'moving', { share_ppm: share });
      await note();
      const { appended } = await page('moving');
      await waitUntil(async () => (await page('moving')).appended > appended + 100, 10_000, '100 more events');
    }
    running = false;
    await load;
    const { events } = await readOn('moving', '0.0');
    for (const { revision, share_ppm: share, unit, assigned } of events) {
      assert.equal(share, shares.get(revision));
      assert.equal(assigned, bucketOf(unit) < share ? 'canary' : 'stable');
    }
    assert.deepEqual(new Set(events.map(({ revision }) => revision)), new Set(shares.keys()));
  });

  test('loses nothing that was in it when workers are killed, and when the configuration is loaded anew', async () => {
    const sent = new Set();
    let running = true;
    const load = forEach(30_000, async (n) => {
      if (!running) return;
      sent.add(unit(`kept-${n}`));
      await get('/kept/status/500', `kept-${n}`).catch(() => {});
    });
    let before = [];
    for (const change of [() => nginx.killWorker(), () => nginx.reload(), () => nginx.killWorker(), () => nginx.reload()]) {
      await waitUntil(async () => (await page('kept')).appended > before.length + 50, 10_000, '50 more events');
      const kept = (await readOn('kept', '0.0')).events;
      assert.deepEqual(kept.slice(0, before.length), before);
      before = kept;
      await change();
    }
    running = false;
    await load;
    const { events, lost } = await readOn('kept', '0.0');
    assert.deepEqual(events.slice(0, before.length), before);
    assert.deepEqual(events.map(({ seq }) => seq), events.map((_, i) => i + 1));
    assert.deepEqual(lost, { stable: 0, canary: 0 });
    assert.ok(events.every(({ unit }) => sent.has(unit)));
    assert.equal(new Set(events.map(({ unit }) => unit)).size, events.length);
  });
});

describe('the watermark', () => {
  const markOf = async (name) => (await page(name, '0', '&limit=1')).watermark_ms;
  const passes = (name, ms, what) => waitUntil(async () => (await markOf(name)) > ms, 5000, what);

  test('stands before a request in flight, also one of a worker that is shutting down, and goes on when that ends', async () => {
    await passes('marked', Date.now(), 'the watermark before');
    const request = open('/marked/hang', 'mark-1');
    await request.arrived();
    const there = Date.now();
    await waitUntil(async () => (await markOf('marked')) >= request.at - 1, 5000, 'the watermark at the request');
    await nginx.reload();
    await get('/marked/status/500', 'mark-2');
    await passes('kept', there + 300, 'the watermark of another service'); // so three ticks have been
    assert.ok((await markOf('marked')) <= there);
    request.end();
    await passes('marked', there, 'the watermark behind the request');
    const { events } = await readOn('marked', '0.0');
    assert.deepEqual(events.map(({ kind }) => kind).sort(), ['app', 'client-gone']);
  });

  test('is not held by streams', async () => {
    const streams = [
      open('/marked/sse?n=100000&every=50', 'mark-sse'),
      open('/marked/ws', 'mark-ws', UPGRADE),
    ];
    for (const stream of streams) await stream.arrived();
    await passes('marked', Date.now(), 'the watermark behind the start of the streams');
    streams.forEach((stream) => stream.end());
  });

  test('is true: no event that comes later began before it', async () => {
    const draw = seeded(3);
    const urls = ['/marked/status/500', '/marked/close', '/marked/slow/120', '/marked/slow/400', '/marked/cut', '/marked/'];
    let running = true;
    const load = forEach(100_000, async (n) => running && get(urls[Math.floor(draw() * urls.length)], `true-${n}`).catch(() => {}));
    const marks = [];
    const end = Date.now() + 3000;
    let next = '0.0';
    const starts = [];
    for (;;) {
      const { watermark_ms: mark, events, next: then } = await page('marked', next, '&limit=10000');
      for (const { seq, start_ms: start } of events) starts[seq] = start;
      next = then;
      marks.push([mark, Number(next.split('.')[0])]);
      if (Date.now() > end) break;
    }
    running = false;
    await load;
    for (const { seq, start_ms: start } of (await readOn('marked', next)).events) starts[seq] = start;
    let least = Infinity; // of all events from seq on
    for (let seq = starts.length - 1; marks.length > 0; ) {
      const [mark, read] = marks.pop();
      for (; seq > read; seq -= 1) least = Math.min(least, starts[seq]);
      assert.ok(least >= mark, `an event that began at ${least} came after the watermark ${mark}`);
    }
    assert.ok(starts.length > 300);
  });
});

describe('what is watched for', () => {
  const URL = '/watched';
  const watch = (body) => put('v1/services/watched/watch', body);
  const eventsNow = async (after) => (await readOn('watched', after)).events;
  const behind = async () => (await page('watched')).next === '0.0' ? '0.0' : (await readOn('watched', '0.0')).next;
  const told = (events) => events.map(({ unit, kind, status, final_status: final }) => `${unit} ${kind} ${status} ${final}`).sort();

  test('a request that gets no answer is told while it hangs, and no second time when it ends', async () => {
    await watch({ hang_ms: 300, slow_us: [], kinds: [], sample: 0 });
    const from = await behind();
    const session = connect2(nginx.ports.h2);
    const open_ = [
      open(`${URL}/hang`, 'hang-1'), open('/watched_raw/hang', 'hang-2'), open(`${URL}/sse?n=100&every=50`, 'hang-sse'),
      open(`${URL}/ws`, 'hang-ws', UPGRADE),
    ];
    const call = session.request({ ':method': 'POST', ':path': '/rpc/demo.Echo/Chat', 'content-type': 'application/grpc', te: 'trailers', ...user('hang-rpc') });
    call.on('error', () => {});
    const answered = get(`${URL}/slow/900`, 'hang-3');
    const hung = ['hang-1', 'hang-2', 'hang-3'].map((id) => `${unit(id)} hang 0 0`).sort();
    await waitUntil(async () => (await eventsNow(from)).length === 3, 5000, 'the three that hang');
    const events = await eventsNow(from);
    assert.deepEqual(told(events), hung);
    for (const { peer, assigned } of events) assert.equal(peer, versions[assigned].peer);
    for (const { took_us: took } of events) assert.ok(took > 300_000 && took < 900_000, String(took));
    assert.equal((await answered).status, 200);
    open_.forEach((request) => request.end());
    call.close();
    session.close();
    await waitUntil(async () => {
      const { tracks } = await api(nginx.ports.api, 'v1/services/watched');
      return tracks.stable.in_flight + tracks.canary.in_flight === 0;
    }, 5000, 'the end of all');
    const last = (await page('watched')).appended;
    await get(`${URL}/status/500`, 'hang-4');
    await waitUntil(async () => (await page('watched')).appended > last, 5000, 'one more event');
    assert.deepEqual(told(await eventsNow(from)), [...hung, `${unit('hang-4')} app 500 500`].sort());
  });

  test('an answer that begins and stalls is no hang', async () => {
    await watch({ hang_ms: 200 });
    const from = await behind();
    const stall = open(`${URL}/stall`, 'stall-1');
    const hang = open(`${URL}/hang`, 'stall-2');
    await waitUntil(async () => (await eventsNow(from)).length > 0, 5000, 'the one that hangs');
    assert.deepEqual(told(await eventsNow(from)), [`${unit('stall-2')} hang 0 0`]);
    [stall, hang].forEach((request) => request.end());
  });

  test('each threshold of slow answers is told once of a visitor, while it waits too', async () => {
    await watch({ hang_ms: 0, slow_us: [100_000, 400_000] });
    const from = await behind();
    const slow = (id, index) => `${unit(id)} slow ${index} 0`;
    await Promise.all([get(`${URL}/`, 'slow-0'), get(`${URL}/slow/200`, 'slow-1'), get(`${URL}/slow/600`, 'slow-2'), get(`${URL}/slow/200`, 'slow-2')]);
    const waits = open(`${URL}/hang`, 'slow-3');
    const own = [slow('slow-1', 0), slow('slow-2', 0), slow('slow-2', 1), slow('slow-3', 0), slow('slow-3', 1)];
    await waitUntil(async () => (await eventsNow(from)).length >= own.length, 5000, 'the slow ones');
    assert.deepEqual(told(await eventsNow(from)), own.sort());
    for (const { status, took_us: took } of await eventsNow(from)) assert.ok(took > [100_000, 400_000][status]);
    waits.end();
    await waitUntil(async () => (await eventsNow(from)).some(({ kind }) => kind === 'client-gone'), 5000, 'the end');
    await watch({ slow_us: [] });
  });

  test('a service without peers of ours hangs and is slow in the same way', async () => {
    await put('v1/services/away/watch', { hang_ms: 2000, slow_us: [100_000] });
    const waits = open('/away/hang', 'away-1');
    await waitUntil(async () => (await page('away')).appended === 2, 15_000, 'the events of the first request of all');
    await Promise.all([get('/away/', 'away-0'), get('/away/slow/200', 'away-2'), get('/away/slow/2500', 'away-3')]);
    const own = ['away-1 hang 0 0', 'away-3 hang 0 0', 'away-1 slow 0 0', 'away-2 slow 0 0', 'away-3 slow 0 0'];
    await waitUntil(async () => (await page('away')).appended >= own.length, 15_000, 'five events');
    waits.end();
    const lines = own.map((line) => line.replace(/^\S+/, (id) => unit(id))).sort();
    assert.deepEqual(told((await readOn('away', '0.0')).events), lines);
  });

  test('4xx and 3xx are events when they are asked for', async () => {
    await watch({ kinds: ['4xx', '3xx'] });
    const from = await behind();
    for (const status of [200, 204, 301, 304, 307, 400, 404, 429]) await get(`${URL}/status/${status}`, `kind-${status}`);
    const own = [301, 307].map((status) => `${unit(`kind-${status}`)} redirect ${status} ${status}`)
      .concat([400, 404, 429].map((status) => `${unit(`kind-${status}`)} client-error ${status} ${status}`));
    await waitUntil(async () => (await eventsNow(from)).length >= own.length, 5000, 'five events');
    assert.deepEqual(told(await eventsNow(from)), own.sort());
    await watch({ kinds: [] });
    await get(`${URL}/status/404`, 'kind-none');
    await get(`${URL}/status/500`, 'kind-bad');
    await waitUntil(async () => (await eventsNow(from)).length > own.length, 5000, 'one more');
    assert.deepEqual(told(await eventsNow(from)), [...own, `${unit('kind-bad')} app 500 500`].sort());
  });

  test('sampled visitors are told once under each revision, when they come', async () => {
    await put('v1/services/sampled/watch', { sample: 4 });
    const ids = Array.from({ length: 60 }, (_, n) => `sample-${n}`);
    const sampled = ids.map((id) => unit(id)).filter((unit) => BigInt(`0x${unit}`) % 4n === 0n);
    assert.ok(sampled.length > 5);
    const visit = () => forEach(3 * ids.length, async (n) => get('/sampled/', ids[n % ids.length]));
    await visit();
    await setSplit(nginx.ports.api, 'sampled', { share_ppm: 400_000 });
    await visit();
    const { events } = await readOn('sampled', '0.0');
    const revisions = [...new Set(events.map(({ revision }) => revision))];
    assert.equal(revisions.length, 2);
    for (const revision of revisions) {
      const of = events.filter((event) => event.revision === revision);
      assert.deepEqual(of.map(({ unit }) => unit).sort(), sampled.sort());
      for (const { unit, kind, assigned, share_ppm: share } of of) {
        assert.deepEqual([kind, assigned], ['exposure', bucketOf(unit) < share ? 'canary' : 'stable']);
      }
    }
    assert.deepEqual(await kindsOf('sampled'), {}); // it is no bad outcome
  });
});

describe('distinct visitors', () => {
  const unitsNow = async (more = '') => (await api(nginx.ports.api, `v1/services/count/stats${more}`)).units[0];

  for (const [count, times, error] of [[10, 20, 0], [1000, 3, 0.069], [100_000, 1, 0.069]]) {
    test(`${count} of them are counted within ${error * 100} %, however often they come`, async () => {
      await setSplit(nginx.ports.api, 'count', { share_ppm: SHARE }); // a revision of their own
      await pipeline('/count', count * times, (n) => `count-${count}-${n % count}`);
      const own = { stable: 0, canary: 0 };
      for (let n = 0; n < count; n += 1) own[trackOf(`count-${count}-${n}`)] += 1;
      const units = await unitsNow();
      for (const track of ['stable', 'canary']) {
        const off = Math.abs(units[track] - own[track]);
        assert.ok(off <= error * own[track], `${track}: ${units[track]} of ${own[track]}`);
      }
    });
  }

  test('the registers come when they are asked for, those of the last four revisions', async () => {
    const { units, units_error: error } = await api(nginx.ports.api, 'v1/services/count/stats?registers=1');
    assert.equal(error, 0.023);
    assert.deepEqual(units.map(({ revision }) => revision), [3, 2, 1, 0]);
    for (const { registers, ...of } of units) {
      for (const track of ['stable', 'canary']) {
        const bytes = Buffer.from(registers[track], 'base64');
        assert.equal(bytes.length, 2048);
        const hit = bytes.filter((byte) => byte > 0).length;
        assert.ok(hit <= of[track] && (of[track] === 0) === (hit === 0) && bytes.every((byte) => byte <= 54));
      }
    }
    assert.equal((await unitsNow()).registers, undefined);
  });
});
