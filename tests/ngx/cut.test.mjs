// The cut through the real module: the test vectors, the edges of the share, forced tracks, the kill switch.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { ask, ask2, call2, connect2, withId } from './client.mjs';

const VECTORS = readFileSync(new URL('../vectors/cut.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => line.split('\t'))
  .map(([salt, id, u, bucket]) => ({ salt, id, u, bucket }));
const SALTS = [...new Set(VECTORS.map(({ salt }) => salt))];
// ids whose buckets with the salt r1 lie at the edges
const EDGES = { v279877: '0', v204466: '1', v6823: '999999' };
const SECRET = 'let.me.in';

let nginx;
let stable;
let canary;

const service = (name, parameters) => `
  upstream ${name} {
    pourover zone=main ${parameters};
    server ${stable.peer};
    pourover_server ${canary.peer} track=canary;
  }`;

const forced = {
  header: 'header:X-Release',
  cookie: 'cookie:release header:X-Release',
  near: 'header:X-Release allow=127.0.0.0/8,10.0.0.1',
  far: 'header:X-Release allow=10.0.0.0/8,::1',
  secret: (dir) => `header:X-Release cookie:release secret=${dir}/secret`,
  map: '$wish',
  geo: '$office',
};

function config({ ports, dir }) {
  writeFileSync(path.join(dir, 'secret'), `${SECRET}\n`, { mode: 0o600 });
  const places = Object.entries(forced).map(([name, sources]) => `
    location /${name}/ {
      pourover_service half;
      pourover_force ${typeof sources === 'function' ? sources(dir) : sources};
      proxy_pass http://half/;
    }`);
  const location = (name) => `
    location /${name}/ { pourover_service ${name}; proxy_pass http://${name}/; }`;
  return `
    pourover_zone name=main size=2m;
    ${SALTS.map((salt, i) => service(`salt${i}`, `share=50% salt=${salt}`)).join('')}
    ${service('half', 'share=50% salt=r1')}
    ${service('none', 'share=0 salt=r1')}
    ${service('all', 'share=100% salt=r1')}
    ${service('one', 'share=1ppm salt=r1')}
    ${service('killed', 'share=100% salt=r1 enabled=off')}
    map $http_x_wish $wish { default ''; yes canary; no stable; odd 'Canary'; }
    geo $office { default ''; 127.0.0.0/8 canary; }
    server {
      listen 127.0.0.1:${ports.http};
      listen 127.0.0.1:${ports.h2} http2;
      pourover_visitor id=$http_x_user_id,cookie:pourover_id;
      pourover_service half;
      add_header X-Track $pourover_track always;
      add_header X-Reason $pourover_reason always;
      add_header X-Bucket $pourover_bucket always;
      add_header X-Share $pourover_share always;
      add_header X-Worker $pid always;
      ${SALTS.map((salt, i) => location(`salt${i}`)).join('')}
      ${['none', 'all', 'one'].map(location).join('')}
      location /demo.Echo/ { grpc_pass grpc://half; }
      location /killed/ { pourover_service killed; pourover_force header:X-Release; proxy_pass http://killed/; }
      ${places.join('')}
      location / { proxy_pass http://half; }
    }`;
}

before(async () => {
  stable = await startUpstream({ version: 'stable' });
  canary = await startUpstream({ version: 'canary' });
  nginx = await startNginx({ ports: ['http', 'h2'], http: config });
});

after(async () => {
  await nginx?.stop();
  await Promise.all([stable.stop(), canary.stop()]);
  nginx.assertCleanLog();
});

const get = (url, headers = {}) => ask(nginx.ports.http, url, { headers });

/** How an answer was cut; fails when the peer that gave it is of another track than the one said. */
function cutOf(answer) {
  const seen = ['track', 'reason', 'bucket', 'share'].map((name) => [name, answer.header(`x-${name}`)]);
  assert.equal(answer.header('x-version'), answer.header('x-track'));
  return Object.fromEntries(seen);
}

/** Asks for each of `list`, a few at a time over one session. */
async function inBatches(list, askFor) {
  const session = connect2(nginx.ports.h2);
  for (let i = 0; i < list.length; i += 100) await Promise.all(list.slice(i, i + 100).map((each) => askFor(session, each)));
  session.close();
}

describe('the test vectors through the module:', () => {
  SALTS.forEach((salt, i) => {
    test(`every id with the salt ${salt.length > 20 ? 'of 64 characters' : salt} has the u and the bucket of the file, and the track of its bucket`, async () => {
      const vectors = VECTORS.filter((vector) => vector.salt === salt);
      assert.ok(vectors.length > 100);
      await inBatches(vectors, async (session, { id, u, bucket }) => {
        const answer = await ask2(session, `/salt${i}/echo`, { headers: { 'x-user-id': id } });
        assert.equal(answer.json.headers['x-pourover-unit'], u, id);
        assert.equal(answer.header('x-bucket'), bucket, id);
        assert.equal(cutOf(answer).track, Number(bucket) < 500000 ? 'canary' : 'stable', id);
      });
    });
  });

  test('an id in gRPC metadata is cut like any other', async () => {
    const ids = VECTORS.slice(0, 50).map(({ id }) => id);
    await inBatches(ids, async (session, id) => {
      const call = await call2(session, 'Say', { 'x-user-id': id });
      const page = await ask2(session, '/', { headers: { 'x-user-id': id } });
      assert.deepEqual(cutOf(call), cutOf(page));
      assert.equal(call.trailers['grpc-status'], '0');
    });
  });

  test('an id that we issue is cut by its digits, as if it came in a header', async () => {
    for (let n = 0; n < 20; n += 1) {
      const first = await get('/');
      const byCookie = await get('/', withId(first.issued));
      const byHeader = await get('/', { 'x-user-id': first.issued });
      assert.deepEqual(cutOf(first), cutOf(byCookie));
      assert.deepEqual(cutOf(first), cutOf(byHeader));
    }
  });
});

test('issued ids are all different, and their buckets spread evenly, whatever worker drew them', async () => {
  const COUNT = 4000;
  const BINS = 20;
  const ids = new Set();
  const bins = new Array(BINS).fill(0);
  const workers = new Set();
  const forwarded = { 'x-forwarded-for': '10.0.0.1' }; // else the streams of a connection share one
  const draw = async (session) => {
    const answer = await ask2(session, '/', { headers: forwarded });
    ids.add(answer.issued);
    bins[Math.floor((Number(cutOf(answer).bucket) * BINS) / 1_000_000)] += 1;
    workers.add(answer.header('x-worker'));
  };
  for (let n = 0; n < 40; n += 1) await inBatches(new Array(COUNT / 40).fill(0), draw);
  assert.equal(ids.size, COUNT);
  assert.equal(workers.size, 2);
  const expected = COUNT / BINS;
  const chiSquare = bins.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
  assert.ok(chiSquare < 55, `chi-square ${chiSquare} of ${bins}`); // 19 degrees of freedom: once in 40,000 runs
});

describe('the edges of the share:', () => {
  const thousand = Array.from({ length: 1000 }, (_, n) => `visitor-${n}`);
  const tracksOf = async (url) => {
    const tracks = { stable: 0, canary: 0 };
    await inBatches(thousand, async (session, id) => {
      tracks[cutOf(await ask2(session, url, { headers: { 'x-user-id': id } })).track] += 1;
    });
    return tracks;
  };

  test('0 sends nobody', async () => {
    assert.deepEqual(await tracksOf('/none/'), { stable: 1000, canary: 0 });
  });

  test('100 % sends everybody', async () => {
    assert.deepEqual(await tracksOf('/all/'), { stable: 0, canary: 1000 });
  });

  test('1 ppm sends bucket 0 and no other', async () => {
    for (const [id, bucket] of Object.entries(EDGES)) {
      const cut = cutOf(await get('/one/', { 'x-user-id': id }));
      assert.deepEqual([cut.bucket, cut.track], [bucket, bucket === '0' ? 'canary' : 'stable']);
    }
  });

  test('0 and 100 % hold for the first bucket and the last', async () => {
    for (const id of Object.keys(EDGES)) {
      assert.equal(cutOf(await get('/none/', { 'x-user-id': id })).track, 'stable');
      assert.equal(cutOf(await get('/all/', { 'x-user-id': id })).track, 'canary');
    }
  });

  test('a share that a location says is the one that the answer tells', async () => {
    for (const [url, share] of [['/none/', '0'], ['/all/', '1000000'], ['/one/', '1'], ['/', '500000']]) {
      assert.equal(cutOf(await get(url, { 'x-user-id': 'x' })).share, share);
    }
  });
});

describe('a forced track', () => {
  // ids on either side of the share of 50 %
  const ids = {};
  before(async () => {
    for (let n = 0; !ids.stable || !ids.canary; n += 1) ids[cutOf(await get('/', { 'x-user-id': `u${n}` })).track] ??= `u${n}`;
  });

  /** Track and reason of a visitor that the cut sends to `from`. */
  const seen = async (place, headers, from = 'stable') => {
    const { track, reason } = cutOf(await get(`/${place}/`, { 'x-user-id': ids[from], ...headers }));
    return `${track} ${reason}`;
  };

  test('beats the share, to both sides', async () => {
    assert.equal(await seen('header', { 'x-release': 'canary' }, 'stable'), 'canary forced');
    assert.equal(await seen('header', { 'x-release': 'stable' }, 'canary'), 'stable forced');
  });

  test('that is no track is ignored', async () => {
    for (const value of ['', 'Canary', 'canary ', 'canary.', 'canaryy', 'beta', 'canary.let.me.in', '1']) {
      const expected = value === 'canary ' ? 'canary forced' : 'stable split'; // nginx trims values of headers
      assert.equal(await seen('header', { 'x-release': value }), expected, value);
    }
  });

  test('comes from a cookie, or from the next source when the first one says nothing', async () => {
    assert.equal(await seen('cookie', { cookie: 'release=canary' }), 'canary forced');
    assert.equal(await seen('cookie', { cookie: 'a=1; release=stable', 'x-release': 'canary' }), 'stable forced');
    assert.equal(await seen('cookie', { cookie: 'release=none', 'x-release': 'canary' }), 'canary forced');
    assert.equal(await seen('cookie', { cookie: 'release=none; release=canary' }), 'canary forced');
  });

  test('comes from a map or a geo block, which are allow lists then', async () => {
    assert.equal(await seen('map', { 'x-wish': 'yes' }), 'canary forced');
    assert.equal(await seen('map', { 'x-wish': 'no' }, 'canary'), 'stable forced');
    assert.equal(await seen('map', { 'x-wish': 'odd' }), 'stable split');
    assert.equal(await seen('map', {}), 'stable split');
    assert.equal(await seen('geo', {}), 'canary forced');
  });

  test('is taken from the addresses of allow= only', async () => {
    assert.equal(await seen('near', { 'x-release': 'canary' }), 'canary forced');
    assert.equal(await seen('far', { 'x-release': 'canary' }), 'stable split');
  });

  test('needs the secret where there is one', async () => {
    assert.equal(await seen('secret', { 'x-release': `canary.${SECRET}` }), 'canary forced');
    assert.equal(await seen('secret', { cookie: `release=stable.${SECRET}` }, 'canary'), 'stable forced');
    for (const value of ['canary', 'canary.', `canary.${SECRET}x`, 'canary.let.me.i', `.${SECRET}`, SECRET, `beta.${SECRET}`]) {
      assert.equal(await seen('secret', { 'x-release': value }), 'stable split', value);
    }
  });

  test('keeps the unit of the visitor, for whom it is no other visitor', async () => {
    const unit = async (headers) => (await get('/header/echo', { 'x-user-id': ids.stable, ...headers })).json.headers['x-pourover-unit'];
    assert.equal(await unit({ 'x-release': 'canary' }), await unit({}));
  });

  test('loses to the kill switch, as the share does', async () => {
    for (const headers of [{}, { 'x-release': 'canary' }]) assert.equal(await seen('killed', headers, 'canary'), 'stable disabled');
  });
});
