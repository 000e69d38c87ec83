// Every YAML block of the guide is right: `pourover check` takes it, with the descriptors of the examples.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { run } from '../support/program.mjs';

const GUIDE = readFileSync(new URL('../../docs/guide/api-tests.md', import.meta.url), 'utf8');
const PROTOS = ['order.proto', 'service.proto'].map((name) => new URL(`../../examples/apitest/${name}`, import.meta.url));
const BLOCKS = [...GUIDE.matchAll(/^```yaml (\w+)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({ kind, text }));

const indented = (text) => text.split('\n').map((line) => line && `  ${line}`).join('\n');
const WHOLE = {
  file: (text) => text,
  cases: (text) => `- testName: T\n  proto: ./order.proto\n  serviceName: OrderService\n  cases:\n${indented(text)}`,
  http: (text) => `- testName: T\n  http: {scheme: https}\n  cases:\n${indented(text)}`,
};

let dir;
before(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-guide-'));
  for (const proto of PROTOS) copyFileSync(proto, path.join(dir, path.basename(proto.pathname)));
});
after(() => rmSync(dir, { recursive: true }));

test('the guide has blocks of each kind', () => {
  assert.ok(BLOCKS.length >= 10);
  assert.deepEqual(new Set(BLOCKS.map(({ kind }) => kind)), new Set(Object.keys(WHOLE)));
});

BLOCKS.forEach(({ kind, text }, i) => {
  test(`block ${i + 1} (${kind}) begins ${text.split('\n')[0]}`, async () => {
    const file = path.join(dir, `${i}.yaml`);
    writeFileSync(file, WHOLE[kind](text));
    const result = await run(['check', file], [], { TENANT: 'test-1', TOKEN: 'a token', HAS_TEST_BANK: '1' });
    assert.equal(result.code, 0, result.err + result.out);
  });
});
