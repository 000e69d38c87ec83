// What the module's tests ask a router with: single requests over HTTP/1.1, HTTP/2 and bare sockets, whose answers keep
// every header line; the visitor's cookie in them; calls of the router's API.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { waitUntil } from '../support/wait.mjs';

const TIMEOUT = 20_000;
const ISSUED = /^pourover_id=([0-9a-f]{16}(?:\.[0-9a-f]{32})?);/;

/** An answer: `lines` are [name, value] as they came, names in lower case. */
class Answer {
  constructor(status, lines, body, trailers = {}) {
    Object.assign(this, { status, lines, body, trailers });
  }

  all(name) {
    return this.lines.filter(([key]) => key === name).map(([, value]) => value);
  }

  header(name) {
    return this.all(name).join(', ');
  }

  get cookies() {
    return this.all('set-cookie');
  }

  /** The id that the answer issues; fails unless there is exactly one Set-Cookie with one. */
  get issued() {
    assert.equal(this.cookies.length, 1, `Set-Cookie lines of a ${this.status}: ${JSON.stringify(this.cookies)}`);
    const match = ISSUED.exec(this.cookies[0]);
    assert.ok(match, `no id in Set-Cookie: ${this.cookies[0]}`);
    return match[1];
  }

  get json() {
    return JSON.parse(this.body);
  }
}

function linesOf(raw) {
  const lines = [];
  for (let i = 0; i < raw.length; i += 2) lines.push([raw[i].toLowerCase(), raw[i + 1]]);
  return lines;
}

/**
 * One request over HTTP/1.1, by default on a connection of its own. Options: method, headers (an object; arrays for
 * repeated lines), body, agent, tls (true: without looking at the certificate). An upgraded connection is closed.
 */
export function ask(port, url = '/', { method = 'GET', headers = {}, body, agent = false, tls = false } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: url, method, headers, agent, rejectUnauthorized: false };
    const request = (tls ? https : http).request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        resolve(new Answer(response.statusCode, linesOf(response.rawHeaders), Buffer.concat(chunks).toString()));
      });
      response.on('error', reject);
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(new Answer(response.statusCode, linesOf(response.rawHeaders), ''));
    });
    request.on('error', reject);
    request.setTimeout(TIMEOUT, () => request.destroy(new Error(`no answer to ${method} ${url}`)));
    request.end(body);
  });
}

/** Sends bytes as they are and returns the answer, of which only the head is parsed; the other side has to close. */
export function askRaw(port, text) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', (error) => error.code !== 'ECONNRESET' && reject(error)); // nginx resets what it left unread
    socket.on('close', () => {
      const [head, ...rest] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n');
      const [first, ...lines] = head.split('\r\n');
      const pairs = lines.map((line) => [line.split(':')[0].toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
      resolve(new Answer(Number(first.split(' ')[1]), pairs, rest.join('\r\n\r\n')));
    });
  });
}

/** A session of HTTP/2 for ask2; close it. */
export function connect2(port, { tls = false } = {}) {
  const session = http2.connect(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => {}); // the streams tell
  return session;
}

/** One request over a session. */
export function ask2(session, url = '/', { method = 'GET', headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': url, ...headers }, { endStream: body === undefined });
    const chunks = [];
    let status = 0;
    let lines = [];
    let trailers = {};
    stream.on('response', (head, flags, raw) => {
      status = head[':status'];
      lines = linesOf(raw);
    });
    stream.on('trailers', (head) => {
      trailers = head;
    });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => resolve(new Answer(status, lines, Buffer.concat(chunks).toString(), trailers)));
    stream.setTimeout(TIMEOUT, () => stream.destroy(new Error(`no answer to ${method} ${url}`)));
    if (body !== undefined) stream.end(body);
  });
}

/** A gRPC call (demo.Echo) with an empty message, over a session. */
export function call2(session, method, metadata = {}) {
  const headers = { 'content-type': 'application/grpc', te: 'trailers', ...metadata };
  return ask2(session, `/demo.Echo/${method}`, { method: 'POST', headers, body: Buffer.alloc(5) });
}

/** The value of a Cookie header with this id. */
export const withId = (id, rest = '') => ({ cookie: `pourover_id=${id}${rest}` });

/** GET of the router's API, which has to answer 200; the call is what stands behind /pourover/. */
export async function api(port, call) {
  const answer = await ask(port, `/pourover/${call}`);
  assert.equal(answer.status, 200, `${call}: ${answer.body}`);
  return answer.json;
}

/**
 * Waits until nothing is open but the connection that asks. A request is counted after its answer has gone, and before
 * its connection is closed: only now are all counted. The API's server needs `location = /connections { stub_status; }`.
 */
export async function atRest(port) {
  const open = async () => Number(/^Active connections: (\d+)/.exec((await ask(port, '/connections')).body)[1]);
  await waitUntil(async () => (await open()) === 1, 10_000, 'the end of all requests');
}

/** PUT of a split over the one that holds. */
export async function setSplit(port, service, change) {
  const { split } = await api(port, `v1/services/${service}`);
  const body = JSON.stringify({ revision: split.revision + 1, if_revision: split.revision, ...change });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const answer = await ask(port, `/pourover/v1/services/${service}/split`, { method: 'PUT', headers, body });
  assert.equal(answer.status, 200, answer.body);
}

/** Fields of X-Pourover-Verdict, or null. */
export function verdictOf(answer) {
  const text = answer.header('x-pourover-verdict');
  return text ? Object.fromEntries(text.split(' ').map((pair) => pair.split(/=(.*)/s).slice(0, 2))) : null;
}

/** A fresh key and self-signed certificate for localhost, as PEM. */
export function selfSigned() {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-tls-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(dir, name));
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...args, '-subj', '/CN=localhost', '-keyout', key, '-out', cert], { stdio: 'pipe' });
  const pair = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(dir, { recursive: true });
  return pair;
}
