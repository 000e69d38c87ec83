// The reference of test files is what the program prints, and its JSON Schema agrees with its loader.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/program.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (name) => readFileSync(path.join(ROOT, name), 'utf8');

/** The cases of tests/vectors/apitest_wrong.txt: {name, text, accepted: the schema takes it for right}. */
const WRONG = read('tests/vectors/apitest_wrong.txt').split(/^@@ case /m).slice(1).map((block) => ({
  name: block.slice(0, block.indexOf('\n')),
  text: /^@@ file t\.yaml\n([\s\S]*?)^@@ /m.exec(block)[1],
  accepted: /^@@ schema$/m.test(block),
}));
const GUIDE = [...read('docs/guide/api-tests.md').matchAll(/^```yaml file\n([\s\S]*?)^```$/gm)].map(([, text]) => text);

let dir;
let schema;
before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-schema-'));
  schema = path.join(dir, 'schema.json');
  writeFileSync(schema, (await run(['schema', 'test'])).out);
});
after(() => rmSync(dir, { recursive: true }));

/** Faults of each text by the schema. */
function faults(texts) {
  const files = texts.map((text, i) => {
    const file = path.join(dir, `${i}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  const out = execFileSync('python3', [path.join(ROOT, 'tests/support/jsonschema_check.py'), schema, ...files], { encoding: 'utf8' });
  const found = JSON.parse(out);
  return files.map((file) => found[file]);
}

test('the reference of test files is current', async () => {
  assert.equal((await run(['schema', 'test', '--markdown'])).out, read('docs/reference/apitest.md'),
    'run: pourover schema test --markdown >docs/reference/apitest.md');
});

test('links of the reference have their headings', () => {
  const text = read('docs/reference/apitest.md');
  const anchors = new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(' ', '-')));
  const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
  assert.ok(links.length > 10);
  assert.deepEqual(links.filter((anchor) => !anchors.has(anchor)), []);
});

test('the schema takes all examples and the files of the guide', () => {
  const examples = readdirSync(path.join(ROOT, 'examples/apitest')).filter((name) => name.endsWith('.yaml')).map((name) => read(`examples/apitest/${name}`));
  assert.ok(examples.length >= 6 && GUIDE.length >= 4);
  assert.deepEqual(faults([...examples, ...GUIDE]), [...examples, ...GUIDE].map(() => []));
});

test('the schema refuses files whose keys or kinds are wrong; what values mean only the loader knows', () => {
  const found = faults(WRONG.map(({ text }) => text));
  const taken = WRONG.filter((_, i) => found[i].length === 0).map(({ name }) => name);
  assert.deepEqual(taken, WRONG.filter(({ accepted }) => accepted).map(({ name }) => name));
  assert.ok(WRONG.length - taken.length > 30, `only ${WRONG.length - taken.length} of ${WRONG.length} are refused`);
});
