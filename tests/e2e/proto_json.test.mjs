// The JSON form of messages against that of protobuf for Python: random messages, each side reading what the other wrote.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT, TESTEE, descriptorSet } from '../support/conformance.mjs';

const MESSAGES = 2000;
const dir = mkdtempSync(path.join(tmpdir(), 'pourover-json-'));
after(() => rmSync(dir, { recursive: true, force: true }));

test('random messages are the same to Python and to us, in both directions', (t) => {
  const seed = process.env.T_SEED ?? String(randomInt(2 ** 32));
  t.diagnostic(`seed: T_SEED=${seed}`);
  const done = spawnSync(path.join(ROOT, 'tests/oracle/proto_json.py'), [TESTEE, descriptorSet(dir), seed, String(MESSAGES)],
    { encoding: 'utf8', timeout: 240_000 });
  assert.equal(done.stdout.trim(), `${MESSAGES} messages, 0 differences, the testee ended with 0`, `T_SEED=${seed}\n${done.stderr}`);
  assert.equal(done.status, 0);
});
