// protobuf's own conformance suite against src/proto: each test of proto2 and proto3 in the binary form and in JSON.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT, TESTEE, descriptorSet } from '../support/conformance.mjs';

/** Tests of the pinned suite; another version of the package has another number. */
const BINARY_AND_JSON = 2779;

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-conformance-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** The names of failed tests that the runner leaves in files. */
const failures = () => readdirSync(dir).filter((name) => name.endsWith('.txt'))
  .map((name) => `${name}:\n${readFileSync(path.join(dir, name), 'utf8').slice(0, 8000)}`).join('\n');

test('every test of proto2 and proto3 passes, binary and JSON, the recommended ones too', (t) => {
  const done = spawnSync(path.join(ROOT, 'tools/conformance-runner'),
    ['--verbose', '--enforce_recommended', '--maximum_edition', 'PROTO3', '--output_dir', dir, TESTEE, descriptorSet(dir)],
    { cwd: dir, encoding: 'utf8', timeout: 240_000, maxBuffer: 1 << 28 });
  const output = done.stdout + done.stderr;
  const counts = [...output.matchAll(/CONFORMANCE SUITE \w+: (\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected/g)]
    .map(([, ...numbers]) => numbers.map(Number));
  assert.equal(counts.length, 2, `the runner did not come to its end: ${output.slice(-4000)}`);
  const [messages, text] = counts;
  t.diagnostic(`binary and JSON: ${messages[0]} passed, ${messages[1]} skipped`);
  const skipped = output.split('\n').filter((line) => line.startsWith('conformance test:') && line.includes('  skipped: '))
    .map((line) => line.match(/name=(\S+),/)[1]);
  t.diagnostic(`skipped, all ${skipped.length} of the text format: ${skipped.join(' ')}`);
  assert.equal(skipped.length, text[1], 'every skipped test is named');
  assert.deepEqual(skipped.filter((name) => !/TextFormat(Input|Output)/.test(name)), [], 'nothing but the text format is skipped');
  t.diagnostic(`text format, which is not supported: ${text[0]} passed, ${text[1]} skipped; editions are not run`);
  assert.deepEqual(messages, [BINARY_AND_JSON, 0, 0, 0], failures() || output.slice(-8000));
  assert.deepEqual([text[0], text[2], text[3]], [0, 0, 0], 'the text format is skipped as a whole');
  assert.equal(done.status, 0);
});
