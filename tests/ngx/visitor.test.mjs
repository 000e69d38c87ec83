// Who a visitor is: ids out of several sources, login, one id for a client's first requests at once but never one for
// many clients; what upstreams are told, and that clients cannot say it for us.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { seeded } from '../support/visitors.mjs';
import { waitUntil } from '../support/wait.mjs';
import { ask, ask2, askRaw, call2, connect2, withId } from './client.mjs';

let nginx;
let upstream;

const servers = {
  cookie: 'id=cookie:pourover_id',
  always: 'id=cookie:pourover_id share_connection=on',
  never: 'id=cookie:pourover_id share_connection=off',
  keep: 'id=$http_x_user,$cookie_uid,cookie:pourover_id',
  switch: 'id=$http_x_user,$cookie_uid,cookie:pourover_id on_login=switch',
  behind: 'id=cookie:pourover_id,$http_x_user on_login=switch',
  stable: 'id=$http_x_user',
  random: 'id=$http_x_user no_id=random',
  off: 'off',
};

const server = (name, visitor, port) => `
  server {
    listen 127.0.0.1:${port} http2;
    server_name ${name};
    pourover_visitor ${visitor};
    add_header X-Id $pourover_id always;
    add_header X-Reason $pourover_reason always;
    location / { proxy_pass http://app; }
    location /demo.Echo/ { grpc_pass grpc://app; }
  }`;

before(async () => {
  upstream = await startUpstream();
  nginx = await startNginx({
    ports: ['http', 'headers', 'pass', 'real', ...Object.keys(servers)],
    http: ({ ports }) => `
      pourover_zone name=main size=1m;
      upstream app { pourover zone=main share=50% salt=r1; server ${upstream.peer}; pourover_server ${upstream.peer} track=canary; }
      underscores_in_headers on;
      ${Object.entries(servers).map(([name, visitor]) => server(name, visitor, ports[name])).join('')}
      server {
        listen 127.0.0.1:${ports.http};
        pourover_visitor id=cookie:pourover_id;
        location / { proxy_pass http://app; }
      }
      server {
        listen 127.0.0.1:${ports.real} http2;
        set_real_ip_from 127.0.0.0/8;
        real_ip_header X-Client;
        pourover_visitor id=cookie:pourover_id;
        location / { proxy_pass http://app; }
      }
      server {
        listen 127.0.0.1:${ports.headers};
        client_header_timeout 500ms;
        pourover_visitor id=cookie:pourover_id;
        location / { proxy_pass http://app; }
        location /quiet/ { pourover_headers off; proxy_pass http://app/; }
        location /other/ { pourover_service off; proxy_pass http://app/; }
        location /error/ { return 500; }
        location /to-quiet/ { proxy_intercept_errors on; error_page 500 = /quiet/echo; proxy_pass http://app/status/500; }
        location /to-other/ { proxy_intercept_errors on; error_page 500 = /other/echo; proxy_pass http://app/status/500; }
        location /back/ { proxy_intercept_errors on; error_page 404 = /echo; pourover_headers off; proxy_pass http://app/status/404; }
        large_client_header_buffers 4 8k;
        error_page 400 414 494 /echo;
      }
      server {
        listen 127.0.0.1:${ports.pass};
        client_header_timeout 500ms;
        pourover_visitor id=cookie:pourover_id;
        pourover_headers pass;
        location / { proxy_pass http://app; }
      }`,
  });
});

after(async () => {
  await nginx?.stop();
  await upstream?.stop();
  nginx.assertCleanLog();
});

/** Over HTTP/2 on a session of its own: {id, reason, cookies, track} */
async function visit(name, headers = {}) {
  const session = connect2(nginx.ports[name]);
  const answer = await ask2(session, '/echo', { headers });
  session.close();
  return { id: answer.header('x-id'), reason: answer.header('x-reason'), cookies: answer.cookies, headers: answer.json.headers };
}

describe('ids out of several sources:', () => {
  test('the first source that has a value is the id, and then no cookie is set', async () => {
    const both = { 'x-user': 'anna', cookie: 'uid=7' };
    for (const [headers, id] of [[{ 'x-user': 'anna' }, 'anna'], [{ cookie: 'uid=7' }, '7'], [both, 'anna']]) {
      const seen = await visit('keep', headers);
      assert.deepEqual([seen.id, seen.cookies], [id, []]);
    }
  });

  test('an empty value and one of more than 256 bytes give way to the next source', async () => {
    for (const user of ['', 'u'.repeat(257)]) {
      assert.equal((await visit('keep', { 'x-user': user, cookie: 'uid=7' })).id, '7');
      const seen = await visit('keep', { 'x-user': user });
      assert.match(seen.id, /^[0-9a-f]{16}$/);
      assert.equal(seen.cookies.length, 1);
    }
    assert.equal((await visit('keep', { 'x-user': 'u'.repeat(256) })).id, 'u'.repeat(256));
  });

  test('a visitor without any gets an issued id', async () => {
    const seen = await visit('keep');
    assert.match(seen.cookies[0], new RegExp(`^pourover_id=${seen.id};`));
  });
});

describe('login in the middle of a visit', () => {
  const issued = '0123456789abcdef';

  test('with on_login=keep changes nothing: the issued id holds, over login and logout', async () => {
    for (const headers of [{}, { 'x-user': 'anna' }, { 'x-user': 'anna', cookie: 'uid=7' }, {}]) {
      const cookie = [headers.cookie, `pourover_id=${issued}`].filter(Boolean).join('; ');
      const seen = await visit('keep', { ...headers, cookie });
      assert.deepEqual([seen.id, seen.cookies], [issued, []]);
    }
  });

  test('with on_login=switch the earlier source takes over, and the issued id comes back with logout', async () => {
    for (const [user, id] of [[undefined, issued], ['anna', 'anna'], [undefined, issued]]) {
      const seen = await visit('switch', { ...(user && { 'x-user': user }), ...withId(issued) });
      assert.deepEqual([seen.id, seen.cookies], [id, []]);
    }
  });

  test('a source that stands behind the cookie never replaces a valid one', async () => {
    assert.equal((await visit('behind', { 'x-user': 'anna', ...withId(issued) })).id, issued);
    assert.equal((await visit('behind', { 'x-user': 'anna' })).id, 'anna');
  });

  test('a bad cookie gives way to the value of another source and is not replaced then', async () => {
    const seen = await visit('keep', { 'x-user': 'anna', ...withId('bad') });
    assert.deepEqual([seen.id, seen.cookies], ['anna', []]);
  });
});

describe('a request that has no id and can get none', () => {
  const many = async (name) => {
    const session = connect2(nginx.ports[name]);
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask2(session, '/echo')));
    session.close();
    assert.ok(answers.every((answer) => answer.header('x-reason') === 'no-id' && answer.cookies.length === 0));
    assert.ok(answers.every((answer) => answer.json.headers['x-pourover-unit'] === undefined));
    return answers.map((answer) => answer.json.headers['x-pourover-track']);
  };

  test('goes to stable by default', async () => {
    assert.deepEqual(new Set(await many('stable')), new Set(['stable']));
  });

  test('with no_id=random is cut by itself, at the share', async () => {
    const canary = (await many('random')).filter((track) => track === 'canary').length;
    assert.ok(canary > 50 && canary < 150, `${canary} of 200 at a share of 50 %`); // 7 standard deviations
  });

  test('is not there with pourover_visitor off: stable, and no cookie', async () => {
    const seen = await visit('off', withId('0123456789abcdef'));
    assert.deepEqual([seen.id, seen.reason, seen.cookies], ['', 'no-id', []]);
    assert.equal(seen.headers['x-pourover-track'], 'stable');
  });
});

describe('one id for the first requests of one client at once:', () => {
  const ids = (answers) => new Set(answers.map((answer) => answer.issued)).size;
  const parallel = async (name, headersOf) => {
    const session = connect2(nginx.ports[name]);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask2(session, '/', { headers: headersOf(n) })));
    session.close();
    return ids(answers);
  };

  test('parallel streams of one HTTP/2 client get one', async () => {
    assert.equal(await parallel('cookie', () => ({})), 1);
  });

  test('gRPC calls over one session get one', async () => {
    const session = connect2(nginx.ports.cookie);
    assert.equal(ids(await Promise.all(Array.from({ length: 8 }, () => call2(session, 'Say')))), 1);
    session.close();
  });

  test('visitors behind a proxy get one each, though they share its connection', async () => {
    for (const name of ['x-forwarded-for', 'via', 'forwarded', 'x-real-ip']) {
      assert.equal(await parallel('cookie', (n) => ({ [name]: `10.0.0.${n}` })), 20, name);
    }
  });

  test('also when the proxy tells the client\'s address by a header that only realip knows', async () => {
    const session = connect2(nginx.ports.real);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask2(session, '/', { headers: { 'x-client': `10.0.0.${n}` } })));
    const direct = await Promise.all(Array.from({ length: 8 }, () => ask2(session, '/')));
    session.close();
    assert.equal(ids(answers), 20);
    assert.equal(ids(direct), 1);
  });

  test('the first requests through a proxy draw no id for a direct client on the same connection', async () => {
    const mixed = await parallel('cookie', (n) => (n % 2 ? { 'x-forwarded-for': '10.0.0.1' } : {}));
    assert.equal(mixed, 11);
  });

  test('who comes without a cookie five seconds after the first gets another', async () => {
    const session = connect2(nginx.ports.cookie);
    const start = Date.now();
    const { issued } = await ask2(session, '/');
    let other = '';
    let asked = 0;
    await waitUntil(async () => {
      const now = (await ask2(session, '/')).issued;
      asked += 1;
      if (now !== issued) other = now;
      return other;
    }, 8000, 'another id on the connection');
    assert.ok(asked > 10 && Date.now() - start > 4900, `after ${Date.now() - start} ms and ${asked} requests`);
    assert.equal((await ask2(session, '/')).issued, other);
    session.close();
  });

  test('bad cookies of one connection are replaced by an id each', async () => {
    assert.equal(await parallel('cookie', () => withId('bad')), 20);
  });

  test('two connections of a client may get two', async () => {
    const both = await Promise.all([visit('cookie'), visit('cookie')]);
    assert.equal(new Set(both.map((seen) => seen.id)).size, 2);
  });

  test('share_connection=off and =on say so for all', async () => {
    assert.equal(await parallel('never', () => ({})), 20);
    assert.equal(await parallel('always', (n) => ({ 'x-forwarded-for': `10.0.0.${n}` })), 1);
  });

  test('requests on a kept connection of HTTP/1.1 never share one', async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const answers = [];
    for (let n = 0; n < 5; n += 1) answers.push(await ask(nginx.ports.http, '/', { agent }));
    agent.destroy();
    assert.equal(ids(answers), 5);
  });
});

describe('upstreams are told', () => {
  const told = async (url = '/echo', options = {}, port = nginx.ports.headers) => (await ask(port, url, options)).json;
  const ours = (json) => json.rawHeaders.filter((name, i) => i % 2 === 0 && /^x[-_]pourover/i.test(name)).map((name) => name.toLowerCase()).sort();
  const names = ['x-pourover-start', 'x-pourover-track', 'x-pourover-unit'];

  test('track, unit and start, once each', async () => {
    const before = Date.now();
    const { headers, ...json } = await told('/echo', { headers: withId('0123456789abcdef') });
    assert.deepEqual(ours(json), names);
    assert.match(headers['x-pourover-unit'], /^[0-9a-f]{16}$/);
    const bucket = (BigInt(`0x${headers['x-pourover-unit']}`) * 1000000n) >> 64n;
    assert.equal(headers['x-pourover-track'], bucket < 500000n ? 'canary' : 'stable');
    const start = Number(headers['x-pourover-start']);
    assert.ok(start >= before - 5 && start <= Date.now() + 5, `${start}, now ${before}`);
  });

  test('nothing where headers are off or no service is named, and then no copy of a client either', async () => {
    for (const url of ['/quiet/echo', '/other/echo', '/to-quiet/', '/to-other/']) {
      const headers = { 'x-pourover-track': 'canary', 'X-Pourover-Anything': '1' };
      assert.deepEqual(ours(await told(url, { headers })), [], url);
    }
  });

  test('track, unit and start again where a redirect leads from silence to a location that tells', async () => {
    assert.deepEqual(ours(await told('/back/')), names);
  });

  test('only our own word: copies that a client sends are gone, in both spellings and any number', async () => {
    const headers = {
      'X-Pourover-Track': ['canary', 'canary', 'stable'],
      'x-pourover-unit': '0000000000000000',
      x_pourover_track: 'canary',
      'X_POUROVER-Start': '1',
      'X-Pourover-Verify': 'x',
      'X-Pourover-Anything': 'else',
    };
    const json = await told('/echo', { headers });
    assert.deepEqual(ours(json), names);
    assert.notEqual(json.headers['x-pourover-unit'], '0000000000000000');
  });

  test('the client\'s other headers as they were, however many there are and wherever ours stood among them', async () => {
    for (const count of [1, 18, 19, 20, 21, 39, 40, 41, 75]) {
      for (const where of ['first', 'last', 'every third', 'all but Host']) {
        const lines = ['Host: the.host', 'Cookie: a=1; pourover_id=0123456789abcdef', 'User-Agent: me'];
        const isOurs = (n) => ({ first: n < 3, last: n >= count - 3, 'every third': n % 3 === 0, 'all but Host': true }[where]);
        for (let n = 0; n < count; n += 1) lines.push(isOurs(n) ? `X-Pourover-Track: no${n}` : `X-Other-${n}: yes${n}`);
        if (where === 'first') lines.push(...lines.splice(0, 3));
        const answer = await askRaw(nginx.ports.headers, `GET /echo HTTP/1.0\r\n${lines.join('\r\n')}\r\n\r\n`);
        const json = JSON.parse(answer.body);
        const name = `${count}, ${where}`;
        const others = Object.entries(json.headers).filter(([key]) => key.startsWith('x-other-'));
        assert.deepEqual(ours(json), names, name);
        assert.deepEqual(
          others.map(([key, value]) => `${key}=${value}`).sort(),
          Array.from({ length: count }, (_, n) => n).filter((n) => !isOurs(n)).map((n) => `x-other-${n}=yes${n}`).sort(),
          name,
        );
        assert.equal(json.headers.cookie, 'a=1; pourover_id=0123456789abcdef', name);
        assert.equal(json.headers['user-agent'], 'me', name);
      }
    }
  });

  test('also over HTTP/2 and gRPC', async () => {
    const session = connect2(nginx.ports.cookie);
    const answer = await ask2(session, '/echo', { headers: { 'x-pourover-track': 'mine', ...withId('0123456789abcdef') } });
    assert.deepEqual(ours(answer.json), names);
    await call2(session, 'Say', { 'x-pourover-track': 'mine', 'x-request-number': 'ours.1' });
    session.close();
    const entry = upstream.ledger.entries.find(({ number }) => number === 'ours.1');
    assert.match(entry.track, /^(stable|canary)$/);
  });

  test('by the tier in front, where headers pass', async () => {
    const headers = { 'x-pourover-track': 'canary', 'x-pourover-unit': 'abc', 'x-pourover-start': '17' };
    const json = await told('/echo', { headers }, nginx.ports.pass);
    for (const [name, value] of Object.entries(headers)) assert.equal(json.headers[name], value);
    assert.deepEqual(ours(json), names);
    assert.deepEqual(ours(await told('/echo', {}, nginx.ports.pass)), []);
  });

  test('our own word even when the error page of a refused request is an upstream\'s', async () => {
    const long = 'a'.repeat(9000);
    const spoof = 'X-Pourover-Track: mine\r\n';
    const refused = [
      'GET\r\n\r\n',
      `GET /${long} HTTP/1.1\r\n\r\n`,
      `GET / HTTP/1.1\r\n${spoof}\r\n`,
      `GET / HTTP/1.1\r\n${spoof}Host: x\r\nHost: y\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: x\r\n${spoof}X-Long: ${long}\r\n\r\n`,
    ];
    for (const text of refused) {
      const answer = await askRaw(nginx.ports.headers, text);
      assert.deepEqual(answer.cookies, []);
      assert.deepEqual(ours(answer.json), ['x-pourover-start', 'x-pourover-track'], text.slice(0, 40));
      assert.equal(answer.json.headers['x-pourover-track'], 'stable');
    }
  });
});

test('mangled requests are refused or answered, with at most one cookie, and each worker lives on', async () => {
  const draw = seeded(1);
  const pick = (list) => list[Math.floor(draw() * list.length)];
  const names = ['Cookie', 'cookie', 'X-Pourover-Track', 'x_pourover_unit', 'X-Pourover-', 'X-Pourover-Verify', 'X-Forwarded-Proto', 'Via', 'A'];
  const pieces = [
    'pourover_id', 'pourover_id=', '0123456789abcdef', '0123456789ABCDEF', '01234567', 'release=new', 'canary', 'https', 'a'.repeat(300),
    '=', ';', '; ', ',', ' ', '\t', '"', '\xff', '%00', '\0', '\r', '\n', ':',
  ];
  const times = (most, make) => Array.from({ length: Math.floor(draw() * most) }, make).join('');
  const line = () => `${draw() < 0.995 ? pick(names) : times(3, () => pick(pieces))}: ${times(6, () => pick(draw() < 0.998 ? pieces.slice(0, -4) : pieces))}\r\n`;
  const request = () => {
    const first = `${pick(['GET', 'GET', 'HEAD', 'PUT', 'TRACE', ''])} ${pick(['/echo', '/', '/quiet/', '/error/', '/%'])} HTTP/1.${pick([0, 1])}\r\n`;
    return `${first}${draw() < 0.9 ? 'Host: x\r\n' : ''}${times(45, line)}Connection: close\r\n\r\n`;
  };
  const statuses = {};
  for (let batch = 0; batch < 50; batch += 1) {
    await Promise.all(Array.from({ length: 30 }, async () => {
      const text = request();
      const answer = await askRaw(pick([nginx.ports.headers, nginx.ports.pass]), text);
      const issued = answer.cookies.filter((cookie) => /^pourover_id=[0-9a-f]{16};/.test(cookie));
      assert.ok(issued.length <= 1 && issued.length === answer.cookies.length, `${JSON.stringify(text)}: ${answer.cookies}`);
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    }));
  }
  assert.ok(statuses[200] > 500, JSON.stringify(statuses));
});
