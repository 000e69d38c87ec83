// The tools that hold the house in order: what they find, and what they say about it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const dirs = [];
after(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

/** Makes a directory with these files, {name: text}, and returns its path. */
function tree(files) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-house-'));
  dirs.push(dir);
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return dir;
}

/** Runs a tool of this repository: {code, out, err}. */
function tool(name, args = [], env = {}) {
  const done = spawnSync(path.join(ROOT, 'tools', name), args, { encoding: 'utf8', env: { ...process.env, ...env } });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

describe('check-arrows', () => {
  const table = (rows) => `text\n\`\`\`arrows\n${rows}\n\`\`\`\n`;
  const rows = table('level 2 release -> base conf\nlevel 2 web -> base\nlevel 1 conf -> base\n'
    + 'level 0 base ->\nbeside ngx -> base');

  test('passes includes along the arrows, of the own room and of the system', () => {
    const dir = tree({ 'ARCHITECTURE.md': rows,
      'src/release/a.c': '#include "release/a_int.h"\n#include "conf/x.h"\n#include <base/y.h>\n',
      'ngx/m.c': '#include "base/str.h"\n' });
    assert.deepEqual(tool('check-arrows', [dir]), { code: 0, out: '', err: '' });
  });

  test('names file, line, both rooms and what is allowed', () => {
    const dir = tree({ 'ARCHITECTURE.md': rows, 'src/release/engine.c': '\n#include "web/page.h"\n' });
    const { code, err } = tool('check-arrows', [dir]);
    assert.equal(code, 1);
    assert.equal(err, 'src/release/engine.c:2: error: release may not use web (allowed: base conf)\n');
  });

  test('keeps private headers in their room, and everybody out of ngx', () => {
    const dir = tree({ 'ARCHITECTURE.md': rows, 'src/conf/a.c': '#include "base/map_int.h"\n#include "ngx/m.h"\n' });
    assert.equal(tool('check-arrows', [dir]).err, 'src/conf/a.c:1: error: base/map_int.h is private to base\n'
      + 'src/conf/a.c:2: error: conf may not use ngx (allowed: base)\n');
  });

  test('refuses a room without a row, and a table that points upward or is missing', () => {
    let dir = tree({ 'ARCHITECTURE.md': rows, 'src/attic/a.c': '' });
    assert.match(tool('check-arrows', [dir]).err, /^src\/attic\/a.c:1: error: room attic has no row in ARCHITECTURE.md/);
    dir = tree({ 'ARCHITECTURE.md': table('level 1 conf -> io\nlevel 1 io ->') });
    assert.match(tool('check-arrows', [dir]).err, /conf -> io does not point to a lower level/);
    dir = tree({ 'ARCHITECTURE.md': 'no table' });
    assert.equal(tool('check-arrows', [dir]).code, 1);
  });
});

describe('check-style', () => {
  const found = (files) => tool('check-style', [tree(files)]).err.trim().split('\n');

  test('finds tabs, blanks, width, comments and marks, with their lines', () => {
    const mark = 'TO' + 'DO';
    assert.deepEqual(found({
      'src/base/a.c': `int a;\t\nint b; \n// no\n/* ${mark} */\n/* ${mark}(#7) */\n/* ${'x'.repeat(100)} */\n`,
      'ngx/b.c': `/* ${'x'.repeat(75)} */\n`,
    }), [
      'ngx/b.c:1: error: 81 columns, at most 80',
      'src/base/a.c:1: error: a tab; indent with spaces',
      'src/base/a.c:1: error: blanks at the end of the line',
      'src/base/a.c:2: error: blanks at the end of the line',
      'src/base/a.c:3: error: a // comment; write /* */',
      'src/base/a.c:4: error: a mark of unfinished work without its issue, write TO' + 'DO(#N)',
      'src/base/a.c:6: error: 106 columns, at most 100',
    ]);
  });

  test('takes // in strings and comments for what it is', () => {
    assert.deepEqual(found({ 'src/base/a.c': 'char *a = "http://x";\n/* see http://x */\nchar q = \'"\'; /* // */\n' }), ['']);
  });

  test('counts the code of a function without comments and blank lines, and its branches', () => {
    const body = (lines) => `int f(int a)\n{\n${lines}    return a;\n}\n`;
    assert.deepEqual(found({ 'src/base/a.c': body('    /* why */\n\n    a++;\n'.repeat(55)) }), ['']);
    assert.deepEqual(found({ 'src/base/a.c': body('    a++;\n'.repeat(57)) }),
      ['src/base/a.c:1: error: f has 61 lines of code, at most 60']);
    assert.deepEqual(found({ 'src/base/a.c': body('    a += a ? 1 : 2;\n'.repeat(20)) }),
      ['src/base/a.c:1: error: f has complexity 21, at most 20']);
    assert.deepEqual(found({ 'src/base/a.c': 'int a;\n'.repeat(701) }),
      ['src/base/a.c:700: error: 701 lines in one file, at most 700']);
  });
});

describe('count-tests', () => {
  const program = (name, result, stdout, returncode = 0) => JSON.stringify({ name, result, stdout, returncode }) + '\n';
  const line = (name, result) => JSON.stringify({ name, result }) + '\n';
  const count = (files) => {
    const { code, out } = tool('count-tests', [tree({ none: '', ...files })]);
    return [code, ...out.trim().split('\n')];
  };

  test('adds the subtests of programs and the tests of node', () => {
    assert.deepEqual(count({
      'debug.unit.json': program('base_buf', 'OK', '1..2\nok 1 - a\nok 2 - b # SKIP no\n'),
      'x.exit': 'e2e/x.test.mjs 0\n', 'x.node.jsonl': line('c', 'passed') + line('d', 'skipped'),
    }), [0, '2 passed, 0 failed, 2 skipped']);
  });

  test('counts a leak, a crash or a timeout without a failed subtest as one failure', () => {
    for (const result of ['ERROR', 'FAIL', 'TIMEOUT']) {
      assert.deepEqual(count({ 'debug.unit.json': program('base_buf', result, '1..2\nok 1 - a\n', 1) }),
        [1, `FAILED unit/test_base_buf.c: ends well (it ended with ${result}, status 1)`, '1 passed, 1 failed, 0 skipped']);
    }
    assert.deepEqual(count({ 'debug.unit.json': program('base_buf', 'ERROR', 'not ok 1 - a\nok 2 - b\n', 1) }),
      [1, 'FAILED unit/test_base_buf.c: a', '1 passed, 1 failed, 0 skipped']);
  });

  test('counts a file that ran no test, or died after some, and a failed step', () => {
    assert.deepEqual(count({ 'x.exit': 'e2e/x.test.mjs 0\n', 'y.exit': 'e2e/y.test.mjs 124\n',
      'y.node.jsonl': line('a', 'passed'), 'failed-steps': 'lint\n' }), [1, 'FAILED tools/check: lint',
      'FAILED e2e/x.test.mjs: has tests (none ran, status 0)',
      'FAILED e2e/y.test.mjs: ends well (it ended with status 124)', '1 passed, 3 failed, 0 skipped']);
  });

  test('fails when nothing ran', () => {
    assert.deepEqual(count({}), [5, 'no test ran', '0 passed, 0 failed, 0 skipped']);
  });
});

test('the reporter counts tests by their leaves, hooks that fail, and no suites', () => {
  const dir = tree({ 'a.test.mjs': `import { after, describe, test } from 'node:test';
    test('plain', () => {});
    test('skipped', { skip: true }, () => {});
    test('parent', async (t) => { await t.test('good', () => {}); await t.test('bad', () => { throw new Error(); }); });
    describe('suite', () => { after(() => { throw new Error(); }); test('inner', () => {}); });` });
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const done = spawnSync(process.execPath, ['--test',
    `--test-reporter=${path.join(ROOT, 'tests/support/reporter.mjs')}`, path.join(dir, 'a.test.mjs')], { encoding: 'utf8', env });
  assert.deepEqual(done.stdout.trim().split('\n').map((row) => JSON.parse(row)).map(({ name, result }) => [name, result]), [
    ['plain', 'passed'], ['skipped', 'skipped'], ['parent > good', 'passed'], ['parent > bad', 'failed'],
    ['suite > inner', 'passed'], ['suite', 'failed'],
  ]);
});

describe('check-promises', () => {
  const required = [...Array(15).keys()].map((n) => `A${n + 1}`).concat([...Array(12).keys()].map((n) => `B${n + 1}`));
  const ledger = (rows) => '| id | promise | shown by |\n|---|---|---|\n' + rows.concat(required
    .filter((id) => !rows.some((row) => row.startsWith(`| ${id} |`)))
    .map((id) => `| ${id} | p | not yet, issue 2 |`)).join('\n') + '\n';
  const check = (row, results = '') => tool('check-promises', [tree({ 'docs/promises.md': ledger([row]),
    'tests/e2e/x.test.mjs': '', ...(results && { 'build/results/x.exit': 'e2e/x.test.mjs 0', 'build/results/x.node.jsonl': results }) })]);
  const ran = (result) => JSON.stringify({ name: 'suite > cuts by share', result }) + '\n';

  test('takes a test that exists and passed, by the start of its name', () => {
    assert.equal(check('| A3 | p | `x.test.mjs: "cuts by"` |', ran('passed')).code, 0);
    assert.equal(check('| A3 | p | `x.test.mjs: "cuts by"`; not yet, issue 3 |').code, 0);
    assert.equal(check('| A3 | p | `x.test.mjs` |', ran('passed')).code, 0);
  });

  test('refuses a test that is missing, did not run, was skipped, and a cell of another form', () => {
    assert.match(check('| A3 | p | `y.test.mjs: "cuts"` |').err, /error: A3: y.test.mjs is no test file of the tree/);
    assert.match(check('| A3 | p | `x.test.mjs: "walks"` |', ran('passed')).err, /x.test.mjs ran no test whose name starts with "walks"/);
    assert.match(check('| A3 | p | `x.test.mjs: "cuts"` |', ran('skipped')).err, /"cuts" did not pass: skipped/);
    assert.match(check('| A3 | p | `x.test.mjs: "cuts"` |', ran('passed') + ran('failed')).err, /"cuts" did not pass: failed/);
    assert.match(check('| A3 | p | soon |').err, /promises.md:3: error: A3: not `FILE: "test"`/);
  });

  test('refuses an id that is missing or stands twice', () => {
    const dir = tree({ 'docs/promises.md': '| A1 | p | not yet, issue 2 |\n| A1 | p | not yet, issue 2 |\n' });
    const { code, err } = tool('check-promises', [dir]);
    assert.equal(code, 1);
    assert.match(err, /promises.md:2: error: A1: this id stands twice/);
    assert.match(err, /no row for A2, A3/);
  });
});

describe('install-packages', () => {
  test('without root prints the line to type, and fails', () => {
    const dir = tree({ 'dpkg-query': '#!/bin/sh\nexit 1\n', id: '#!/bin/sh\necho 1000\n',
      'apt-get': '#!/bin/sh\necho apt-get was called\n' });
    for (const name of ['dpkg-query', 'id', 'apt-get']) chmodSync(path.join(dir, name), 0o755);
    const { code, out } = tool('install-packages', ['demo'], { PATH: `${dir}:${process.env.PATH}` });
    assert.equal(code, 1);
    assert.match(out, /needs \d+ Debian packages? that are not installed: .*nodejs/);
    assert.match(out, /^ {4}sudo apt-get update && sudo apt-get install -y .*nodejs/m);
    assert.doesNotMatch(out, /was called/);
  });

  test('names the groups when it does not know one', () => {
    const { code, err } = tool('install-packages', ['tea']);
    assert.equal(code, 2);
    assert.match(err, /unknown group "tea"; known: bench build check demo/);
  });
});

describe('install-node-packages', () => {
  test('asks npm for what the lock file says, without scripts, and only once', () => {
    const dir = tree({ 'tools/install-node-packages': readFileSync(path.join(ROOT, 'tools/install-node-packages'), 'utf8'),
      'tests/node/package-lock.json': '{}\n', 'bin/npm': '#!/bin/sh\necho "npm $*"; mkdir node_modules\n' });
    chmodSync(path.join(dir, 'bin/npm'), 0o755);
    const run = () => spawnSync('bash', [path.join(dir, 'tools/install-node-packages')], {
      encoding: 'utf8', env: { ...process.env, PATH: `${dir}/bin:${process.env.PATH}` } });
    const first = run();
    assert.deepEqual([first.status, first.stderr], [0, '']);
    assert.match(first.stdout, /^npm ci --ignore-scripts/m);
    const second = run();
    assert.deepEqual([second.status, second.stdout], [0, '']);
    writeFileSync(path.join(dir, 'tests/node/package-lock.json'), '{"other": 1}\n');
    rmSync(path.join(dir, 'tests/node/node_modules'), { recursive: true });
    assert.match(run().stdout, /^npm ci/m);
  });
});

test('make alone lists its commands', () => {
  const done = spawnSync('make', ['-s'], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(done.status, 0);
  for (const target of ['demo', 'check', 'bench', 'fuzz', 'format', 'lint', 'install']) {
    assert.match(done.stdout, new RegExp(`make ${target} +[a-z]`));
  }
});
