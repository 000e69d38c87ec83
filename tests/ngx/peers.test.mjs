// Peers: plain server lines taken over, weights, retries inside the track, the way out to stable, kept connections
// that died, TLS sessions, addresses of every family, and what the log says of peers that are gone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { seeded } from '../support/visitors.mjs';
import { waitUntil } from '../support/wait.mjs';
import { openWebSocket } from '../support/longlived.mjs';
import { api, ask, call2, connect2, selfSigned } from './client.mjs';

const upstreams = {};
let nginx;

const peer = (name) => upstreams[name].peer;

const services = (ports) => ({
  adopted: ['share=0', `server ${peer('a')};`, `server ${peer('b')} weight=3;`, `server ${peer('c')} down;`],
  mixed: ['share=100%', `server ${peer('a')};`, `pourover_server ${peer('b')} dc=east;`,
    `pourover_server ${peer('c')} track=canary weight=2;`, `pourover_server ${peer('d')} track=canary;`],
  twice: ['share=0', `server ${peer('a')};`, `server ${peer('b')};`, `server ${peer('b')} weight=2;`],
  halfdead: ['share=100%', `server ${peer('a')};`, `pourover_server ${peer('c')} track=canary;`,
    `pourover_server 127.0.0.1:${ports.dead} track=canary;`],
  dead: ['share=100%', `server ${peer('a')};`, `pourover_server 127.0.0.1:${ports.dead} track=canary;`],
  alldead: ['share=100%', `server 127.0.0.1:${ports.dead};`, `pourover_server 127.0.0.1:${ports.dead2} track=canary;`],
  nocanary: ['share=100%', `server ${peer('a')};`],
  nostable: ['share=0', `pourover_server ${peer('c')} track=canary;`],
  kept: ['share=100%', `server ${peer('a')};`, `pourover_server ${peer('once')} track=canary;`, 'keepalive 4;'],
  families: ['share=0', `server [::1]:${upstreams.v6.port};`, `server unix:${upstreams.unix.address};`],
  tls: ['share=0', `server ${peer('tls1')};`, `server ${peer('tls2')};`],
  named: ['share=0', `server localhost:${upstreams.tls1.port};`],
});

/** `others`: lines of the service adopted. */
function config({ ports, dir }, others = null) {
  const all = Object.entries({ ...services(ports), ...(others && { adopted: ['share=0', ...others] }) });
  return `
    pourover_zone name=main size=4m;
    log_format peers '$request_uri|$upstream_addr|$upstream_status|$pourover_peer';
    proxy_http_version 1.1;
    proxy_set_header Connection '';
    ${all.map(([name, [share, ...lines]]) => `upstream ${name} { pourover zone=main ${share} salt=r1; pourover_passive off; ${lines.join(' ')} }`).join('\n')}
    server {
      listen 127.0.0.1:${ports.http};
      listen 127.0.0.1:${ports.h2} http2;
      access_log ${dir}/peers.log peers;
      pourover_visitor id=$arg_id;
      add_header X-Peer $pourover_peer always;
      add_header X-Reason $pourover_reason always;
      ${all.map(([name]) => `location /${name}/ { pourover_service ${name}; proxy_pass http${/tls|named/.test(name) ? 's' : ''}://${name}/; }`).join('\n')}
      location /mixed-500/ { pourover_service mixed; proxy_next_upstream http_500; proxy_pass http://mixed/; }
      location /mixed-once/ { pourover_service mixed; proxy_next_upstream off; proxy_pass http://mixed/; }
      location /ws { pourover_service adopted; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://adopted; }
      location /tls12/ { pourover_service tls; proxy_ssl_protocols TLSv1.2; proxy_pass https://tls/; }
      location /sni/ { pourover_service named; proxy_ssl_server_name on; proxy_ssl_name $pourover_peer_name; proxy_pass https://named/; }
      location /slow/ { pourover_service adopted; proxy_buffers 4 4k; proxy_max_temp_file_size 64m; proxy_pass http://adopted/; }
      location /demo.Echo/ { pourover_service dead; grpc_pass grpc://dead; }
    }
    server { listen 127.0.0.1:${ports.api}; location /pourover/ { pourover_api; } }`;
}

/** Answers one request a connection properly; a second one closes it without an answer. */
function onceServer() {
  const server = net.createServer((socket) => {
    let requests = 0;
    socket.on('data', () => {
      requests += 1;
      if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Host: once\r\n\r\nonce');
      else socket.destroy();
    });
    socket.on('error', () => {});
  });
  return listening(server);
}

/** An HTTPS server that notes for each connection whether its TLS session was resumed, and its SNI. */
function tlsServer(name, pair) {
  const server = https.createServer(pair, (request, response) => response.setHeader('x-host', name).end(name));
  const seen = [];
  server.on('secureConnection', (socket) => seen.push({ resumed: socket.isSessionReused(), name: socket.servername }));
  return listening(server, { seen });
}

async function listening(server, more = {}, place = { host: '127.0.0.1', port: 0 }) {
  await new Promise((resolve) => server.listen(place, resolve));
  const { port } = server.address();
  return {
    ...more,
    port,
    address: place.path,
    peer: `127.0.0.1:${port}`,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

before(async () => {
  const pair = selfSigned();
  for (const name of ['a', 'b', 'c', 'd']) upstreams[name] = await startUpstream({ version: name, host: name });
  upstreams.once = await onceServer();
  upstreams.tls1 = await tlsServer('tls1', pair);
  upstreams.tls2 = await tlsServer('tls2', pair);
  const answering = (name) => http.createServer((request, response) => response.setHeader('x-host', name).end());
  upstreams.v6 = await listening(answering('v6'), {}, { host: '::1', port: 0 });
  upstreams.unix = await listening(answering('unix'), {}, { path: `/tmp/pourover-peer-${process.pid}.sock` });
  nginx = await startNginx({ ports: ['http', 'h2', 'api', 'dead', 'dead2'], workers: 1, http: (place) => config(place) });
});

after(async () => {
  await nginx?.stop();
  await Promise.all(Object.values(upstreams).map((upstream) => upstream.stop()));
  nginx.assertCleanLog();
});

const get = (url, options) => ask(nginx.ports.http, url, options);
const post = (url) => get(url, { method: 'POST', body: 'text', headers: { 'content-length': 4 } });

/** How often each host answered, of `count` requests one after the other. */
async function hosts(url, count, status = 200) {
  const hosts = {};
  for (let n = 0; n < count; n += 1) {
    const answer = await get(url);
    assert.equal(answer.status, status);
    const host = answer.header('x-host');
    hosts[host] = (hosts[host] ?? 0) + 1;
  }
  return hosts;
}

const service = (name) => api(nginx.ports.api, `v1/services/${name}`);
const peersOf = async (name) =>
  (await service(name)).peers.map(({ address, track, weight, state }) => `${address} ${track} ${weight} ${state}`);

/** Counters of the canary of a service that changed while `act` ran and its requests were counted. */
async function changes(name, requests, act) {
  const read = async () => (await api(nginx.ports.api, `v1/services/${name}/stats`)).tracks.canary;
  const before = await read();
  await act();
  await waitUntil(async () => (await read()).requests === before.requests + requests, 5000, `${requests} requests counted`);
  const now = await read();
  const names = ['requests', 'first_failed', 'retries', 'crossed'];
  return Object.fromEntries(names.map((each) => [each, now[each] - before[each]]));
}

const logged = (url) =>
  readFileSync(path.join(nginx.dir, 'peers.log'), 'utf8').split('\n').map((line) => line.split('|')).filter(([uri]) => uri === url);

describe('the peers of a service', () => {
  test('are its plain server lines, as stable, and its pourover_server lines', async () => {
    assert.deepEqual(await peersOf('adopted'), [
      `${peer('a')} stable 1 ready`, `${peer('b')} stable 3 ready`, `${peer('c')} stable 1 down`,
    ]);
    assert.deepEqual(await peersOf('mixed'), [
      `${peer('a')} stable 1 ready`, `${peer('b')} stable 1 ready`,
      `${peer('c')} canary 2 ready`, `${peer('d')} canary 1 ready`,
    ]);
    assert.equal((await service('mixed')).peers.find(({ address }) => address === peer('b')).dc, 'east');
  });

  test('that are named twice add up their weights', async () => {
    assert.deepEqual(await peersOf('twice'), [`${peer('a')} stable 1 ready`, `${peer('b')} stable 3 ready`]);
  });

  test('are used by their weights, and never while they are down', async () => {
    const seen = await hosts('/adopted/', 400);
    assert.deepEqual(Object.keys(seen).sort(), ['a', 'b']);
    assert.ok(seen.b > 250 && seen.b < 350, JSON.stringify(seen)); // 300 expected, 5.8 standard deviations
  });

  test('of the other track get nothing', async () => {
    const seen = await hosts('/mixed/?id=x', 60);
    assert.deepEqual(Object.keys(seen).sort(), ['c', 'd']);
  });

  test('may have IPv6 addresses and sockets of files', async () => {
    assert.deepEqual(Object.keys(await hosts('/families/', 40)).sort(), ['unix', 'v6']);
    const addresses = (await service('families')).peers.map(({ address }) => address);
    assert.deepEqual(addresses, [`[::1]:${upstreams.v6.port}`, `unix:${upstreams.unix.address}`]);
  });

  test('count their requests, failures and what is in flight', async () => {
    const at = async (address) => (await service('adopted')).peers.find((each) => each.address === address);
    const total = async () => (await at(peer('a'))).in_flight + (await at(peer('b'))).in_flight;
    assert.equal(await total(), 0);
    let outcome;
    const target = { host: '127.0.0.1', port: nginx.ports.http };
    openWebSocket(target, '/ws', 'Host: x\r\n', 1, (seen) => { outcome = seen; });
    await waitUntil(async () => (await total()) === 1, 5000, 'a websocket in flight');
    await waitUntil(() => outcome, 5000, 'the end of the websocket');
    assert.equal(outcome.failed, '');
    await waitUntil(async () => (await total()) === 0, 5000, 'nothing in flight');
  });
});

test('clients that go away at any moment leave nothing in flight', async () => {
  const urls = ['/adopted/', '/adopted/slow/30', '/adopted/hang', '/adopted/bytes/3000000', '/halfdead/?id=x', '/dead/hang?id=x', '/tls/', '/kept/?id=x'];
  const draw = seeded(3);
  await Promise.all(Array.from({ length: 300 }, () => new Promise((resolve) => {
    const socket = net.connect(nginx.ports.http, '127.0.0.1', () => {
      socket.write(`GET ${urls[Math.floor(draw() * urls.length)]} HTTP/1.1\r\nHost: x\r\n\r\n`);
      setTimeout(() => socket.resetAndDestroy(), draw() * 60);
    });
    socket.on('error', () => {});
    socket.on('close', resolve);
  })));
  for (const name of ['adopted', 'halfdead', 'dead', 'tls', 'kept']) {
    const inFlight = async () => (await service(name)).peers.map((each) => each.in_flight);
    await waitUntil(async () => (await inFlight()).every((count) => count === 0), 5000, `nothing in flight of ${name}`);
  }
});

describe('a retry', () => {
  test('goes to another peer of the track, for GET and for a POST that was not sent', async () => {
    for (const ask of [get, post]) {
      const before = await service('halfdead');
      const counts = await changes('halfdead', 20, async () => {
        for (let n = 0; n < 20; n += 1) assert.equal((await ask('/halfdead/?id=x')).header('x-host'), 'c');
      });
      const failures = (at) => at.peers.find(({ address }) => address.endsWith(`:${nginx.ports.dead}`)).failures;
      const failed = failures(await service('halfdead')) - failures(before);
      assert.ok(failed > 0, 'the dead peer was chosen');
      assert.deepEqual(counts, { requests: 20, first_failed: failed, retries: failed, crossed: 0 });
    }
  });

  test('after an answer that the configuration calls a failure stays on the track too, and crosses when it is used up', async () => {
    upstreams.c.setMode({ status: 500 });
    for (let n = 0; n < 10; n += 1) assert.equal((await get('/mixed-500/?id=x')).header('x-host'), 'd');
    upstreams.d.setMode({ status: 500 });
    const counts = await changes('mixed', 10, async () => {
      for (let n = 0; n < 10; n += 1) assert.match((await get('/mixed-500/?id=x')).header('x-host'), /^[ab]$/);
    });
    assert.deepEqual(counts, { requests: 10, first_failed: 10, retries: 20, crossed: 10 });
    const once = await changes('mixed', 5, () => hosts('/mixed-once/?id=x', 5, 500));
    assert.deepEqual([once.retries, once.crossed], [0, 0]);
    upstreams.c.setMode({});
    upstreams.d.setMode({});
  });

  test('from the single canary that refuses goes to stable at once, POST and gRPC too', async () => {
    for (const ask of [get, post]) {
      const counts = await changes('dead', 5, async () => {
        for (let n = 0; n < 5; n += 1) {
          const answer = await ask('/dead/echo?id=x');
          assert.deepEqual([answer.status, answer.header('x-host'), answer.header('x-reason')], [200, 'a', 'split']);
          assert.equal(answer.json.headers['x-pourover-track'], 'canary');
          assert.equal(answer.header('x-peer'), peer('a'));
        }
      });
      assert.deepEqual(counts, { requests: 5, first_failed: 5, retries: 5, crossed: 5 });
    }
    const session = connect2(nginx.ports.h2);
    const counts = await changes('dead', 1, async () => {
      const call = await call2(session, 'Say?id=x');
      assert.equal(call.status, 200);
      assert.equal(call.header('x-host'), 'a');
    });
    session.close();
    assert.deepEqual(counts, { requests: 1, first_failed: 1, retries: 1, crossed: 1 });
  });

  test('that finds no peer left on any track ends in 502', async () => {
    const counts = await changes('alldead', 1, async () => assert.equal((await get('/alldead/?id=x')).status, 502));
    assert.equal(counts.first_failed, 1);
  });
});

test('a canary without peers falls back to stable, and the header that upstreams get is true', async () => {
  const answer = await get('/nocanary/echo?id=x');
  assert.deepEqual([answer.header('x-host'), answer.header('x-reason')], ['a', 'fallback']);
  assert.equal(answer.json.headers['x-pourover-track'], 'stable');
});

test('a stable track without peers answers 502, not with the canary', async () => {
  assert.equal((await get('/nostable/?id=x')).status, 502);
});

test('a kept connection that died is opened anew, also when the track has one peer, and counts as no failure', async () => {
  const counts = await changes('kept', 12, async () => {
    assert.deepEqual(await hosts('/kept/?id=x', 12), { once: 12 });
  });
  assert.deepEqual(counts, { requests: 12, first_failed: 0, retries: 0, crossed: 0 });
  const tries = logged('/kept/?id=x').map(([, addresses]) => addresses.split(', ').length);
  assert.ok(tries.includes(2), `a dead connection was met: ${tries}`);
  const once = (await service('kept')).peers.find(({ track }) => track === 'canary');
  assert.deepEqual([once.failures, once.in_flight], [0, 0]);
});

describe('TLS to peers', () => {
  for (const [version, url] of [['1.3', '/tls/'], ['1.2', '/tls12/']]) {
    test(`resumes the session of each peer, with TLS ${version}`, async () => {
      for (const name of ['tls1', 'tls2']) upstreams[name].seen.length = 0;
      const seen = await hosts(url, 30);
      assert.equal(seen.tls1 + seen.tls2, 30);
      for (const name of ['tls1', 'tls2']) {
        const connections = upstreams[name].seen;
        assert.equal(connections.length, seen[name]);
        assert.ok(connections.slice(1).every(({ resumed }) => resumed), JSON.stringify(connections));
      }
    });
  }

  test('can name the peer as it was configured', async () => {
    upstreams.tls1.seen.length = 0;
    assert.deepEqual(await hosts('/sni/', 3), { tls1: 3 });
    assert.deepEqual(upstreams.tls1.seen[0], { resumed: false, name: 'localhost' });
    assert.ok(upstreams.tls1.seen[1].resumed);
  });
});

describe('$upstream_addr', () => {
  test('tells each attempt\'s own peer', async () => {
    await get('/dead/?id=two');
    await waitUntil(() => logged('/dead/?id=two').length === 1, 5000, 'a line of the log');
    const [[, addresses, statuses, last]] = logged('/dead/?id=two');
    assert.deepEqual([addresses, statuses], [`127.0.0.1:${nginx.ports.dead}, ${peer('a')}`, '502, 200']);
    assert.equal(last, peer('a'));
  });

  test('is that of the peer that answered, though a slow client ends after another peer took its place', async () => {
    const url = '/slow/bytes/8000000';
    const before = [peer('a'), peer('b')];
    const socket = net.connect({ port: nginx.ports.http, host: '127.0.0.1' });
    socket.write(`GET ${url} HTTP/1.0\r\n\r\n`);
    await new Promise((resolve) => socket.once('readable', resolve)); // and read no more
    const inFlight = async () => (await service('adopted')).tracks.stable.in_flight;
    await waitUntil(async () => (await inFlight()) === 0, 10_000, 'the answer read from the peer');

    nginx.writeConfig({ http: (place) => config(place, [`server ${peer('c')};`, `server ${peer('d')};`]) });
    await nginx.reload();
    assert.deepEqual((await peersOf('adopted')).map((line) => line.split(' ')[0]).sort(), [peer('c'), peer('d')].sort());
    assert.equal(logged(url).length, 0);

    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    await waitUntil(() => logged(url).length === 1, 5000, 'a line of the log');
    assert.ok(before.includes(logged(url)[0][1]), `${logged(url)[0][1]} is none of ${before}`);
  });
});
