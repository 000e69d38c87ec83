// The gRPC client (src/rpc) against a server that misbehaves, in what takes more than one call: rpc.test.mjs has the table.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { requirePackage } from '../support/child-server.mjs';
import { driverOptions, runDriver } from '../support/rpc-driver.mjs';
import { PROTO, startEvil, targetOf, trustOf } from './evil_run.mjs';

const { root } = requirePackage('protobufjs').parse(readFileSync(PROTO, 'utf8'));
const [Request, Reply] = ['Request', 'Reply'].map((name) => root.lookupType(`evil.v1.${name}`));
const { methods } = root.lookupService('evil.v1.Evil');
const encode = (request) => Buffer.from(Request.encode(Request.fromObject(request)).finish());
const BIG = 1 << 20;

let evil;

before(async () => { evil = await startEvil(); });

after(async () => {
  assert.equal(await evil?.close(), 0);
  assert.equal(evil.log(), '');
});

/** A reply; of those above 64 KiB the driver tells only the length. */
const decode = (bytes) => Reply.toObject(Reply.decode(bytes), { defaults: true });

function run(row, more = []) {
  const options = driverOptions({
    messages: (row.requests ?? [{}]).map(encode), unary: !methods[row.method].responseStream, deadlineMs: row.deadlineMs ?? 5000, metadata: row.metadata,
    authority: row.authority, ...trustOf(evil, row), more });
  return runDriver(targetOf(evil, row), `/evil.v1.Evil/${row.method}`, options, { ms: Math.min(row.deadlineMs ?? 5000, 20_000) + 10_000 });
}

test('client: after GOAWAY the next call has a new connection, and that is counted', async () => {
  const { lines } = await run({ method: 'GoAwayAndCount' }, [['r', 3]]);
  const ends = lines.filter(({ event }) => event === 'end');
  assert.deepEqual(ends.map(({ code, conn }) => [code, conn.connects]), [['OK', 1], ['OK', 2], ['OK', 3]]);
  const seqs = lines.filter(({ event }) => event === 'message').map(({ base64 }) => decode(Buffer.from(base64, 'base64')).seq);
  assert.deepEqual(seqs, [1, 1, 1]);
});

test('client: calls one after the other share a connection', async () => {
  const { lines } = await run({ method: 'Fine' }, [['r', 5]]);
  assert.deepEqual(lines.filter(({ event }) => event === 'end').map(({ conn }) => conn.connects), [1, 1, 1, 1, 1]);
});

for (const [name, more, row] of [
  ['a deadline', [], { deadlineMs: 300 }], ['a cancelled call', [['x', 1]], {}]]) {
  test(`client: ${name} tells the server, by RST_STREAM CANCEL`, async () => {
    await run({ method: 'WhatReset', deadlineMs: 3000 }); // forgets what was
    const { lines } = await run({ method: 'Watched', ...row }, more);
    assert.equal(lines.at(-1).code, row.deadlineMs ? 'DEADLINE_EXCEEDED' : 'CANCELLED', lines.at(-1).message);
    const told = await run({ method: 'WhatReset' });
    const [message] = told.lines.filter(({ event }) => event === 'message');
    assert.equal(decode(Buffer.from(message.base64, 'base64')).msg, 'RST 8');
  });
}

for (const limit of [100, BIG, 16 * BIG]) {
  test(`client: a limit of ${limit} bytes for messages holds to the byte`, async () => {
    // "Big" sends messages of 1 MiB and 6 bytes: field 2, then the tag and the length of field 3.
    const { lines } = await run({ method: 'Big', requests: [{ count: 1 }], deadlineMs: 10_000 }, [['L', limit]]);
    const right = limit > BIG ? 'OK' : 'RESOURCE_EXHAUSTED';
    assert.equal(lines.at(-1).code, right, lines.at(-1).message);
  });
}
