// The references of release.yaml and fleet.yaml are what the program prints; its JSON Schemas and `check` agree on files.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/program.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = path.join(ROOT, 'examples/release');
const read = (name) => readFileSync(path.join(ROOT, name), 'utf8');
const example = (name) => path.join(EXAMPLES, name);

/** The cases of tests/vectors/release_wrong.txt: {name, text of release.yaml, accepted: the schema takes it for right}. */
const [head, ...blocks] = read('tests/vectors/release_wrong.txt').split(/^@@ case /m);
const BASE = head.slice(head.indexOf('@@ before all\n') + '@@ before all\n'.length);
const WRONG = blocks.map((block) => {
  const [, kind, text] = /^@@ (base|file release\.yaml)\n([\s\S]*?)^@@ /m.exec(block);
  return { name: block.slice(0, block.indexOf('\n')), text: kind === 'base' ? BASE + text : text, accepted: /^@@ schema$/m.test(block) };
});

let dir;
before(() => { dir = mkdtempSync(path.join(tmpdir(), 'pourover-release-')); });
after(() => rmSync(dir, { recursive: true }));

/** Faults of each text by a schema. */
async function faults(kind, texts) {
  const schema = path.join(dir, `${kind}.json`);
  writeFileSync(schema, (await run(['schema', kind])).out);
  const files = texts.map((text, i) => {
    const file = path.join(dir, `${kind}${i}.yaml`);
    writeFileSync(file, text);
    return file;
  });
  const out = execFileSync('python3', [path.join(ROOT, 'tests/support/jsonschema_check.py'), schema, ...files], { encoding: 'utf8' });
  const found = JSON.parse(out);
  return files.map((file) => found[file]);
}

for (const kind of ['release', 'fleet']) {
  test(`the reference of ${kind} files is current`, async () => {
    assert.equal((await run(['schema', kind, '--markdown'])).out, read(`docs/reference/${kind}.md`),
      `run: pourover schema ${kind} --markdown >docs/reference/${kind}.md`);
  });
}

test('links of the reference of release files have their headings', () => {
  const text = read('docs/reference/release.md');
  const anchors = new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(' ', '-')));
  const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
  assert.ok(links.length > 10);
  assert.deepEqual(links.filter((anchor) => !anchors.has(anchor)), []);
});

test('every example is right by check, alone and as each environment has it', async () => {
  const files = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(example(name)).filter((file) => file.endsWith('.yaml')).map((file) => example(`${name}/${file}`)));
  assert.ok(files.length >= 6);
  const { code, out, err } = await run(['check', ...files]);
  assert.equal(err, '');
  assert.equal(code, 0);
  assert.equal(out.split('\n').filter((line) => line.endsWith(': right')).length, files.length);
  assert.match(out, /two-datacenters\/release\.yaml \(staging\): service shop, 4 hosts in 2 data centers, 1 router, canary, in place: right/);
});

test('the schemas take all examples', async () => {
  const releases = ['smallest', 'full', 'two-datacenters'].map((name) => readFileSync(example(`${name}/release.yaml`), 'utf8'));
  const fleets = ['full', 'two-datacenters'].map((name) => readFileSync(example(`${name}/fleet.yaml`), 'utf8'));
  assert.deepEqual(await faults('release', releases), [[], [], []]);
  assert.deepEqual(await faults('fleet', fleets), [[], []]);
});

test('the schema refuses release files whose keys or kinds are wrong; what values mean only check knows', async () => {
  const found = await faults('release', WRONG.map(({ text }) => text));
  const taken = WRONG.filter((_, i) => found[i].length === 0).map(({ name }) => name);
  assert.deepEqual(taken, WRONG.filter(({ accepted }) => accepted).map(({ name }) => name));
  assert.ok(WRONG.length - taken.length > 30, `only ${WRONG.length - taken.length} of ${WRONG.length} are refused`);
});

test('config prints what can be checked, and says where each value comes from', async () => {
  const printed = await run(['config', '-f', example('two-datacenters/release.yaml'), '-e', 'staging']);
  assert.equal(printed.code, 0, printed.err);
  assert.match(printed.out, /^ {2}dwell: 30s +# release\.staging\.yaml:4$/m);
  assert.match(printed.out, /^swap: auto +# default$/m);
  const there = path.join(dir, 'printed');
  mkdirSync(path.join(there, 'tests'), { recursive: true });
  writeFileSync(path.join(there, 'tests/api.yaml'), '[]\n');
  writeFileSync(path.join(there, 'all.yaml'), printed.out);
  const again = await run(['config', '--file', path.join(there, 'all.yaml')]);
  assert.equal(again.code, 0, again.err);
  const values = (text) => text.split('\n').slice(1).map((line) => line.replace(/ +# \S+$/, ''));
  assert.deepEqual(values(again.out), values(printed.out));
  const json = JSON.parse((await run(['config', '--json', '-f', path.join(there, 'all.yaml')])).out);
  assert.deepEqual(json.canary.stages, [0, '50%', '100%']);
  assert.equal(json.hosts['west-1'].ports.web[0], 9101);
});

test('check tells releases, fleets, overlays and tests apart, and a wrong file fails all', async () => {
  const wrong = path.join(dir, 'wrong.yaml');
  writeFileSync(wrong, `${BASE}swap: sideways\n`);
  const { code, out, err } = await run(['check', wrong, example('full/fleet.yaml'), path.join(ROOT, 'examples/apitest/01_hello.yaml')]);
  assert.equal(code, 2);
  assert.match(err, /wrong\.yaml:5:7: error: "swap" has to be auto, in-place or beside, but is text "sideways"\n {4}5 \| swap: sideways\n {6}\| {7}\^~/);
  assert.match(out, /full\/fleet\.yaml: 6 hosts in 2 data centers, 2 routers: right\n1 file, \d+ tests?, \d+ cases?: right\n/);
});

test('options of letters take their value from the word or the next', async () => {
  const file = example('two-datacenters/release.yaml');
  for (const args of [['-f', file, '-e', 'staging'], [`-f${file}`, '-estaging'], [`--file=${file}`, '--environment', 'staging']]) {
    const { code, out } = await run(['config', ...args]);
    assert.equal(code, 0);
    assert.match(out, /release\.staging\.yaml/);
  }
  assert.match((await run(['config', '-e'])).err, /-e lacks its value: -e NAME/);
  assert.match((await run(['config', '-e', 'a/b', '-f', file])).err, /"a\/b" is no name of an environment/);
  assert.match((await run(['config', '-f', file, '-e', 'prod'])).err, /there is no file ".*release\.prod\.yaml"; there are staging/);
  assert.match((await run(['config', '-f', path.join(dir, 'none.yaml')])).err, /cannot open .*none\.yaml: No such file/);
});
