// What the tests of events share: a router before two versions, its events and statistics, visitors and their units.

import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { startNginx } from '../support/nginx.mjs';
import { bucketOf, unitOf } from '../support/router-api.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { waitUntil } from '../support/wait.mjs';
import { api, ask, atRest } from './client.mjs';

export const SALT = 'r1';
export const SHARE = 300_000;
export let nginx;
export let versions;
let config;

/** Both versions as peers of a service. */
export const peers = () => `server ${versions.stable.peer}; pourover_server ${versions.canary.peer} track=canary;`;

/** An upstream block with a share of SHARE. */
export const service = (name, lines = peers(), more = '') =>
  `upstream ${name} { pourover zone=main share=30% salt=${SALT} ${more}; pourover_passive off; ${lines} }`;

/** Starts versions and router. services, locations: parts of the configuration, functions of {ports, dir}. */
export async function begin({ services, locations }) {
  versions = {
    stable: await startUpstream({ version: 'stable' }),
    canary: await startUpstream({ version: 'canary' }),
    broken: await startUpstream({ version: 'broken' }),
  };
  versions.broken.setMode({ status: 503 });
  config = (place) => `
    pourover_zone name=main size=16m;
    log_format attempts '$http_x_user_id|$upstream_addr|$status|$pourover_track';
    ${services(place)}
    server {
      listen 127.0.0.1:${place.ports.http};
      listen 127.0.0.1:${place.ports.h2} http2;
      pourover_visitor id=$http_x_user_id;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      keepalive_requests 1000000;
      ${locations(place)}
    }
    server { listen 127.0.0.1:${place.ports.api}; location /pourover/ { pourover_api; } location = /connections { stub_status; } }`;
  nginx = await startNginx({ ports: ['http', 'h2', 'api', 'dead'], http: config });
}

/** Loads the configuration anew, as `change` makes it of its text. */
export async function reload(change) {
  nginx.writeConfig({ http: (place) => change(config(place)) });
  await nginx.reload();
}

export async function end() {
  await nginx?.stop();
  await Promise.all(Object.values(versions).map((version) => version.stop()));
  nginx.assertCleanLog();
}

export const user = (id) => ({ 'x-user-id': id });
export const unit = (id) => unitOf(SALT, id);
export const trackOf = (id, share = SHARE) => (bucketOf(unit(id)) < share ? 'canary' : 'stable');
export const get = (url, id) => ask(nginx.ports.http, url, { headers: user(id) });
export const stats = (name) => api(nginx.ports.api, `v1/services/${name}/stats`);
export const page = (name, after = '0', more = '') => api(nginx.ports.api, `v1/services/${name}/events?after=${after}${more}`);
export const total = ({ tracks }) => tracks.stable.requests + tracks.canary.requests;

/** Requests of a service so far; those of before have ended and are counted. */
export async function totalAtRest(name) {
  await atRest(nginx.ports.api);
  return total(await stats(name));
}

/** All events of a service once `count` of its requests have ended, and the cursor behind them. */
export async function eventsOf(name, count) {
  await waitUntil(async () => total(await stats(name)) >= count, 10_000, `${count} requests of ${name}`);
  await atRest(nginx.ports.api); // a request is counted before its event is written
  const events = [];
  let next = '0.0';
  for (;;) {
    const answer = await page(name, next, '&limit=100');
    assert.deepEqual(answer.lost, { stable: 0, canary: 0 });
    events.push(...answer.events);
    next = answer.next;
    if (answer.events.length === 0) break;
  }
  assert.equal(total(await stats(name)), count);
  return { events, next };
}

/** The events of a service that came while `callback` ran, once it has had `count` more requests. */
export async function during(name, count, callback) {
  const before = await totalAtRest(name);
  const { appended } = await page(name);
  await callback();
  await waitUntil(async () => total(await stats(name)) >= before + count, 10_000, `${count} more requests of ${name}`);
  assert.equal(await totalAtRest(name), before + count);
  return (await page(name, String(appended))).events;
}

/** Reads a service's events from a cursor on, to the end. */
export async function readOn(name, after) {
  const events = [];
  for (let next = after; ;) {
    const answer = await page(name, next, '&limit=10000');
    events.push(...answer.events);
    if (answer.next === next) return { ...answer, events };
    next = answer.next;
  }
}

export const kindsOf = async (name) => {
  const { tracks } = await stats(name);
  const sum = {};
  for (const { events } of Object.values(tracks)) {
    for (const [kind, count] of Object.entries(events)) sum[kind] = (sum[kind] ?? 0) + count;
  }
  return sum;
};

/** Lines of an access log of the format "attempts", once there are so many. */
export async function attemptsIn(name, count) {
  const read = () => readFileSync(path.join(nginx.dir, name), 'utf8').split('\n').filter(Boolean);
  await waitUntil(() => read().length >= count, 5000, `${count} lines of ${name}`);
  return read().map((line) => {
    const [id, addresses, status] = line.split('|');
    return { id, first: addresses.split(', ')[0], status: Number(status) };
  });
}

/** Calls for each of 0 .. count - 1, some at once. */
export async function forEach(count, callback) {
  let next = 0;
  const one = async () => {
    while (next < count) await callback(next++);
  };
  await Promise.all(Array.from({ length: 24 }, one));
}

/** Has the request with this number come to an upstream? */
export const arrived = (number) => Object.values(versions).some(({ ledger }) => ledger.entries.some((entry) => entry.number === number));

/** A GET that its client gives up as soon as it is at the upstream. */
export async function giveUp(url, id) {
  const headers = { ...user(id), 'x-request-number': id };
  const request = http.get({ host: '127.0.0.1', port: nginx.ports.http, path: url, headers, agent: false });
  request.on('error', () => {});
  await waitUntil(() => arrived(id), 5000, 'the request at the upstream');
  request.destroy();
}

/** A GET that stays open; end() gives it up. */
export function open(url, id, headers = {}) {
  const options = { host: '127.0.0.1', port: nginx.ports.http, path: url, headers: { ...user(id), 'x-request-number': id, ...headers }, agent: false };
  const request = http.get(options, (response) => response.on('error', () => {}).resume());
  request.on('error', () => {});
  return { at: Date.now(), arrived: () => waitUntil(() => arrived(id), 5000, `${url} at an upstream`), end: () => request.destroy() };
}

export const put = async (call, body) => {
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const answer = await ask(nginx.ports.api, `/pourover/${call}`, { method: 'PUT', headers, body: text });
  assert.equal(answer.status, 200, answer.body);
};

/** `count` GETs on one connection, up to 500 at once; the n-th is of the visitor idOf(n). */
export function pipeline(url, count, idOf) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(nginx.ports.http, '127.0.0.1');
    let [sent, got] = [0, 0];
    const more = () => {
      let text = '';
      for (; sent < count && sent < got + 500; sent += 1) {
        text += `GET ${url} HTTP/1.1\r\nHost: a\r\nX-User-Id: ${idOf(sent)}\r\n\r\n`;
      }
      socket.write(text);
    };
    socket.on('connect', more);
    socket.on('error', reject);
    socket.on('data', (data) => {
      for (let at = data.indexOf('HTTP/1.1 '); at >= 0; at = data.indexOf('HTTP/1.1 ', at + 1)) got += 1;
      if (got === count) resolve(socket.destroy());
      else if (got >= sent - 250) more();
    });
    socket.on('close', () => reject(new Error(`the connection ended after ${got} of ${count} answers`)));
  });
}
