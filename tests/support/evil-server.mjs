// A gRPC server that misbehaves as it is told by the method's name: `node evil-server.mjs DIR`. In DIR it makes certificates and a
// unix socket. Prints one line, {"ports": {name: port}, "unix": path, "ca": path, "client": {"cert", "key"}}, and ends when its
// standard input ends. Methods: evil.proto; ports:
//
//   plain, ipv6        all methods; `unix` is a socket of the same
//   one                MAX_CONCURRENT_STREAMS = 1
//   tls                a good certificate, ALPN h2
//   tlsNoAlpn, tlsHttp1Only, tlsSelfSigned, tlsWrongName, tlsExpired, tlsClientCert
//   mute               takes connections and says nothing, ever
//   afterPreface       says nothing after its SETTINGS
//   http1, banner, drop    HTTP/1.1 only; a line of text at once; closes at once
//   closed             nobody listens
//   full               connections never come about
//   reflect...         plain, with each kind of evil-reflection.mjs

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { makeCertificates, readPair } from './certificates.mjs';
import { requirePackage, untilStdinEnds } from './child-server.mjs';
import { PLAYS, reply } from './evil-plays.mjs';
import { REFLECTIONS, reflectedFiles } from './evil-reflection.mjs';
import { EvilConnection, grpcFrame } from './evil-wire.mjs';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const [dir] = process.argv.slice(2);
const { root } = requirePackage('protobufjs').parse(readFileSync(path.join(HERE, 'evil.proto'), 'utf8'));
const Request = root.lookupType('evil.v1.Request');
const EARLY = ['EarlyOk', 'EarlyError', 'EarlyWithoutReset', 'NeverReads', 'BothBlock', 'WindowShrinks', 'WindowDrips', 'CountRequests', 'ServerEndsFirst', 'ResetWhileSending',
  'CloseWhileSending'];

function compile() {
  const set = path.join(dir, 'reflected.pb');
  execFileSync('protoc', ['-I', HERE, '--include_imports', `--descriptor_set_out=${set}`, 'reflected/service.proto'], { timeout: 30_000 });
  return readFileSync(set);
}

/** Plays what the path asks for; plays of one request see it whole. */
async function onStream(s, reflection, files) {
  const [, service, method] = s.path.split('/');
  const version = /^grpc\.reflection\.(v1|v1alpha)\.ServerReflection$/.exec(service)?.[1];
  if (version && reflection) return reflection(s, version, files);
  if (s.path === '/evil.v1.Reflected/Say') {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('said')));
    return s.sendTrailers(0);
  }
  const play = service === 'evil.v1.Evil' && Object.hasOwn(PLAYS, method) ? PLAYS[method] : null;
  if (!play) return s.sendTrailersOnly(12, `the evil server has no ${s.path}`);
  if (EARLY.includes(method)) return play(s, {});
  const bytes = await s.message();
  return play(s, Request.toObject(Request.decode(bytes ?? Buffer.alloc(0)), { defaults: true }));
}

const serve = (options = {}) => (socket) => {
  const connection = new EvilConnection(socket, options, (stream) => {
    if (options.silent) return;
    Promise.resolve(onStream(stream, options.reflection, options.files)).catch((error) => {
      console.error(error);
      connection.destroy();
    });
  });
};

const listen = (server, ...where) => new Promise((resolve, reject) => {
  server.once('error', reject);
  server.listen(...where, () => resolve(server.address().port));
});

async function closedPort() {
  const server = net.createServer();
  const port = await listen(server, 0, '127.0.0.1');
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function fullPort() {
  const child = spawn('/usr/bin/python3', [path.join(HERE, 'full-backlog.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  return Number(line);
}

async function main() {
  const certificates = makeCertificates(dir);
  const files = reflectedFiles(compile());
  const h2 = { ALPNProtocols: ['h2'] };
  const secure = (pair, more) => {
    const server = tls.createServer({ ...readPair(pair), ...more }, serve());
    server.on('tlsClientError', () => {});
    return server;
  };
  const ca = readFileSync(certificates.ca);
  const quiet = (socket) => socket.on('error', () => {}).resume();
  const servers = {
    plain: net.createServer(serve()),
    one: net.createServer(serve({ settings: { maxStreams: 1 } })),
    tls: secure(certificates.good, h2),
    tlsNoAlpn: secure(certificates.good),
    tlsHttp1Only: secure(certificates.good, { ALPNProtocols: ['http/1.1'] }),
    tlsSelfSigned: secure(certificates.self, h2),
    tlsWrongName: secure(certificates.wrongName, h2),
    tlsExpired: secure(certificates.expired, h2),
    tlsClientCert: secure(certificates.good, { ...h2, ca, requestCert: true, rejectUnauthorized: true }),
    mute: net.createServer(quiet),
    afterPreface: net.createServer(serve({ silent: true })),
    http1: http.createServer((request, response) => response.end('hello')),
    banner: net.createServer((socket) => quiet(socket).write('SSH-2.0-OpenSSH_9.2\r\n')),
    drop: net.createServer((socket) => quiet(socket).destroy()),
  };
  for (const [kind, reflection] of Object.entries(REFLECTIONS)) {
    servers[`reflect${kind[0].toUpperCase()}${kind.slice(1)}`] = net.createServer(serve({ reflection, files }));
  }
  const ports = { closed: await closedPort(), full: await fullPort() };
  for (const [name, server] of Object.entries(servers)) ports[name] = await listen(server, 0, '127.0.0.1');
  ports.ipv6 = await listen(net.createServer(serve()), 0, '::1').catch(() => null);
  const unix = path.join(dir, 'evil.sock');
  await listen(net.createServer(serve()), unix);
  console.log(JSON.stringify({ ports, unix, ca: certificates.ca, client: certificates.client }));
}

untilStdinEnds();
await main();
