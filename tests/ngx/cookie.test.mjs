// The visitor's cookie: on every kind of answer once, its attributes, what caches are told, what counts as a valid id.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask, ask2, askRaw, call2, connect2, selfSigned, withId } from './client.mjs';

const KEY = 'a key of more than sixteen bytes';
const PAGE = 'x'.repeat(1000);
const WRITTEN = new Date('2025-01-02T03:04:05Z');

let nginx;
let upstream;

const attributes = {
  plain: '',
  all: 'max_age=2d domain=example.com path=/shop samesite=none secure=on httponly=off partitioned=on',
  strict: 'samesite=strict secure=off',
  consent: 'consent=$arg_consent',
  keep: 'cache=keep',
};

function config({ ports, dir }) {
  const attributed = Object.entries(attributes).map(([name, text]) => `
    server {
      listen 127.0.0.1:${ports.http};
      server_name ${name};
      pourover_visitor id=cookie:pourover_id ${text};
      location / { proxy_pass http://app; }
    }`);
  return `
    pourover_zone name=main size=1m;
    proxy_cache_path ${dir}/cache keys_zone=cache:1m;
    upstream app { pourover zone=main share=50% salt=r1; server ${upstream.peer}; }
    ${attributed.join('')}
    server {
      listen 127.0.0.1:${ports.http} default_server;
      listen 127.0.0.1:${ports.h2} http2;
      listen 127.0.0.1:${ports.tls} ssl http2;
      ssl_certificate ${dir}/cert.pem;
      ssl_certificate_key ${dir}/key.pem;
      pourover_visitor id=cookie:pourover_id;
      large_client_header_buffers 4 32k;
      proxy_buffer_size 32k;
      proxy_buffers 8 32k;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      location / { proxy_pass http://app; }
      location /demo.Echo/ { grpc_pass grpc://app; }
      location /ws { proxy_pass http://app; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
      location = /nothing { return 204; }
      location = /moved { return 301 /elsewhere; }
      location /files/ { root ${dir}; }
      location /guarded/ { auth_basic there; auth_basic_user_file ${dir}/nobody; proxy_pass http://app; }
      location /small/ { client_max_body_size 10; proxy_pass http://app; }
      location /dead/ { proxy_pass http://127.0.0.1:${ports.dead}; }
      location /late/ { proxy_read_timeout 100ms; proxy_pass http://app/hang; }
      location /named/ { proxy_pass http://127.0.0.1:${ports.dead}; error_page 502 = @named; }
      location @named { proxy_pass http://app; }
      location /paged/ { error_page 404 /page; root ${dir}; }
      location = /page { proxy_pass http://app; }
      location /accel { proxy_pass http://app/reply?header=X-Accel-Redirect:/inner; }
      location /inner { internal; proxy_pass http://app; }
      location /tried/ { try_files /none /page; }
      location /checked/ { auth_request /check; proxy_pass http://app; }
      location = /check { internal; proxy_pass http://app/status/204; }
      location /refused/ { auth_request /check401; proxy_pass http://app; }
      location = /check401 { internal; proxy_pass http://app/status/401; }
      location /mirrored/ { mirror /copy; proxy_pass http://app; }
      location = /copy { internal; proxy_pass http://app; }
      location /sliced/ { slice 1k; proxy_set_header Range $slice_range; proxy_pass http://app; }
      location /expires { expires 1h; proxy_pass http://app; }
      location /public { add_header Cache-Control public; proxy_pass http://app; }
      location /cached { proxy_cache cache; proxy_cache_valid 1m; add_header X-Cache $upstream_cache_status; proxy_pass http://app/reply; }
    }
    server {
      listen 127.0.0.1:${ports.signed};
      pourover_visitor id=cookie:pourover_id sign=${dir}/key;
      location / { proxy_pass http://app; }
    }
    server {
      listen 127.0.0.1:${ports.front};
      pourover_visitor id=cookie:pourover_id;
      location / { proxy_pass http://127.0.0.1:${ports.http}; }
    }`;
}

before(async () => {
  upstream = await startUpstream();
  nginx = await startNginx({
    ports: ['http', 'h2', 'tls', 'signed', 'front', 'dead'],
    http: (place) => {
      const { key, cert } = selfSigned();
      mkdirSync(path.join(place.dir, 'files'));
      const files = { 'key.pem': key, 'cert.pem': cert, key: KEY, nobody: '', 'files/page': PAGE };
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(place.dir, name), text, { mode: 0o600 });
      utimesSync(path.join(place.dir, 'files/page'), WRITTEN, WRITTEN);
      return config(place);
    },
  });
});

after(async () => {
  await nginx?.stop();
  await upstream?.stop();
  nginx.assertCleanLog();
});

const get = (url, options) => ask(nginx.ports.http, url, options);
const withHeaders = (headers) => ({ headers });
const posted = (body) => ({ method: 'POST', body, headers: { 'content-length': body.length } });
const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

describe('the cookie is set exactly once on', () => {
  const cases = [
    ['200', 200, '/'],
    ['200 to HEAD', 200, '/', { method: 'HEAD' }],
    ['200 to POST', 200, '/', posted('some text')],
    ['204', 204, '/nothing'],
    ['204 of an upstream', 204, '/status/204'],
    ['206', 206, '/files/page', withHeaders({ range: 'bytes=0-9' })],
    ['301', 301, '/moved'],
    ['304', 304, '/files/page', withHeaders({ 'if-modified-since': WRITTEN.toUTCString() })],
    ['401 of auth_basic', 401, '/guarded/'],
    ['401 of an upstream', 401, '/status/401'],
    ['404', 404, '/files/none'],
    ['405 of a static file', 405, '/files/page', posted('x')],
    ['412', 412, '/files/page', withHeaders({ 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' })],
    ['413', 413, '/small/', posted('more than ten bytes')],
    ['416', 416, '/files/page', withHeaders({ range: 'bytes=5000-' })],
    ['500 of an upstream', 500, '/status/500'],
    ['nginx\'s own 502', 502, '/dead/'],
    ['nginx\'s own 504', 504, '/late/'],
    ['error_page with a named location', 200, '/named/'],
    ['error_page with a URI', 404, '/paged/none'],
    ['X-Accel-Redirect', 200, '/accel'],
    ['try_files', 200, '/tried/'],
    ['auth_request that allows', 200, '/checked/'],
    ['auth_request that refuses', 401, '/refused/'],
    ['mirror', 200, '/mirrored/'],
    ['slice', 200, '/sliced/'],
    ['101', 101, '/ws', withHeaders(upgrade)],
  ];
  for (const [name, status, url, options] of cases) {
    test(`an answer with ${name}`, async () => {
      const answer = await get(url, options);
      assert.equal(answer.status, status);
      assert.match(answer.issued, /^[0-9a-f]{16}$/);
    });
  }

  test('an answer with 304 whose first tag matched', async () => {
    const { lines } = await get('/files/page', withHeaders(withId('0123456789abcdef')));
    const etag = lines.find(([name]) => name === 'etag')[1];
    const answer = await get('/files/page', withHeaders({ 'if-none-match': etag }));
    assert.equal(answer.status, 304);
    assert.ok(answer.issued);
  });

  test('answers over HTTP/2: a page, gRPC with trailers, gRPC that has nothing but trailers', async () => {
    for (const ask of [
      (session) => ask2(session, '/'),
      (session) => call2(session, 'Say'),
      (session) => call2(session, 'Fail'),
      (session) => ask2(session, '/dead/'),
    ]) {
      const session = connect2(nginx.ports.h2);
      assert.ok((await ask(session)).issued);
      session.close();
    }
  });

  test('answers over TLS, with HTTP/1.1 and with HTTP/2', async () => {
    assert.ok((await ask(nginx.ports.tls, '/', { tls: true })).issued);
    const session = connect2(nginx.ports.tls, { tls: true });
    assert.ok((await ask2(session, '/')).issued);
    session.close();
  });

  test('every answer of one kept connection when the client keeps no cookies', async () => {
    const text = 'GET /status/404 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3) + 'GET /nothing HTTP/1.0\r\n\r\n';
    const answer = await askRaw(nginx.ports.http, text);
    const all = `Set-Cookie: ${answer.cookies[0]}\r\n${answer.body}`;
    assert.equal(all.match(/Set-Cookie: pourover_id=[0-9a-f]{16};/g).length, 4);
    assert.equal(new Set(all.match(/pourover_id=[0-9a-f]{16}/g)).size, 4);
  });
});

describe('no cookie is set', () => {
  const refused = [
    ['494, headers that are too large', 400, `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'a'.repeat(33_000)}\r\n\r\n`],
    ['400, a malformed header', 400, 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'],
    ['400, no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['400, a malformed request line', 400, 'GET\r\n\r\n'],
    ['414, an address that is too long', 414, `GET /${'a'.repeat(33_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['405, TRACE', 405, 'TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ];
  for (const [name, status, text] of refused) {
    test(`with ${name}: Cookie may not have been read`, async () => {
      const answer = await askRaw(nginx.ports.http, text);
      assert.equal(answer.status, status);
      assert.deepEqual(answer.cookies, []);
    });
  }

  test('when a valid one came, whatever the answer is', async () => {
    for (const url of ['/', '/nothing', '/moved', '/status/500', '/dead/', '/files/none', '/named/', '/accel', '/checked/']) {
      const answer = await get(url, withHeaders(withId('0123456789abcdef')));
      assert.deepEqual(answer.cookies, [], url);
    }
  });
});

describe('an id is accepted only in its canonical form:', () => {
  const bad = [
    ['empty', ''],
    ['NaN', 'NaN'],
    ['inf', 'inf'],
    ['-0', '-0'],
    ['1.0', '1.0'],
    ['1e-400', '1e-400'],
    ['0x', '0x'],
    ['0x and digits', '0x23456789abcdef'],
    ['a decimal comma', '0,1'],
    ['15 digits', '0123456789abcde'],
    ['17 digits', '0123456789abcdef0'],
    ['upper case', '0123456789ABCDEF'],
    ['quoted', '"0123456789abcdef"'],
    ['another letter', '0123456789abcdeg'],
    ['a blank inside', '01234567 9abcdef'],
    ['a signature nobody asked for', `0123456789abcdef.${'0'.repeat(32)}`],
    ['4 KB', 'a'.repeat(4096)],
    ['bytes above 127', '0123456789abcd\u00e9\u00e9'],
  ];
  for (const [name, value] of bad) {
    test(`a cookie that is ${name} is replaced`, async () => {
      const answer = await get('/echo', withHeaders({ cookie: Buffer.from(`pourover_id=${value}`, 'latin1').toString('latin1') }));
      assert.equal(answer.status, 200);
      assert.notEqual(answer.issued, value);
    });
  }

  test('one that was edited by hand into another valid one is taken as it is, for want of a signature', async () => {
    assert.deepEqual((await get('/', withHeaders(withId('ffffffffffffffff')))).cookies, []);
  });

  test('of two cookies of the name the first valid one is the id', async () => {
    const two = 'pourover_id=bad; pourover_id=00000000000000aa; pourover_id=00000000000000bb';
    for (const cookie of [two, two.split('; ')]) {
      const answer = await get('/echo', withHeaders({ cookie }));
      const alone = await get('/echo', withHeaders(withId('00000000000000aa')));
      assert.deepEqual(answer.cookies, []);
      assert.equal(answer.json.headers['x-pourover-unit'], alone.json.headers['x-pourover-unit']);
    }
  });

  test('a cookie whose name only ends or begins like ours is no id', async () => {
    const cookie = 'xpourover_id=00000000000000aa; pourover_idx=00000000000000aa; Pourover_id=00000000000000aa';
    assert.ok((await get('/', withHeaders({ cookie }))).issued);
  });
});

describe('with sign= an id', () => {
  const sign = (id) => `${id}.${createHmac('sha256', KEY).update(id).digest('hex').slice(0, 32)}`;
  const asked = (value) => ask(nginx.ports.signed, '/echo', withHeaders(withId(value)));

  test('carries an HMAC and is accepted with it', async () => {
    const issued = (await ask(nginx.ports.signed, '/')).issued;
    assert.equal(issued, sign(issued.slice(0, 16)));
    assert.deepEqual((await asked(issued)).cookies, []);
  });

  test('that the visitor made, cut or moved to another signature is replaced', async () => {
    const good = sign('0123456789abcdef');
    const wrong = [
      good.slice(0, 16),
      good.slice(0, -1),
      `${good}0`,
      `0${good.slice(1, 15)}0${good.slice(16)}`,
      good.slice(0, -1) + (good.endsWith('0') ? '1' : '0'),
      good.replace('.', '-'),
      good.toUpperCase(),
    ];
    for (const value of wrong) assert.notEqual((await asked(value)).issued, value);
  });

  test('is cut by its digits alone', async () => {
    const signed = await asked(sign('0123456789abcdef'));
    const plain = await get('/echo', withHeaders(withId('0123456789abcdef')));
    assert.equal(signed.json.headers['x-pourover-unit'], plain.json.headers['x-pourover-unit']);
  });
});

describe('behind a first tier that runs the module too', () => {
  const front = (headers, url = '/echo') => ask(nginx.ports.front, url, { headers });

  test('a fresh visitor gets one id, which both tiers and the upstream see', async () => {
    for (const cookie of [undefined, 'a=1; b=2', 'pourover_id=bad', 'pourover_id=0123456789ABCDEF; a=1']) {
      const answer = await front(cookie ? { cookie } : {});
      const { headers } = answer.json;
      assert.ok(headers.cookie.includes(`pourover_id=${answer.issued}`), headers.cookie);
      assert.equal(headers.cookie.split(answer.issued).length, 2, headers.cookie);
      for (const pair of (cookie ?? '').split('; ')) assert.ok(headers.cookie.includes(pair));
      const again = await front(withId(answer.issued));
      assert.equal(headers['x-pourover-unit'], again.json.headers['x-pourover-unit']);
    }
  });

  test('other cookies of the upstream pass, one of our name is dropped', async () => {
    const lines = ['Set-Cookie: pourover_id=00000000000000aa; Path=/', 'Set-Cookie: a=1', 'Set-Cookie: pourover_id2=x'];
    const url = `/reply?${lines.map((line) => `header=${encodeURIComponent(line)}`).join('&')}`;
    for (const port of [nginx.ports.http, nginx.ports.front]) {
      const known = await ask(port, url, withHeaders(withId('0123456789abcdef')));
      assert.deepEqual(known.cookies, ['a=1', 'pourover_id2=x']);
      const { cookies } = await ask(port, url);
      assert.deepEqual(cookies.slice(0, 2), ['a=1', 'pourover_id2=x']);
      assert.match(cookies[2], /^pourover_id=(?!00000000000000aa)[0-9a-f]{16};/);
      assert.equal(cookies.length, 3);
    }
  });
});

describe('attributes:', () => {
  const cookieOf = async (host, url = '/', headers = {}) => (await get(url, withHeaders({ host, ...headers }))).cookies;
  const value = /^pourover_id=[0-9a-f]{16}/;
  const rest = async (...args) => (await cookieOf(...args)).map((text) => text.replace(value, ''));

  test('by default a year, the whole host, Lax, HttpOnly', async () => {
    assert.deepEqual(await rest('plain'), ['; Max-Age=31536000; Path=/; SameSite=Lax; HttpOnly']);
  });

  test('each parameter says what is sent', async () => {
    assert.deepEqual(await rest('all'), [
      '; Max-Age=172800; Path=/shop; Domain=example.com; SameSite=None; Partitioned; Secure',
    ]);
    assert.deepEqual(await rest('strict', '/', { 'x-forwarded-proto': 'https' }), [
      '; Max-Age=31536000; Path=/; SameSite=Strict; HttpOnly',
    ]);
  });

  test('Secure comes by itself with TLS here or before us, and not without', async () => {
    const secure = '; Max-Age=31536000; Path=/; SameSite=Lax; HttpOnly; Secure';
    assert.deepEqual(await rest('plain', '/', { 'x-forwarded-proto': 'https' }), [secure]);
    assert.deepEqual(await rest('plain', '/', { 'x-forwarded-proto': 'http' }), [secure.replace('; Secure', '')]);
    const answer = await ask(nginx.ports.tls, '/', { tls: true });
    assert.deepEqual(answer.cookies.map((text) => text.replace(value, '')), [secure]);
    const session = connect2(nginx.ports.tls, { tls: true });
    const second = await ask2(session, '/');
    session.close();
    assert.deepEqual(second.cookies.map((text) => text.replace(value, '')), [secure]);
  });

  test('without consent no id is drawn or sent, with it one is, and one that is there counts', async () => {
    for (const url of ['/echo', '/echo?consent=', '/echo?consent=0']) {
      const answer = await get(url, withHeaders({ host: 'consent' }));
      assert.deepEqual(answer.cookies, [], url);
      assert.equal(answer.json.headers['x-pourover-unit'], undefined);
      assert.equal(answer.json.headers['x-pourover-track'], 'stable');
    }
    assert.ok((await get('/?consent=1', withHeaders({ host: 'consent' }))).issued);
    const known = await get('/echo', withHeaders({ host: 'consent', ...withId('0123456789abcdef') }));
    assert.match(known.json.headers['x-pourover-unit'], /^[0-9a-f]{16}$/);
  });
});

describe('shared caches:', () => {
  const replied = (value) => `/reply?header=${encodeURIComponent(`Cache-Control: ${value}`)}`;
  const told = async (url, options) => (await get(url, options)).all('cache-control');
  const known = withHeaders(withId('0123456789abcdef'));

  test('an answer that sets the cookie is made private, where a cache might keep it', async () => {
    assert.deepEqual(await told('/'), ['private']);
    assert.deepEqual(await told('/moved'), ['private']);
    assert.deepEqual(await told('/files/none'), ['private']);
    assert.deepEqual(await told('/status/500'), []);
    assert.deepEqual(await told(replied('public, max-age=60')), ['private, max-age=60']);
    assert.deepEqual(await told(replied('Public,s-maxage=9,max-age=60')), ['private, max-age=60']);
    assert.deepEqual(await told(replied('private')), ['private']);
    assert.deepEqual(await told(replied('no-store')), ['private, no-store']);
  });

  test('also when nginx itself says that it may be kept', async () => {
    for (const url of ['/expires', '/public', `/expires/..${replied('public, max-age=60')}`]) {
      const lines = (await told(url)).join(', ').split(', ');
      assert.ok(lines.includes('private'), `${url}: ${lines}`);
      assert.ok(!lines.includes('public'), `${url}: ${lines}`);
    }
    assert.deepEqual(await told('/expires'), ['private, max-age=3600']);
  });

  test('other answers are left as they are', async () => {
    assert.deepEqual(await told('/', known), []);
    assert.deepEqual(await told('/expires', known), ['max-age=3600']);
    assert.deepEqual(await told('/public', known), ['public']);
    assert.deepEqual(await told(replied('public,s-maxage=9'), known), ['public,s-maxage=9']);
  });

  test('cache=keep leaves all answers as they are', async () => {
    const answer = await get(replied('public, max-age=60'), withHeaders({ host: 'keep' }));
    assert.ok(answer.issued);
    assert.deepEqual(answer.all('cache-control'), ['public, max-age=60']);
  });

  test('a page out of nginx\'s own cache carries the cookie of whom it goes to, and nobody else\'s', async () => {
    const url = `/cached?header=${encodeURIComponent('Cache-Control: public, max-age=60')}&body=kept`;
    const answers = [];
    answers.push(await get(url));
    assert.equal(answers[0].header('x-cache'), 'MISS');
    await waitUntil(async () => (await get(url, known)).header('x-cache') === 'HIT', 5_000, 'the page in the cache');
    for (let n = 0; n < 2; n += 1) answers.push(await get(url));
    assert.deepEqual(answers.slice(1).map((answer) => answer.header('x-cache')), ['HIT', 'HIT']);
    assert.equal(new Set(answers.map((answer) => answer.issued)).size, 3);
    for (const answer of answers) assert.deepEqual(answer.all('cache-control'), ['private, max-age=60']);
    const visitor = await get(url, known);
    assert.deepEqual([visitor.header('x-cache'), visitor.cookies.length], ['HIT', 0]);
    assert.deepEqual(visitor.all('cache-control'), ['public, max-age=60']);
  });

  test('a Cache-Control of many short directives is made private too', async () => {
    const many = Array.from({ length: 1500 }, (_, n) => `a${n % 10}`);
    assert.deepEqual(await told(`/reply?header=Cache-Control:${many.join(',')}`), [`private, ${many.join(', ')}`]);
  });
});
