// The gRPC client (src/rpc) against a server that misbehaves: each row of evil_cases.mjs by rpc_driver, with all that it can tell.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { requirePackage } from '../support/child-server.mjs';
import { driverOptions, noDriver, outcomeOf, runDriver } from '../support/rpc-driver.mjs';
import { CASES } from './evil_cases.mjs';
import { judge } from './evil_judge.mjs';
import { lacks, PROTO, startEvil, targetOf, trustOf } from './evil_run.mjs';

const needs = { skip: noDriver };
const { root } = requirePackage('protobufjs').parse(readFileSync(PROTO, 'utf8'));
const [Request, Reply] = ['Request', 'Reply'].map((name) => root.lookupType(`evil.v1.${name}`));
const { methods } = root.lookupService('evil.v1.Evil');
const encode = (request) => Buffer.from(Request.encode(Request.fromObject(request)).finish());
const BIG = 1 << 20;

let evil;

before(async () => { evil = noDriver || await startEvil(); });

after(async () => {
  if (noDriver) return;
  assert.equal(await evil.close(), 0);
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

for (const row of CASES) {
  test(`client: ${row.name}`, needs, async (t) => {
    if (lacks(evil, row)) return t.skip(lacks(evil, row));
    const calls = row.atOnce ?? 1;
    const { code, lines, err } = await run(row, row.atOnce ? [['n', row.atOnce]] : []);
    assert.deepEqual([code, err], [0, ''], JSON.stringify(lines).slice(0, 2000));
    for (let call = 0; call < calls; call += 1) {
      const outcome = outcomeOf(lines.filter((line) => line.call === call), decode);
      assert.ok(outcome, `call ${call} has no end`);
      const known = outcome.replies.includes(null) ? { ...row, replies: null } : row;
      if (known !== row && row.replies) assert.equal(outcome.replies.length, row.replies.length);
      assert.deepEqual(judge(known, outcome), [], JSON.stringify(outcome).slice(0, 2000));
      if (row.connect) assert.equal(outcome.origin, 'connect', outcome.message);
    }
    return undefined;
  });
}

test('client: after GOAWAY the next call has a new connection, and that is counted', needs, async () => {
  const { lines } = await run({ method: 'GoAwayAndCount' }, [['r', 3]]);
  const ends = lines.filter(({ event }) => event === 'end');
  assert.deepEqual(ends.map(({ code, conn }) => [code, conn.connects]), [['OK', 1], ['OK', 2], ['OK', 3]]);
  const seqs = lines.filter(({ event }) => event === 'message').map(({ base64 }) => decode(Buffer.from(base64, 'base64')).seq);
  assert.deepEqual(seqs, [1, 1, 1]);
});

test('client: calls one after the other share a connection', needs, async () => {
  const { lines } = await run({ method: 'Fine' }, [['r', 5]]);
  assert.deepEqual(lines.filter(({ event }) => event === 'end').map(({ conn }) => conn.connects), [1, 1, 1, 1, 1]);
});

for (const [name, more, row] of [
  ['a deadline', [], { deadlineMs: 300 }], ['a cancelled call', [['x', 1]], {}]]) {
  test(`client: ${name} tells the server, by RST_STREAM CANCEL`, needs, async () => {
    await run({ method: 'WhatReset', deadlineMs: 3000 }); // forgets what was
    const { lines } = await run({ method: 'Watched', ...row }, more);
    assert.equal(lines.at(-1).code, row.deadlineMs ? 'DEADLINE_EXCEEDED' : 'CANCELLED', lines.at(-1).message);
    const told = await run({ method: 'WhatReset' });
    const [message] = told.lines.filter(({ event }) => event === 'message');
    assert.equal(decode(Buffer.from(message.base64, 'base64')).msg, 'RST 8');
  });
}

for (const limit of [100, BIG, 16 * BIG]) {
  test(`client: a limit of ${limit} bytes for messages holds to the byte`, needs, async () => {
    // "Big" sends messages of 1 MiB and 6 bytes: field 2, then the tag and the length of field 3.
    const { lines } = await run({ method: 'Big', requests: [{ count: 1 }], deadlineMs: 10_000 }, [['L', limit]]);
    const right = limit > BIG ? 'OK' : 'RESOURCE_EXHAUSTED';
    assert.equal(lines.at(-1).code, right, lines.at(-1).message);
  });
}
