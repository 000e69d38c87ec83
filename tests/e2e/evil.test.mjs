// `pourover test` against a server that misbehaves: the right status for each case of evil_cases.mjs, told in words, and never a hang.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { noApitest, runApitest, suiteDirectory } from '../support/apitest.mjs';
import { requirePackage } from '../support/child-server.mjs';
import { PLAYS } from '../support/evil-plays.mjs';
import { CASES, REFLECTION_CASES } from './evil_cases.mjs';
import { lacks, PROTO, startEvil, STREAMS, stringsOf, suiteOf, targetOf, trustOf } from './evil_run.mjs';

const EXIT_OK = 0;
const EXIT_NO_CONNECTION = 3;

test('each method that is described is played and tried', () => {
  const { root } = requirePackage('protobufjs').parse(readFileSync(PROTO, 'utf8'));
  const { methods } = root.lookupService('evil.v1.Evil');
  const alone = ['GoAwayAndCount', 'NotProtobuf', 'Watched', 'WhatReset']; // of tests of their own
  const names = Object.keys(methods).sort();
  assert.deepEqual(names, Object.keys(PLAYS).sort());
  assert.deepEqual(names, [...new Set([...CASES.map(({ method }) => method), ...alone])].sort());
  const streams = names.filter((name) => methods[name].responseStream);
  assert.deepEqual(streams, [...STREAMS].sort());
});

describe('a server that misbehaves', () => {
  const suite = suiteDirectory();
  let evil;

  before(async () => { evil = noApitest || await startEvil(); });

  after(async () => {
    suite.remove();
    if (noApitest) return;
    assert.equal(await evil.close(), 0);
    assert.equal(evil.log(), '', 'the evil server meant all it did');
  });

  /** Runs a row expecting one of its codes. */
  function runRow(row, code, more = {}) {
    const file = suite.write('evil.yaml', JSON.stringify(suiteOf(row, code)));
    return runApitest(file, {
      target: targetOf(evil, row), authority: row.authority, ...trustOf(evil, row), args: ['--json', '-'], ms: 2 * (row.deadlineMs > 60_000 ? 5000 : row.deadlineMs ?? 5000) + 10_000,
      ...more });
  }

  for (const row of CASES.filter(({ connect, atOnce }) => !connect && !atOnce)) {
    test(`evil: ${row.name}`, { skip: noApitest }, async (t) => {
      if (lacks(evil, row)) return t.skip(lacks(evil, row));
      const codes = [row.code].flat();
      const results = [];
      // Which of several codes it is can be a race that each run decides anew.
      for (let i = 0; i < (codes.length > 1 ? 10 * codes.length : 1); i += 1) {
        const code = codes[i % codes.length];
        results.push({ wanted: code, ...await runRow(row, code) });
        if (results.at(-1).code === EXIT_OK) break;
      }
      const last = results.at(-1);
      const told = results.map((each) => each.out + each.err).join('\n');
      assert.notEqual(last.code, 'SIGKILL', `hangs\n${told}`);
      assert.equal(last.code, EXIT_OK, told);
      return last.wanted === 'OK' || assert.ok(stringsOf(last.out).some((text) => row.says.test(text)), `nothing says ${row.says}\n${told}`);
    });
  }

  for (const row of CASES.filter(({ connect }) => connect)) {
    test(`no connection: ${row.name}`, { skip: noApitest }, async () => {
      const result = await runRow(row, 'OK');
      assert.equal(result.code, EXIT_NO_CONNECTION, result.out + result.err);
      assert.ok([...stringsOf(result.out), result.err].some((text) => row.says.test(text)), `nothing says ${row.says}\n${result.out}${result.err}`);
    });
  }

  for (const { name, port, says } of REFLECTION_CASES) {
    test(`reflection: ${name}`, { skip: noApitest }, async () => {
      const file = suite.write('reflected.yaml', JSON.stringify([{
        testName: 'Reflected', reflection: true, serviceName: 'evil.v1.Reflected',
        cases: [{ name: 'say', methodName: 'Say', detail: { requests: [{ name: 'x' }], responses: [{ msg: 'said', mood: 'CALM' }] } }] }]));
      const result = await runApitest(file, { target: targetOf(evil, { port }), args: ['--budget', '5s'], ms: 30_000 });
      if (!says) return assert.equal(result.code, EXIT_OK, result.out + result.err);
      assert.ok(typeof result.code === 'number' && result.code !== EXIT_OK, `${result.code}: ${result.out}${result.err}`);
      return assert.match(result.out + result.err, says);
    });
  }

  const caseOf = (name, methodName, msg, more = {}) => ({
    name, methodName, deadline: '5s', detail: { requests: [{}], responses: [{ msg }] }, ...more });
  const runCases = async (cases, args = [], port = 'plain', test_ = {}) => {
    const file = suite.write('cases.yaml', JSON.stringify([{ testName: 'Evil', proto: PROTO, serviceName: 'evil.v1.Evil', ...test_, cases }]));
    return runApitest(file, { target: targetOf(evil, { port }), args, ms: 30_000 });
  };

  test('after GOAWAY the next call has a new connection', { skip: noApitest }, async () => {
    const each = (name) => ({ ...caseOf(name, 'GoAwayAndCount', 'ok'), detail: { requests: [{}], responses: [{ msg: 'ok', seq: 1 }] } });
    const result = await runCases([each('first'), each('second'), each('third')]);
    assert.equal(result.code, EXIT_OK, result.out + result.err);
  });

  test('a deadline tells the server, by RST_STREAM CANCEL', { skip: noApitest }, async () => {
    const late = { name: 'late', methodName: 'Watched', deadline: '300ms', detail: { requests: [{}], responses: [{ seq: 1 }], error: { code: 'DEADLINE_EXCEEDED' } } };
    const result = await runCases([late, caseOf('what came', 'WhatReset', 'RST 8')]);
    assert.equal(result.code, EXIT_OK, result.out + result.err);
  });

  test('a reply that is no message of its type fails the case and says so', { skip: noApitest }, async () => {
    const result = await runCases([caseOf('broken', 'NotProtobuf', 'ok')]);
    assert.equal(result.code, 1, result.out + result.err);
    assert.match(result.out + result.err, /evil\.v1\.Reply/);
  });

  test('where one stream at a time is allowed, eight jobs wait for each other', { skip: noApitest }, async () => {
    const cases = Array.from({ length: 8 }, (_, i) => caseOf(`job ${i}`, 'OneAtOnce', 'ok'));
    const result = await runCases(cases, ['--jobs', '8'], 'one', { parallel: true });
    assert.equal(result.code, EXIT_OK, result.out + result.err);
  });
});
