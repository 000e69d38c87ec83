// Moving over from an application that cuts by itself (the study-app's own form): its cookie is obeyed while visitors
// get ids that lie on the side where it has them, so that nobody moves when the directive goes.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { seeded } from '../support/visitors.mjs';
import { ask, ask2, connect2, withId } from './client.mjs';

const VISITORS = 2000;
const SHARE = 0.3;
const DIRECTIVE = 'pourover_version_cookie release stable=old canary=new';

let nginx;
let versions;
let agent;

const newAgent = () => new http.Agent({ keepAlive: true, maxSockets: 16 });

const server = (port, directive, more = '') => `
  server {
    listen 127.0.0.1:${port};
    pourover_visitor id=cookie:pourover_id;
    add_header X-Track $pourover_track always;
    add_header X-Reason $pourover_reason always;
    ${directive ? `${directive};` : ''}
    ${more}
  }`;

/** The http block with the directive or, once the move is done, without it. */
const config = (directive) => ({ ports }) => `
  pourover_zone name=main size=2m;
  ${Object.entries({ app: '30%', none: '0', all: '100%' }).map(([name, share]) => `
  upstream ${name} {
    pourover zone=main share=${share} salt=r1;
    server ${versions.stable.peer};
    pourover_server ${versions.canary.peer} track=canary;
    keepalive 8;
  }`).join('')}
  proxy_http_version 1.1;
  proxy_set_header Connection '';
  ${['app', 'none', 'all'].map((name) => server(ports[name], directive, `pourover_service ${name}; location / { proxy_pass http://${name}; }`)).join('')}
  ${server(ports.cut, `${DIRECTIVE} missing=cut`, 'pourover_service app; location / { proxy_pass http://app; }')}
  ${server(ports.front, directive, `pourover_service app; location / { pourover_service off; proxy_pass http://127.0.0.1:${ports.app}; }`)}
  server {
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    pourover_service app;
    ${DIRECTIVE};
    location / { proxy_pass http://app; }
  }`;

before(async () => {
  agent = newAgent();
  versions = {
    stable: await startUpstream({ version: 'stable' }),
    canary: await startUpstream({ version: 'canary' }),
  };
  nginx = await startNginx({ ports: ['app', 'none', 'all', 'cut', 'front', 'h2'], http: config(DIRECTIVE) });
});

after(async () => {
  agent.destroy();
  await nginx?.stop();
  await Promise.all(Object.values(versions).map((version) => version.stop()));
  nginx.assertCleanLog();
});

const WORDS = { stable: 'old', canary: 'new' };

/** Asks as a visitor with a release cookie ('' for none) and an id ('' for none). */
const visit = (name, release, id, url = '/') => {
  const cookie = [release && `release=${release}`, id && `pourover_id=${id}`].filter(Boolean).join('; ');
  return ask(nginx.ports[name], url, { agent, headers: cookie ? { cookie } : {} });
};

const seen = (answer) => `${answer.header('x-version')} ${answer.header('x-reason')}`;

/** Calls for each of 0 .. count - 1, some at once. */
async function forEach(count, callback) {
  let next = 0;
  const one = async () => {
    while (next < count) await callback(next++);
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

describe('the application\'s cookie is obeyed:', () => {
  test('each value sends to its track, for new visitors and old ones', async () => {
    for (const [track, word] of Object.entries(WORDS)) {
      for (const name of ['app', 'none', 'all', 'cut']) {
        for (const id of ['', '0123456789abcdef', 'fedcba9876543210', 'bad']) {
          assert.equal(seen(await visit(name, word, id)), `${track} version-cookie`);
        }
      }
    }
  });

  test('without it, and with another value, a visitor goes to stable', async () => {
    for (const name of ['app', 'all']) {
      for (const word of ['', 'newer', 'New', 'ol', '"new"']) {
        assert.equal(seen(await visit(name, word, '')), 'stable version-cookie', word);
      }
    }
  });

  test('with missing=cut through our own cut', async () => {
    const tracks = { stable: 0, canary: 0 };
    await forEach(300, async () => {
      const answer = await visit('cut', '', '');
      assert.equal(answer.header('x-reason'), 'split');
      tracks[answer.header('x-version')] += 1;
      assert.equal(seen(await visit('cut', 'newer', answer.issued)), seen(answer));
    });
    assert.ok(tracks.canary > 40 && tracks.canary < 150, JSON.stringify(tracks)); // 90 expected, 6 standard deviations
  });

  test('of two cookies of its name the first that says a track counts', async () => {
    assert.equal(seen(await visit('app', 'what; release=new; release=old', '')), 'canary version-cookie');
  });
});

describe('ids lie where the cookie has the visitor:', () => {
  test('a fresh one, and one that replaces an id of the other side; one on its side stays', async () => {
    for (const [track, word] of Object.entries(WORDS)) {
      for (let n = 0; n < 30; n += 1) {
        const id = (await visit('app', word, '')).issued;
        assert.equal(seen(await visit('cut', '', id)), `${track} split`);
        assert.deepEqual((await visit('app', word, id)).cookies, []);
        const other = (await visit('app', track === 'stable' ? 'new' : 'old', id)).issued;
        assert.notEqual((await visit('cut', '', other)).header('x-version'), track);
      }
    }
  });

  test('without the cookie on stable\'s, where the visitor is sent; an id that is there already stays', async () => {
    for (let n = 0; n < 60; n += 1) {
      const id = (await visit('app', '', '')).issued;
      assert.equal(seen(await visit('cut', '', id)), 'stable split');
    }
    const canary = (await visit('app', 'new', '')).issued;
    assert.deepEqual((await visit('app', '', canary)).cookies, []);
    assert.deepEqual((await visit('all', '', '')).cookies, []);
  });

  test('where no id can lie there, at 0 and 100 %, none is issued and the cookie goes on to be obeyed', async () => {
    for (const [name, word, track] of [['none', 'new', 'canary'], ['all', 'old', 'stable']]) {
      for (const id of ['', '0123456789abcdef']) {
        const answer = await visit(name, word, id);
        assert.deepEqual([seen(answer), answer.cookies], [`${track} version-cookie`, []]);
      }
    }
    for (const [name, word] of [['none', 'old'], ['all', 'new']]) assert.ok((await visit(name, word, '')).issued);
  });

  test('over one HTTP/2 connection too, on which visitors of both sides may come', async () => {
    const session = connect2(nginx.ports.h2);
    const words = Array.from({ length: 20 }, (_, n) => (n % 2 ? 'old' : 'new'));
    const answers = await Promise.all(words.map((word) => ask2(session, '/', { headers: { cookie: `release=${word}` } })));
    session.close();
    for (const [n, answer] of answers.entries()) {
      assert.equal((await visit('cut', '', answer.issued)).header('x-version'), words[n] === 'new' ? 'canary' : 'stable');
    }
  });

  test('and a second tier behind us takes the id that we issue, though the old one is still in the request', async () => {
    const old = (await visit('app', 'old', '')).issued;
    const answer = await visit('front', 'new', old, '/echo');
    const again = await visit('front', 'new', answer.issued, '/echo');
    assert.notEqual(answer.issued, old);
    assert.equal(answer.json.headers['x-pourover-unit'], again.json.headers['x-pourover-unit']);
  });
});

test(`of ${VISITORS} visitors that the application cut at 30 % not one changes sides when the directive goes`, async () => {
  const draw = seeded(7);
  const visitors = Array.from({ length: VISITORS }, () => ({ track: draw() < SHARE ? 'canary' : 'stable', id: '' }));
  const canary = visitors.filter(({ track }) => track === 'canary').length;

  await forEach(VISITORS, async (n) => {
    const visitor = visitors[n];
    if (n % 5 === 0) visitor.id = (await visit('cut', '', '')).issued; // was here before, maybe on the other side
    const answer = await visit('app', WORDS[visitor.track], visitor.id);
    assert.equal(answer.header('x-version'), visitor.track);
    if (answer.cookies.length > 0) visitor.id = answer.issued;
    assert.ok(visitor.id);
  });

  agent.destroy(); // its idle connections end with the old workers
  nginx.writeConfig({ http: config('') });
  await nginx.reload();
  agent = newAgent();

  const moved = [];
  await forEach(VISITORS, async (n) => {
    const { track, id } = visitors[n];
    const release = n % 2 ? WORDS[track] : ''; // the application's cookie may be gone or not
    const answer = await visit('app', release, id);
    assert.deepEqual(answer.cookies, []);
    assert.equal(answer.header('x-reason'), 'split');
    if (answer.header('x-version') !== track) moved.push({ n, ...visitors[n] });
  });
  assert.deepEqual(moved, []);
  assert.ok(canary > 500 && canary < 700, `${canary} of the visitors were on the canary`);
});
