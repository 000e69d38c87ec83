// `pourover test` as a tool: exit codes, filters, order, limits, interrupts, reports, secrets, comparisons.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/child-server.mjs';
import { PROGRAM, run, start } from '../support/program.mjs';
import { waitUntil as until } from '../support/wait.mjs';

const EXAMPLES = fileURLToPath(new URL('../../examples/apitest', import.meta.url));
const SHOP = fileURLToPath(new URL('../support/demo-shop/server.mjs', import.meta.url));
const TOKEN = 's3cr3t-token/of+this=test';
const HEAD = '  proto: ./service.proto\n  serviceName: HelloService\n';

let dir;
let shop;
let target;

before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-tool-'));
  for (const name of ['service.proto', 'order.proto']) copyFileSync(path.join(EXAMPLES, name), path.join(dir, name));
  shop = await startServer(process.execPath, [SHOP, dir], { env: { TOKEN, RELEASE: '1' } });
  target = `127.0.0.1:${shop.port}`;
});

after(async () => {
  await shop?.close();
  rmSync(dir, { recursive: true, force: true });
});

const file = (name, text) => {
  const place = path.join(dir, name);
  writeFileSync(place, text);
  return place;
};
const pourover = (args, env = {}, ms = 60_000) => run(args, [], { POUROVER_TARGET: '', ...env }, { ms });
const tests = (args, env, ms) => pourover(['test', ...args, '--target', target], env, ms);
const hello = (name, wanted = 'Hello a!', more = '') =>
  `  - name: ${name}\n    methodName: SayHello\n${more}    detail: {requests: [{name: a}], responses: [{msg: ${JSON.stringify(wanted)}}]}\n`;
const suite = (...cases) => `- testName: T\n${HEAD}  cases:\n${cases.join('')}`;
const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

describe('the exit code says what happened', () => {
  const cases = {
    'all passed': [0, suite(hello('a'))],
    'an assertion failed': [1, suite(hello('a'), hello('b', 'Bye'))],
    'an unknown key': [2, suite(hello('a', 'Hello a!', '    retries: 3\n'))],
    'an unknown field': [2, `- testName: T\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{nmae: a}], responses: [{}]}}\n`],
    'a wrong type': [2, `- testName: T\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{name: [a]}], responses: [{}]}}\n`],
    'an unknown variable': [2, `- testName: T\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{name: "\${x}"}], responses: [{}]}}\n`],
    'nothing asserted': [5, `- testName: T\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{name: a}]}}\n`],
    'an empty file': [5, ''],
    'every case skipped': [5, suite(hello('a', 'x', '    skip: not today\n'))],
  };
  for (const [name, [code, text]] of Object.entries(cases)) {
    test(`${name}: ${code}`, async () => {
      const result = await tests([file('exit.yaml', text)]);
      assert.equal(result.code, code, result.out + result.err);
      if (code === 2) assert.match(result.err, /exit\.yaml:\d+:\d+: error: /);
      if (code === 2 || code === 5) assert.doesNotMatch(result.out, /pass /);
    });
  }

  test('a filter that matches nothing: 5', async () => {
    const result = await tests([file('exit.yaml', suite(hello('a'))), '--run', 'nothing']);
    assert.equal(result.code, 5, result.out + result.err);
    assert.match(result.err, /no case was chosen/);
  });

  test('nobody listens: 3, and the message names the address', async () => {
    const port = await freePort();
    const result = await pourover(['test', file('exit.yaml', suite(hello('a'))), '--target', `127.0.0.1:${port}`]);
    assert.equal(result.code, 3, result.out + result.err);
    assert.match(result.out, new RegExp(`127\\.0\\.0\\.1:${port}`));
  });

  test('an expected error is not satisfied by a connection that is not there: 3', async () => {
    const port = await freePort();
    const text = `- testName: T\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{}], error: UNAVAILABLE}}\n`;
    const result = await pourover(['test', file('exit.yaml', text), '--target', `127.0.0.1:${port}`]);
    assert.equal(result.code, 3, result.out + result.err);
  });

  test('a server that never answers: 4 at the deadline', async () => {
    const silent = net.createServer((socket) => socket.resume().on('error', () => {})).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const result = await pourover(['test', file('exit.yaml', suite(hello('a', 'x', '    deadline: 300ms\n'))), '--target', `127.0.0.1:${silent.address().port}`]);
    silent.close();
    assert.equal(result.code, 4, result.out + result.err);
  });

  test('no target, and a target that is none: 2', async () => {
    const place = file('exit.yaml', suite(hello('a')));
    const none = await pourover(['test', place]);
    assert.equal(none.code, 2);
    assert.match(none.err, /--target HOST:PORT/);
    const wrong = await pourover(['test', place, '--target', 'gprc://x:1']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /grpc/);
  });
});

test('a misspelt key is underlined, with the key that was meant', async () => {
  const result = await tests([file('typo.yaml', suite('  - nmae: a\n    methodName: SayHello\n'))]);
  assert.equal(result.code, 2);
  assert.match(result.err, /typo\.yaml:5:5: error: unknown key "nmae" in an item of "cases": did you mean "name"\?\n.*nmae: a\n.*\^/);
});

test('a failure shows expected and got, its line, the transcript and the command that repeats it', async () => {
  const place = file('fail.yaml', suite(hello('good'), hello("it's (bad)", 'Hello b!')));
  const result = await tests([place]);
  assert.equal(result.code, 1);
  assert.match(result.out, /responses\[0\]\.msg {3}\S*fail\.yaml:\d+:\d+/);
  assert.match(result.out, /expected +"?Hello b!/);
  assert.match(result.out, /got +"?Hello a!/);
  assert.match(result.out, /> \{"name":"a"\}/);
  assert.match(result.out, /< \{"msg":"Hello a!"\}/);
  const [, again] = result.out.match(/again: (pourover .*)/);
  const repeated = spawnShell(again);
  assert.equal(repeated.code, 1);
  assert.match(repeated.out, /^0 passed, 1 failed/m);
});

test('a wrong status is the only difference: other headers and times follow from it', async () => {
  const text = `- testName: T\n  proto: ./order.proto\n  serviceName: OrderService\n  cases:\n  - name: a\n    methodName: Get\n    detail:
      requests: [{}]\n      responses: [{order: {$present: true}}]\n      headers: {x-served-by: {$present: true}}\n      trailers: {x-end: yes}\n      wire: {trailersOnly: false}\n`;
  const json = path.join(dir, 'wrong-status.json');
  assert.equal((await tests([file('wrong.yaml', text), '--json', json])).code, 1);
  const [{ attempts: [{ differences }] }] = JSON.parse(readFileSync(json, 'utf8')).cases;
  assert.deepEqual(differences.map(({ path: where, expected }) => [where, expected]), [['status', 'OK']]);
});

function spawnShell(line) {
  symlinkSync(PROGRAM, path.join(dir, 'pourover'));
  try {
    execFileSync('/bin/sh', ['-c', line], { env: { ...process.env, PATH: `${dir}:${process.env.PATH}` }, encoding: 'utf8', timeout: 60_000 });
  } catch (error) {
    return { code: error.status, out: error.stdout };
  }
  return { code: 0 };
}

const names = (out) => out.split('\n').filter((line) => /^ {2}(pass|FAIL|skip)/.test(line)).map((line) => line.replace(/ {2}[\d.]+ ms.*/, ''));

test('a thousand cases give the same report with one job and with eight', async () => {
  const text = Array.from({ length: 20 }, (_, t) => `- testName: T${t}\n${t % 2 ? '  parallel: true\n' : ''}${HEAD}  cases:\n${
    Array.from({ length: 50 }, (__, c) => hello(`c${c}`, c % 10 === 3 ? 'Bye' : 'Hello a!', c % 10 === 7 ? '    skip: why not\n' : '')).join('')}`).join('');
  const place = file('thousand.yaml', text);
  const reports = [];
  for (const jobs of ['1', '8']) {
    const json = path.join(dir, `thousand-${jobs}.json`);
    const result = await tests([place, '--jobs', jobs, '--json', json]);
    assert.equal(result.code, 1, result.err);
    const { cases, totals } = JSON.parse(readFileSync(json, 'utf8'));
    reports.push({ out: names(result.out), cases: cases.map((c) => [c.test, c.case, c.outcome]), passed: totals.passed, failed: totals.failed, skipped: totals.skipped });
  }
  assert.equal(reports[0].out.length, 1000);
  assert.deepEqual([reports[0].passed, reports[0].failed, reports[0].skipped], [800, 100, 100]);
  assert.deepEqual(reports[0], reports[1]);
});

test('tags and --run choose', async () => {
  const place = file('tags.yaml', suite(hello('a', 'Hello a!', '    tags: [x, slow]\n'), hello('b', 'Hello a!', '    tags: x\n'), hello('c')));
  const chosen = async (...args) => names((await tests([place, ...args])).out).map((line) => line.split(/ +/)[2]);
  assert.deepEqual(await chosen('--tags', 'x'), ['a', 'b']);
  assert.deepEqual(await chosen('--tags', 'x,!slow'), ['b']);
  assert.deepEqual(await chosen('--tags', '!slow'), ['b', 'c']);
  assert.deepEqual(await chosen('--run', '/(a|c)$'), ['a', 'c']);
});

/** Greets after a while: each answer takes `ms`. Returns {port, asked: names in order, close()}. */
async function slowHttp(ms) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    setTimeout(() => response.end('ok'), request.url.startsWith('/slow') ? ms : 0);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: server.address().port, asked, close: () => { server.closeAllConnections(); server.close(); } };
}

const httpCase = (name, url) => `  - {name: ${name}, http: {path: ${url}}, expect: {status: 200}}\n`;
const slowSuite = `- testName: Slow\n  http: {scheme: http}\n  setup:\n${httpCase('before', '/before')}  cases:\n${httpCase('one', '/one')}${
  httpCase('slow', '/slow')}${httpCase('three', '/three')}  teardown:\n${httpCase('after', '/after')}`;

test('the budget cancels what runs; teardown follows, and the exit code is 4', async () => {
  const server = await slowHttp(30_000);
  const junit = path.join(dir, 'budget.xml');
  const result = await pourover(['test', file('budget.yaml', slowSuite), '--target', `127.0.0.1:${server.port}`, '--budget', '700ms', '--junit', junit]);
  server.close();
  assert.equal(result.code, 4, result.out + result.err);
  assert.deepEqual(server.asked, ['/before', '/one', '/slow', '/after']);
  assert.match(readFileSync(junit, 'utf8'), /tests="5"[^]*budget of the run/);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal}: teardown runs, reports are whole, the exit code is 130`, async () => {
    const server = await slowHttp(30_000);
    const reports = ['junit', 'json', 'tap', 'html'].map((kind) => [kind, path.join(dir, `interrupted.${kind}`)]);
    const child = start(['test', file('interrupted.yaml', slowSuite), '--target', `127.0.0.1:${server.port}`,
      ...reports.flatMap(([kind, place]) => [`--${kind}`, place])], [], {}, { ms: 60_000 });
    await until(() => server.asked.includes('/slow'));
    child.kill(signal);
    const result = await child.done;
    server.close();
    assert.equal(result.code, 130, result.out + result.err);
    assert.deepEqual(server.asked, ['/before', '/one', '/slow', '/after']);
    for (const [kind, place] of reports) assert.ok(statSync(place).size > 100, kind);
    const { cases, interrupted } = JSON.parse(readFileSync(reports[1][1], 'utf8'));
    assert.equal(interrupted, true);
    assert.deepEqual(cases.map((c) => c.outcome), ['passed', 'passed', 'not_run', 'not_run', 'passed']);
    assert.match(readFileSync(reports[0][1], 'utf8'), /<\/testsuites>\n$/);
    assert.match(readFileSync(reports[2][1], 'utf8'), /\n1\.\.5\n$/);
  });
}

test('a full disk and a closed standard output are errors', async () => {
  const place = file('full.yaml', suite(hello('a')));
  for (const kind of ['junit', 'json', 'tap', 'html']) {
    const result = await tests([place, `--${kind}`, '/dev/full']);
    assert.equal(result.code, 1, kind);
    assert.match(result.err, /\/dev\/full: cannot be written: No space left/);
  }
  const nowhere = await tests([place, '--junit', path.join(dir, 'no/such/folder/x.xml')]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.err, /x\.xml: cannot be written/);
  const closed = await new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', '"$0" "$@" >/dev/full', PROGRAM, 'test', place, '--target', target], { stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (chunk) => { err += chunk; });
    child.once('close', (code) => resolve({ code, err }));
  });
  assert.equal(closed.code, 1);
  assert.match(closed.err, /could not be written/);
});

test('secrets appear nowhere: not in errors, transcripts, reports, nor in other forms', async () => {
  const bin = Buffer.from(`x${TOKEN}y`).toString('base64');
  const text = `- testName: S\n${HEAD}  cases:
  - name: echo
    methodName: SayHello
    detail:
      metadata: {authorization: "Bearer \${secret.TOKEN}", trace-bin: ${bin}}
      requests: [{name: "before \${secret.TOKEN} after"}]
      responses: [{msg: other}]
  - name: capture
    methodName: SayHello
    detail: {requests: [{name: "captured-value-1234"}], responses: [{msg: {$startsWith: Hello}}]}
    save: {captured: {path: "responses[0].msg", secret: true}}
  - name: use
    methodName: SayHello
    detail: {requests: [{name: "\${captured} and more"}], responses: [{msg: nothing}]}
`;
  const reports = ['junit', 'json', 'tap', 'html'].map((kind) => [kind, path.join(dir, `secret.${kind}`)]);
  const result = await tests([file('secret.yaml', text), '-v', ...reports.flatMap(([kind, place]) => [`--${kind}`, place])], { POUROVER_SECRET_TOKEN: TOKEN });
  assert.equal(result.code, 1, result.out + result.err);
  const all = [['console', result.out + result.err], ...reports.map(([kind, place]) => [kind, readFileSync(place, 'utf8')])];
  for (const [kind, said] of all) {
    for (const secret of [TOKEN, encodeURIComponent(TOKEN), Buffer.from(TOKEN).toString('base64'), Buffer.from(TOKEN).toString('hex'), 'captured-value-1234!']) {
      assert.ok(!said.includes(secret), `${kind} has ${secret}`);
    }
    assert.ok(said.includes('***'), kind);
  }
});

test('a secret of a file that others may write is refused', async () => {
  const place = file('secrets.env', '# comment\nTOKEN=abcdefgh\n');
  const { mode } = statSync(place);
  assert.equal(mode & 0o022, 0);
  const text = `- testName: S\n${HEAD}  cases:\n  - {name: a, methodName: SayHello, detail: {requests: [{name: "\${secret.TOKEN}"}], responses: [{msg: {$endsWith: "!"}}]}}\n`;
  assert.equal((await tests([file('s.yaml', text), '--secrets', place])).code, 0);
  execFileSync('chmod', ['go+w', place]);
  const refused = await tests([file('s.yaml', text), '--secrets', place]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /secrets\.env/);
});

test('a file that requires a tenant calls nothing without it, nor with one of somebody else', async () => {
  const text = `version: 1\nrequires: {TENANT: {$regex: '^test-'}}\ntests:\n- testName: T\n${HEAD}  cases:\n${hello('a')}`;
  const place = file('tenant.yaml', text);
  const without = await tests([place], { TENANT: '' });
  assert.equal(without.code, 2);
  assert.match(without.err, /requires TENANT and calls nothing without it/);
  const other = await tests([place, '--var', 'TENANT=acme']);
  assert.equal(other.code, 2);
  assert.match(other.err, /TENANT is "acme"/);
  assert.equal((await tests([place, '--var', 'TENANT=test-1'])).code, 0);
  assert.equal((await tests([place], { TENANT: 'test-2' })).code, 0);
});

test('coverage is a gate', async () => {
  const text = (wanted) => `version: 1\ncoverage: {methods: ${wanted}, exclude: [OrderService/Chat]}\ntests:\n- testName: T\n  proto: ./order.proto\n  serviceName: OrderService
  cases:\n  - {name: a, methodName: Get, detail: {requests: [{}], error: UNAUTHENTICATED}}\n`;
  const enough = await tests([file('coverage.yaml', text('25%')), '--coverage']);
  assert.equal(enough.code, 0, enough.out + enough.err);
  assert.match(enough.out, /1 of 4 methods were called \(25\.0 %\), 1 excluded/);
  const short = await tests([file('coverage.yaml', text('50%'))]);
  assert.equal(short.code, 1);
  assert.match(short.err, /coverage is 25%, the file asks for 50%[^]*not called: shop\.v1\.OrderService\/Create/);
});

test('coverage is asked of each file by itself', async () => {
  const all = file('covers.yaml', `version: 1\ncoverage: {methods: 100%}\ntests:\n- testName: T\n${HEAD}  cases:\n${hello('a')}`);
  const none = file('lacks.yaml', `version: 1\ncoverage: {methods: 50%}\ntests:\n- testName: U\n  proto: ./order.proto\n  serviceName: OrderService
  cases:\n  - {name: a, methodName: Get, detail: {requests: [{}], error: UNAUTHENTICATED}}\n`);
  assert.equal((await tests([all])).code, 0);
  const both = await tests([all, none]);
  assert.equal(both.code, 1);
  assert.match(both.err, /lacks\.yaml: coverage is 20%, the file asks for 50%/);
  assert.doesNotMatch(both.err, /covers\.yaml/);
});

test('if: what is not set in the environment is empty, and the case is skipped', async () => {
  const place = file('if.yaml', suite(hello('a'), hello('b', 'x', '    if: ${env.NOT_SET_HERE}\n'), hello('c', 'Hello a!', '    if: ${env.SET_HERE}\n')));
  const result = await tests([place], { SET_HERE: '1' });
  assert.equal(result.code, 0, result.out + result.err);
  assert.match(result.out, /skip +b .*NOT_SET_HERE/);
  assert.match(result.out, /2 passed, 0 failed, 1 skipped/);
  assert.equal((await tests([file('if.yaml', suite(hello('a', 'Hello a!', '    if: ${nothing}\n')))])).code, 2);
});

test('--production refuses side effects that the file does not allow', async () => {
  const create = (more) => `- testName: T\n  proto: ./order.proto\n  serviceName: OrderService\n  cases:\n  - name: create\n    methodName: Create\n${more}    detail: {requests: [{}], error: UNAUTHENTICATED}\n`;
  const refused = await tests([file('production.yaml', create('')), '--production']);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /"create" may have side effects/);
  assert.equal((await tests([file('production.yaml', create('    allowSideEffects: true\n')), '--production'])).code, 0);
});

test('a suite that `test new` writes for 50 methods runs', async () => {
  const methods = Array.from({ length: 50 }, (_, i) => `  rpc M${i}(${i % 3 ? '' : 'stream '}In) returns (${i % 2 ? '' : 'stream '}Out) { option idempotency_level = NO_SIDE_EFFECTS; }`);
  file('many.proto', `syntax = "proto3";\npackage many.v1;\nimport "google/protobuf/timestamp.proto";\nimport "google/protobuf/struct.proto";
message Inner { repeated Inner inner = 1; oneof one { bytes raw = 2; double number = 3; } map<int64, Inner> by_id = 4; }
enum Kind { NONE = 0; SOME = 1; }
message In { string name = 1; Inner inner = 2; google.protobuf.Timestamp at = 3; Kind kind = 4; google.protobuf.Struct free = 5; map<string, Kind> kinds = 6; }
message Out { string name = 1; }\nservice Many {\n${methods.join('\n')}\n}\n`);
  const place = path.join(dir, 'many.yaml');
  const written = await pourover(['test', 'new', '--proto', path.join(dir, 'many.proto'), '--output', place]);
  assert.equal(written.code, 0, written.err);
  const checked = await pourover(['check', place]);
  assert.equal(checked.code, 0, checked.err);
  assert.match(checked.out, /1 test, 50 cases/);
  const result = await tests([place]); // the shop has no such service: every method says so
  assert.equal(result.code, 1);
  assert.equal(result.out.match(/UNIMPLEMENTED/g).length >= 50, true);
  const reflected = await pourover(['test', 'new', 'hello.v1.HelloService', '--target', target]);
  assert.match(reflected.out, /reflection: true\n[^]*methodName: SayHello/);
  assert.equal((await tests([file('reflected.yaml', reflected.out)])).code, 0);
});

test('a recorded call passes when it is run', async () => {
  const place = path.join(dir, 'recorded.yaml');
  const args = ['--target', target, '--proto', path.join(dir, 'service.proto'), '--data', '{"name": "007: yes\\n"}', '--output', place];
  assert.equal((await pourover(['test', 'record', 'SayHello', ...args])).code, 0);
  writeFileSync(place, readFileSync(place, 'utf8').replace(path.join(dir, 'service.proto'), 'service.proto'));
  const result = await tests([place]);
  assert.equal(result.code, 0, result.out + result.err + readFileSync(place, 'utf8'));
});

test('a recorded call has the name of a secret, not the secret, and texts that look like variables', async () => {
  const place = path.join(dir, 'recorded_secret.yaml');
  const args = ['--target', target, '--proto', path.join(dir, 'order.proto'), '--header', 'authorization: Bearer ${secret.TOKEN}', '--output', place];
  const recorded = await pourover(['test', 'record', 'OrderService/Get', ...args, '--data', '{"id": "${x} $${y} $z"}'], { TOKEN });
  assert.equal(recorded.code, 0, recorded.err);
  const text = readFileSync(place, 'utf8');
  assert.ok(!text.includes(TOKEN));
  assert.match(text, /authorization: Bearer \$\{secret\.TOKEN\}\n[^]*code: NOT_FOUND/);
  writeFileSync(place, text.replace(path.join(dir, 'order.proto'), 'order.proto'));
  const again = await tests([place], { TOKEN });
  assert.equal(again.code, 0, again.out + again.err);
  const unknown = await pourover(['test', 'call', 'OrderService/Get', '--target', target, '--header', 'a: ${nobody}']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /--header a: unknown variable "nobody"/);
});

test('one call prints the reply as JSON; many print a summary', async () => {
  const one = await pourover(['test', 'call', 'HelloService/SayHello', '--target', target, '--data', '{"name": "x"}']);
  assert.deepEqual([one.code, JSON.parse(one.out)], [0, { msg: 'Hello x!' }]);
  const wrong = await pourover(['test', 'call', 'HelloService/SayHelo', '--target', target]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /did you mean/);
  const many = await pourover(['test', 'call', 'SayHello', '--target', target, '--count', '500', '--concurrency', '20']);
  assert.equal(many.code, 0, many.err);
  assert.match(many.out, /^500 calls in .*\n {2}OK +500\n$/);
});

test('files without an end are refused, not read for ever', async () => {
  const args = ['test', 'call', 'SayHello', '--target', target];
  const set = await pourover([...args, '--proto-set', '/dev/zero'], {}, 30_000);
  assert.equal(set.code, 1, set.out + set.err);
  assert.match(set.err, /\/dev\/zero: larger than 64 MiB/);
  const data = await pourover([...args, '--data', '@/dev/zero'], {}, 30_000);
  assert.equal(data.code, 1, data.out + data.err);
  assert.match(data.err, /--data @\/dev\/zero: larger than 256 MiB/);
});

test('--baseline tells where replies differ, but for what may', async () => {
  const other = await startServer(process.execPath, [SHOP, dir], { env: { TOKEN, RELEASE: '2' } });
  const text = (more) => `- testName: T\n  proto: ./order.proto\n  serviceName: OrderService\n  defaults: {metadata: {authorization: "Bearer \${secret.TOKEN}"}}\n  cases:
  - name: create\n    methodName: Create\n${more}    detail: {requests: [{sku: A, quantity: 2}], responses: [{order: {state: PENDING}}]}\n`;
  const base = ['--baseline', `127.0.0.1:${other.port}`];
  const differs = await tests([file('base.yaml', text('')), ...base], { TOKEN });
  assert.equal(differs.code, 1, differs.out + differs.err);
  assert.match(differs.out, /responses\[0\] \(baseline\)\.order\.id/);
  const same = await tests([file('base.yaml', text('    ignore: [order.id, order.created_at]\n')), ...base], { TOKEN });
  assert.equal(same.code, 0, same.out + same.err);
  await other.close();
});

/** Remembers sessions of its own only, as a version does that does not understand the other's. */
async function sessions(shared) {
  const seen = shared ?? new Set();
  let logins = 0;
  const server = http.createServer((request, response) => {
    if (request.url === '/login') {
      const session = `${server.address().port}-${logins += 1}`;
      seen.add(session);
      response.setHeader('set-cookie', `session=${session}; Path=/`);
    }
    const known = request.url === '/login' || (request.headers.cookie ?? '').split('; ').some((c) => seen.has(c.replace('session=', '')));
    response.statusCode = known ? 200 : 403;
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { at: `127.0.0.1:${server.address().port}`, close: () => { server.closeAllConnections(); server.close(); } };
}

test('--cross: a session that goes to the other version and back', async () => {
  const text = `- testName: Session\n  http: {scheme: http}\n  cases:\n${httpCase('login', '/login')}${httpCase('there', '/page')}${httpCase('back', '/page')}`;
  for (const [shared, code] of [[new Set(), 0], [null, 1]]) {
    const [a, b] = [await sessions(shared), await sessions(shared)];
    const result = await pourover(['test', file('cross.yaml', text), '--cross', `${a.at},${b.at}`]);
    a.close();
    b.close();
    assert.equal(result.code, code, result.out + result.err);
    assert.match(result.out, new RegExp(`\\[${a.at} > ${b.at}\\]`));
    assert.match(result.out, new RegExp(`\\[${b.at} > ${a.at}\\]`));
    if (code) assert.equal(names(result.out).filter((line) => line.includes('FAIL') && line.includes('there')).length, 2);
  }
});

test('eventually keeps every attempt, and says that it passed only in the end', async () => {
  const started = Date.now();
  const server = http.createServer((request, response) => {
    response.statusCode = Date.now() - started < 500 ? 503 : 200;
    response.end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const text = '- testName: T\n  http: {scheme: http}\n  cases:\n  - {name: ready, eventually: {within: 20s, every: 50ms}, http: {path: /}, expect: {status: 200}}\n';
  const json = path.join(dir, 'eventually.json');
  const result = await pourover(['test', file('eventually.yaml', text), '--target', `127.0.0.1:${server.address().port}`, '--json', json]);
  server.close();
  assert.equal(result.code, 0, result.out + result.err);
  const [{ attempts, flaky }] = JSON.parse(readFileSync(json, 'utf8')).cases;
  assert.ok(attempts.length > 1 && flaky);
  assert.ok(attempts.slice(0, -1).every(({ outcome, differences }) => outcome === 'failed' && differences[0].got === '503'));
  assert.match(result.out, /1 passed only after a failure/);
});

test('a failed setup keeps its test from running; teardown runs', async () => {
  const server = await slowHttp(0);
  const text = slowSuite.replace('/before}, expect: {status: 200}', '/before}, expect: {status: 201}');
  const result = await pourover(['test', file('setup.yaml', text), '--target', `127.0.0.1:${server.port}`]);
  server.close();
  assert.equal(result.code, 1);
  assert.deepEqual(server.asked, ['/before', '/after']);
  assert.match(result.out, /3 not run/);
});

test('the schema is JSON Schema of the keys', async () => {
  const { code, out } = await pourover(['schema', 'test']);
  assert.equal(code, 0);
  const schema = JSON.parse(out);
  assert.ok(schema.oneOf[0].items.properties.cases);
  assert.equal(schema.oneOf[1].additionalProperties, false);
});

test('control characters and ]]> stay well-formed in JUnit', async () => {
  const junit = path.join(dir, 'odd.xml');
  const result = await tests([file('odd.yaml', suite(hello('"]]> \\u0001 <&\\""', ']]>\u0002'.replace('\u0002', '')))), '--junit', junit]);
  assert.equal(result.code, 1);
  execFileSync('python3', ['-c', 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])', junit]);
});

test('--watch runs again when the file is saved', async () => {
  const place = file('watch.yaml', suite(hello('a')));
  const child = start(['test', place, '--target', target, '--watch'], [], {}, { ms: 60_000 });
  await until(() => /waiting for a file/.test(child.result.out));
  writeFileSync(place, suite(hello('a', 'Bye')));
  await until(() => /0 passed, 1 failed[^]*exit 1; waiting/.test(child.result.out));
  child.kill('SIGINT');
  assert.equal((await child.done).code, 1);
  assert.ok(existsSync(place));
});
