// Active checks: what each kind of answer makes of a peer, how many in a row it takes, TLS, gRPC, plain TCP, and what
// is sent. What happens when the one who checks changes is in checker.test.mjs.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, selfSigned } from './client.mjs';

const OK = { health: 'up', reason: 'ok' };
const upstreams = {};
const servers = {};
const seen = []; // requests at the server `picky`
let nginx;

/** An http server with this handler, listening; or a TCP one. */
function listen(server, where = 0) {
  return new Promise((resolve) => server.listen(where, where === 0 ? '127.0.0.1' : undefined, () => resolve(server)));
}

const peer = (name) => (upstreams[name] ? upstreams[name].peer : `127.0.0.1:${servers[name].address().port}`);

/** A server that says `greeting`, and answers every line that comes with `answer`. */
const liner = (greeting, answer) => net.createServer((socket) => {
  socket.on('error', () => {});
  if (greeting) socket.write(greeting);
  socket.on('data', () => answer && socket.write(answer));
});

/** Answers by path: /header, /late-text, /told, /envoy, and notes what it was asked for. */
function picky(request, response) {
  seen.push({ method: request.method, url: request.url, headers: request.headers });
  const answers = {
    '/header': () => response.writeHead(200, { 'X-Version': 'v42-rc1' }).end(),
    '/late-text': () => {
      response.writeHead(200);
      response.write('are we rea');
      setTimeout(() => response.end('dy now?'), 20);
    },
    '/told': () => response.writeHead(200, { 'X-Pourover-Fail': '1' }).end('fine'),
    '/envoy': () => response.writeHead(200, { 'x-envoy-immediate-health-check-fail': 'true' }).end('fine'),
  };
  (answers[request.url] ?? (() => response.end('plain')))();
}

// name: [peer's server, parameters of pourover_check, what the API shows; `text` is a pattern]
const CASES = {
  ok: ['good', 'http', OK, /^status 200$/],
  dead: ['dead', 'http', { health: 'down', reason: 'connect' }, /^Connection refused$/],
  hangs: ['hang', 'http timeout=200ms', { health: 'down', reason: 'timeout' }, /^no answer within 200 ms$/],
  late: ['late', 'http timeout=200ms', { health: 'down', reason: 'timeout' }, /^no answer within 200 ms$/],
  broken: ['status500', 'http', { health: 'down', reason: 'status' }, /^status 500$/],
  closes: ['closes', 'http', { health: 'down', reason: 'closed' }, /^closed before an answer$/],
  resets: ['resets', 'http', { health: 'down', reason: 'closed' }, /^closed before an answer$/],
  speaksssh: ['ssh', 'http', { health: 'down', reason: 'protocol' }, /no HTTP\/1/],
  listed: ['status500', 'http status=200,500-502', OK, /^status 500$/],
  unlisted: ['good', 'http status=201-204', { health: 'down', reason: 'status' }, /^status 200$/],
  header: ['picky', 'http uri=/header "header=x-version: 42"', OK, /^status 200$/],
  noheader: ['picky', 'http uri=/header "header=X-Version: 43"', { health: 'down', reason: 'header' }, /is "v42-rc1"$/],
  body: ['picky', 'http uri=/late-text body=ready', OK, /^status 200$/],
  nobody: ['picky', 'http uri=/late-text body=rEady', { health: 'down', reason: 'body' }, /has no "rEady"$/],
  told: ['picky', 'http uri=/told', { health: 'down', reason: 'told' }, /X-Pourover-Fail/],
  envoy: ['picky', 'http uri=/envoy', { health: 'down', reason: 'told' }, /x-envoy-immediate/],
  asked: ['picky', 'http uri=/asked?a=b method=HEAD host=shop.example', OK, /^status 200$/],
  unix: ['unix', 'http', OK, /^status 200$/],

  connects: ['mute', 'tcp', OK, /^connected$/],
  expects: ['redis', 'tcp send=PING\\x0d\\n expect=+PONG', OK, /^the peer said "\+PONG"$/],
  greets: ['ssh', 'tcp expect=SSH-2.0-', OK, /^the peer said "SSH-2.0-"$/],
  silent: ['mute', 'tcp timeout=200ms send=PING expect=+PONG', { health: 'down', reason: 'timeout' }, /no answer/],
  otherport: ['dead', 'tcp port=PORT', OK, /^connected$/],

  serving: ['grpc', 'grpc service=demo.Echo', OK, /^SERVING$/],
  wholeserver: ['grpc', 'grpc', OK, /^SERVING$/],
  notserving: ['grpc', 'grpc service=demo.Sick', { health: 'down', reason: 'not-serving' }, /^NOT_SERVING$/],
  stranger: ['grpc', 'grpc service=demo.None', { health: 'down', reason: 'service-unknown' }, /^grpc-status 5/],
  unimplemented: ['good', 'grpc', { health: 'down', reason: 'unimplemented' }, /^grpc-status 12/],
  nogrpc: ['picky', 'grpc', { health: 'down', reason: 'protocol' }, /no HTTP\/2/],
  grpctls: ['grpctls', 'grpc service=demo.Echo tls=on', OK, /^SERVING$/],

  tls: ['grpctls', 'http tls=on', OK, /^status 200$/],
  verified: ['grpctls', 'http tls=on tls_name=localhost tls_verify=DIR/cert.pem', OK, /^status 200$/],
  othername: ['grpctls', 'http tls=on tls_name=shop tls_verify=DIR/cert.pem', { health: 'down', reason: 'tls' }, /not for shop$/],
  untrusted: ['grpctls', 'http tls=on tls_name=localhost tls_verify=DIR/other.pem', { health: 'down', reason: 'tls' }, /self.signed/],
  notls: ['good', 'http tls=on', { health: 'down', reason: 'tls' }, /handshake failed$/],
  hangstls: ['mute', 'http tls=on timeout=200ms', { health: 'down', reason: 'timeout' }, /^no end of the TLS handshake within 200 ms$/],
};

function config({ ports, dir }) {
  const block = ([name, [server, check]]) => {
    const text = check.replaceAll('DIR', dir).replace('PORT', servers.mute.address().port);
    const address = server === 'dead' ? `127.0.0.1:${ports.dead}` : server === 'unix' ? `unix:${dir}/app.sock` : peer(server);
    return `upstream ${name} { pourover zone=main; server ${address}; pourover_check ${text.replace(/^\w+/, '$& interval=300ms')}; }`;
  };
  return `
    pourover_zone name=main size=4m;
    ${Object.entries(CASES).map(block).join('\n')}
    server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`;
}

before(async () => {
  const [tls, other] = [selfSigned(), selfSigned()];
  for (const name of ['good', 'hang', 'late', 'status500', 'closes', 'resets', 'grpc']) upstreams[name] = await startUpstream();
  upstreams.grpctls = await startUpstream({ tls });
  upstreams.hang.setMode({ hang: true });
  upstreams.late.setMode({ delay: 600 });
  upstreams.status500.setMode({ status: 500 });
  upstreams.closes.setMode({ close: true });
  upstreams.resets.setMode({ reset: true });
  upstreams.grpc.serving = { '': 1, 'demo.Echo': 1, 'demo.Sick': 2 };
  upstreams.grpctls.serving = upstreams.grpc.serving;
  servers.picky = await listen(http.createServer(picky));
  servers.ssh = await listen(liner('SSH-2.0-OpenSSH_9.2\r\n'));
  servers.redis = await listen(net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(bytes.toString() === 'PING\r\n' ? '+PONG\r\n' : '-ERR\r\n'));
  }));
  servers.mute = await listen(liner());
  nginx = await startNginx({
    ports: ['http', 'dead'],
    http: (place) => {
      writeFileSync(path.join(place.dir, 'cert.pem'), tls.cert);
      writeFileSync(path.join(place.dir, 'other.pem'), other.cert);
      return config(place);
    },
  });
  servers.unix = await listen(http.createServer((request, response) => response.end('by path')), path.join(nginx.dir, 'app.sock'));
});

after(async () => {
  await nginx?.stop();
  for (const each of Object.values(upstreams)) await each.stop();
  for (const each of Object.values(servers)) each.close();
  nginx?.assertCleanLog();
  nginx?.remove();
});

const peersOf = async (service, port = nginx.ports.http) => (await api(port, `v1/services/${service}`)).peers;

describe('one check decides about a new peer:', () => {
  for (const [name, [, check, expected, text]] of Object.entries(CASES)) {
    test(`${name} (${check}) is ${expected.health}, ${expected.reason}`, async () => {
      const one = await waitUntil(async () => {
        const [first] = await peersOf(name);
        return first.health === expected.health && first.check.reason === expected.reason && first;
      }, 10_000, `${name} ${JSON.stringify(expected)}`);
      assert.match(one.check.text, text);
      assert.ok(one.check.streak >= 1);
      assert.ok(Math.abs(Date.now() - one.check.at_ms) < 10_000, `at_ms ${one.check.at_ms}`);
      assert.equal(one.state, 'ready', 'health says nothing of what was asked of a peer');
    });
  }
});

test('a check says who asks, and asks for what the directive says', async () => {
  const request = await waitUntil(() => seen.find(({ url }) => url === '/asked?a=b'), 5_000, 'the check');
  assert.equal(request.method, 'HEAD');
  assert.deepEqual(request.headers, { host: 'shop.example', 'user-agent': 'pourover-check', accept: '*/*', connection: 'close' });
  assert.equal(seen.find(({ url }) => url === '/header').headers.host, 'header', 'the name of the service');
});

test('the time that a check took is told', async () => {
  const [slow] = await peersOf('hangs');
  assert.ok(slow.check.took_us > 150_000 && slow.check.took_us < 5_000_000, JSON.stringify(slow.check));
});

/** A router with one service `app` of these peers; `check` stands behind "pourover_check http". */
async function withRouter({ peers, check, workers = 2, more = '' }, run) {
  const router = await startNginx({
    workers,
    http: ({ ports }) => `
      pourover_zone name=main size=4m;
      upstream app { pourover zone=main; ${peers.join(' ')} pourover_check http ${check}; ${more} }
      server {
        listen 127.0.0.1:${ports.http};
        location / { proxy_pass http://app; }
        location /pourover/ { pourover_api; }
      }`,
  });
  const show = () => peersOf('app', router.ports.http);
  try {
    await run(router, show);
  } finally {
    await router.stop();
    router.assertCleanLog();
    router.remove();
  }
}

/** Polls the peer until `done`; every look has to pass `always`. */
async function follow(show, done, always) {
  return waitUntil(async () => {
    const [one] = await show();
    always(one);
    return done(one) && one;
  }, 20_000, String(done));
}

describe('so many in a row:', () => {
  for (const [fall, rise] of [[1, 1], [10, 4]]) {
    test(`fall=${fall} rise=${rise}`, async () => {
      const upstream = await startUpstream();
      const peers = [`server ${upstream.peer};`];
      await withRouter({ peers, check: `interval=100ms fall=${fall} rise=${rise}` }, async (router, show) => {
        await follow(show, (one) => one.health === 'up', () => {});
        upstream.setMode({ status: 500 });
        await follow(show, (one) => one.health === 'down', ({ health, check }) => {
          if (check.reason === 'status') assert.equal(health, check.streak >= fall ? 'down' : 'up', JSON.stringify(check));
        });
        upstream.setMode({});
        const back = await follow(show, (one) => one.health === 'up', ({ health, check }) => {
          if (check.reason === 'ok') assert.equal(health, check.streak >= rise ? 'up' : 'down', JSON.stringify(check));
        });
        assert.equal(back.check.changes, 2);
      });
      await upstream.stop();
    });
  }

  test('a peer that flaps faster than fall stays up', async (t) => {
    let requests = 0;
    const server = await listen(http.createServer((request, response) => {
      requests += 1;
      response.writeHead(requests % 3 === 1 ? 200 : 500).end(); // passes first, then never thrice in a row
    }));
    t.after(() => server.close());
    const peers = [`server 127.0.0.1:${server.address().port};`];
    await withRouter({ peers, check: 'interval=400ms fall=3 rise=1' }, async (router, show) => {
      await follow(show, (one) => one.health === 'up', () => {});
      await waitUntil(async () => {
        const [one] = await show();
        assert.equal(one.health, 'up', JSON.stringify(one));
        assert.equal(one.check.changes, 0);
        return requests > 12;
      }, 30_000, '12 checks');
    });
  });

  test('a told peer is down at once, and needs as many passes as any other', async () => {
    const headers = {};
    const server = await listen(http.createServer((request, response) => response.writeHead(200, headers).end()));
    const peers = [`server 127.0.0.1:${server.address().port};`];
    await withRouter({ peers, check: 'interval=100ms fall=10 rise=3' }, async (router, show) => {
      await follow(show, (one) => one.health === 'up', () => {});
      headers['X-Pourover-Fail'] = '1';
      await follow(show, (one) => one.health === 'down', ({ health, check }) => {
        if (check.reason === 'told') assert.equal(health, 'down', JSON.stringify(check));
      });
      delete headers['X-Pourover-Fail'];
      await follow(show, (one) => one.health === 'up', ({ health, check }) => {
        if (check.reason === 'ok') assert.equal(health, check.streak >= 3 ? 'up' : 'down', JSON.stringify(check));
      });
    });
    server.close();
  });
});

test('the first check comes at once, and peers that are down by order are checked too', async () => {
  const upstream = await startUpstream();
  const peers = [`server ${upstream.peer};`, `server 127.0.0.2:${upstream.port} down;`];
  const other = await startUpstream({ address: '127.0.0.2', port: upstream.port });
  await withRouter({ peers, check: 'interval=1h' }, async (router, show) => {
    const both = await waitUntil(async () => {
      const all = await show();
      return all.every(({ health }) => health === 'up') && all;
    }, 10_000, 'both checked');
    assert.deepEqual(both.map(({ state }) => state), ['ready', 'down']);
    assert.deepEqual(both.map(({ check }) => check.streak), [1, 1]);
    assert.deepEqual(both.map(({ check }) => check.changes), [0, 0]);
  });
  await upstream.stop();
  await other.stop();
});

test('requests go to the peer that passes', async () => {
  const [good, bad] = [await startUpstream({ version: 'good' }), await startUpstream({ version: 'bad' })];
  bad.setMode({ status: 500 });
  const peers = [good, bad].map((each) => `server ${each.peer};`);
  await withRouter({ peers, check: 'interval=200ms' }, async (router, show) => {
    await waitUntil(async () => (await show()).map(({ health }) => health).join() === 'up,down', 10_000, 'both checked');
    bad.setMode({});
    const versions = [];
    // fewer than two checks of the other peer can pass meanwhile: rise is 2
    while ((await show())[1].health === 'down' && versions.length < 10) {
      const answer = await ask(router.ports.http);
      if ((await show())[1].health === 'down') versions.push(answer.header('x-version'));
    }
    assert.ok(versions.length > 0 && versions.every((version) => version === 'good'), versions.join());
  });
  await good.stop();
  await bad.stop();
});
