// The HTTP/1.1 half of the test upstream: what each path answers. The list of paths is in upstream.mjs.

import { acceptKey, WebSocketSide } from './websocket.mjs';

/** Answers one request of `upstream`, and fills in `entry` of its ledger. */
export function answerHttp(upstream, request, response, entry) {
  const url = new URL(request.url, 'http://upstream');
  const { mode } = upstream;
  response.on('finish', () => {
    entry.status = String(response.statusCode);
  });
  for (const [name, value] of Object.entries(identity(upstream))) response.setHeader(name, value);
  if (mode.hang) return undefined;
  if (mode.reset) return request.socket.resetAndDestroy();
  if (mode.close) return request.socket.destroy();
  if (mode.status) return send(response, mode.status, `${mode.status} by mode\n`);
  if (mode.delay) return setTimeout(() => answerPath(upstream, url, request, response), mode.delay);
  return answerPath(upstream, url, request, response);
}

/** The headers by which every answer says who gave it. */
export function identity(upstream) {
  return { 'x-version': upstream.version, 'x-host': upstream.host };
}

function answerPath(upstream, url, request, response) {
  const [, first, second] = url.pathname.split('/');
  const answer = Object.hasOwn(PATHS, first) ? PATHS[first] : null;
  if (answer) return answer({ request, response, url, value: Number(second) });
  return drain(request, () => send(response, 200, `${upstream.name} ${upstream.version} ${upstream.host}\n`));
}

const PATHS = {
  echo: ({ request, response }) => drain(request, (bytes) => send(response, 200, describe(request, bytes), 'application/json')),
  reply: ({ request, response, url }) => drain(request, () => reply(response, url.searchParams)),
  status: ({ request, response, value }) => drain(request, () => send(response, value, `${value}\n`)),
  slow: ({ response, value }) => setTimeout(() => send(response, 200, 'slow\n'), value),
  hang: () => {},
  close: ({ request }) => request.socket.destroy(),
  reset: ({ request }) => request.socket.resetAndDestroy(),
  cut: ({ request, response }) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('half of it', () => request.socket.destroy());
  },
  stall: ({ response }) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('half of it');
  },
  bytes: ({ response, value }) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    for (let left = value; left > 0; left -= 16_384) response.write(Buffer.alloc(Math.min(left, 16_384), 'x'));
    response.end();
  },
  sse: ({ response, url }) => sendEvents(response, url.searchParams),
};

function drain(request, done) {
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
  });
  request.on('end', () => done(bytes));
}

function send(response, status, body, type = 'text/plain') {
  if ([204, 304].includes(status)) return response.writeHead(status).end();
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  return response.end(body);
}

function describe(request, bytes) {
  const { method, url, headers, rawHeaders, httpVersion } = request;
  return JSON.stringify({ method, url, httpVersion, headers, rawHeaders, bytes });
}

function reply(response, wishes) {
  for (const header of wishes.getAll('header')) {
    const at = header.indexOf(':');
    response.appendHeader(header.slice(0, at), header.slice(at + 1).trim());
  }
  const body = wishes.get('body') ?? 'x'.repeat(Number(wishes.get('length') ?? 0));
  send(response, Number(wishes.get('status') ?? 200), body);
}

function sendEvents(response, wishes) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
  const count = Number(wishes.get('n') ?? 10);
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    response.write(`id: ${sent}\ndata: ${sent}\n\n`);
    if (sent < count) return;
    clearInterval(timer);
    response.end();
  }, Number(wishes.get('every') ?? 100));
  response.on('close', () => clearInterval(timer));
}

/** Opens a websocket that echoes every text. Answers in a mode that fails as plain requests do. */
export function upgradeWebSocket(upstream, request, socket) {
  const entry = upstream.ledger.arrived('websocket', request.headers);
  socket.on('error', () => {});
  if (upstream.mode.status || upstream.mode.close || upstream.mode.reset) return socket.destroy();
  const head = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-accept': acceptKey(request.headers['sec-websocket-key'] ?? ''),
    ...identity(upstream),
  };
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
  entry.status = '101';
  const side = new WebSocketSide(socket, {
    client: false,
    onText: (text) => side.send(text),
    onClose: () => socket.end(),
  });
  socket.on('data', (chunk) => side.push(chunk));
  return socket.on('end', () => socket.end());
}
