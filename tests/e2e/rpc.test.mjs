// The gRPC client of src/rpc, driven by tests/support/rpc_driver.c, against the evil server's table and servers of other stacks.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROTO, SERVERS, startInterop } from '../interop/servers.mjs';
import { makeCertificates } from '../support/certificates.mjs';
import { requirePackage, startServer } from '../support/child-server.mjs';
import { BUILD_DIR } from '../support/nginx.mjs';
import { CASES } from './evil_cases.mjs';

const SUPPORT = fileURLToPath(new URL('../support/', import.meta.url));
const DRIVER = path.join(BUILD_DIR, 'tests/rpc_driver');
const protobuf = requirePackage('protobufjs');
const evil = protobuf.parse(readFileSync(path.join(SUPPORT, 'evil.proto'), 'utf8'), { keepCase: true }).root;

/** Runs calls to their end: [{headers, messages, end}], one for each; fails when the driver does not end well. */
function drive(target, method, options = []) {
  const args = [target, method, ...options.flatMap(([name, value = 1]) => [`-${name}`, String(value)])];
  return new Promise((resolve, reject) => {
    execFile(DRIVER, args, { maxBuffer: 256 << 20, timeout: 60_000 }, (error, out, err) => {
      if (error) return reject(new Error(`rpc_driver ${args.join(' ').slice(0, 300)}: ${error.message.slice(-300)}\n${err}`));
      const calls = [];
      for (const line of out.split('\n').filter(Boolean)) {
        const event = JSON.parse(line);
        const call = (calls[event.call] ??= { headers: null, messages: [], end: null });
        if (event.event === 'message') call.messages.push(event);
        else call[event.event] = event.event === 'headers' ? event.headers : event;
      }
      resolve(calls);
    });
  });
}

const hex = (bytes) => Buffer.from(bytes).toString('hex');

/** A message as the driver takes it: zeros at the end as their number, as arguments have a limit. */
function messageOption(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return ['m', `${hex(bytes.subarray(0, end))}+${bytes.length - end}`];
}
const valuesOf = (headers, name) => headers.filter(([each]) => each === name).map(([, value]) => value);
const asText = (value) => (Buffer.isBuffer(value) ? value.toString('hex') : value);
const oneOf = (value) => (Array.isArray(value) ? value : [value]);

function checkReplies(wanted, messages, Reply) {
  assert.equal(messages.length, wanted.length, 'replies');
  for (const [i, members] of wanted.entries()) {
    if (messages[i].base64 === undefined) continue; // too long to be shown
    const got = Reply.toObject(Reply.decode(Buffer.from(messages[i].base64, 'base64')), { defaults: true });
    for (const [name, value] of Object.entries(members)) {
      if (value instanceof RegExp) assert.match(got[name], value);
      else assert.deepEqual(got[name], value, `reply ${i}: ${name}`);
    }
  }
}

function checkEnd(each, { end, messages }) {
  const context = `${end.code} from ${end.origin}: ${end.message}`;
  assert.ok(oneOf(each.code).includes(end.code), context);
  if (end.code !== 'OK' && each.says) assert.match(end.message, each.says, context);
  if (end.code !== 'OK') assert.notEqual(end.message, '', 'an error says what it is');
  assert.equal(end.origin === 'connect', Boolean(each.connect), context);
  const wire = each.wire ?? {};
  if (wire.trailersOnly !== undefined) assert.equal(end.trailersOnly, wire.trailersOnly);
  if (wire.httpStatus !== undefined) assert.equal(end.httpStatus, wire.httpStatus);
  if (wire.compressed) assert.deepEqual(messages.map(({ compressed }) => compressed), wire.compressed);
  if (each.rst !== undefined) assert.deepEqual([end.rst, end.rstError], [true, each.rst]);
  for (const block of ['headers', 'trailers']) {
    for (const [name, value] of Object.entries(each[block] ?? {})) {
      assert.deepEqual(valuesOf(end[block], name), oneOf(value).map(asText), `${block}: ${name}`);
    }
  }
  if (each.details) assert.match(Buffer.from(end.details, 'base64').toString('latin1'), each.details);
}

describe('evil server', { concurrency: 2 }, () => {
  let dir;
  let server;
  const Request = evil.lookupType('evil.v1.Request');
  const Reply = evil.lookupType('evil.v1.Reply');
  const { methods } = evil.lookupService('evil.v1.Evil');

  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'rpc-'));
    server = await startServer(process.execPath, [path.join(SUPPORT, 'evil-server.mjs'), dir]);
  });
  after(async () => {
    assert.equal(await server?.close(), 0);
    rmSync(dir, { recursive: true, force: true });
  });

  function targetOf({ port = 'plain', tls }) {
    if (port === 'unix') return `unix:${server.unix}`;
    const host = port === 'ipv6' ? '[::1]' : '127.0.0.1';
    return `${tls ? 'grpcs' : 'grpc'}://${host}:${server.ports[port]}`;
  }

  function optionsOf(each) {
    const method = methods[each.method];
    return [
      ['d', each.deadlineMs ?? 5000],
      ...(method.responseStream ? [] : [['u']]),
      ...(each.requests ?? [{}]).map((request) => messageOption(Request.encode(Request.fromObject(request)).finish())),
      ...Object.entries(each.metadata ?? {}).map(([name, value]) => ['H', `${name}=${asText(value)}`]),
      ...(each.authority ? [['a', each.authority]] : []),
      ...(each.tls && each.tls.ca !== false ? [['C', server.ca]] : []),
      ...(each.tls?.client ? [['c', server.client.cert], ['k', server.client.key]] : []),
      ...(each.atOnce ? [['n', each.atOnce]] : []),
    ];
  }

  for (const each of CASES) {
    test(each.name, async () => {
      const started = Date.now();
      const calls = await drive(targetOf(each), `/evil.v1.Evil/${each.method}`, optionsOf(each));
      assert.ok(Date.now() - started < Math.max(each.deadlineMs ?? 5000, 5000) + 5000, 'the call ended in time');
      for (const call of calls) {
        checkEnd(each, call);
        if (call.end.code === 'OK' && each.replies !== null && oneOf(each.code).length === 1) {
          checkReplies(each.replies ?? [{ msg: 'ok' }], call.messages, Reply);
        }
      }
      assert.equal(calls.length, each.atOnce ?? 1);
    });
  }
});
