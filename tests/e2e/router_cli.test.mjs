// The commands of `pourover router` against routers that keep to the API's contract, or break it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM, json, run, start, withRouters } from '../support/program.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const dir = mkdtempSync(path.join(tmpdir(), 'pourover-cli-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const at = (share_ppm, revision = 7, more = {}) => ({ split: { share_ppm, revision, ...more } });

describe('command line', () => {
  test('alone it lists the commands and the next one', async () => {
    const bare = await run([]);
    assert.equal(bare.code, 0);
    for (const name of ['status', 'watch', 'set SHARE', 'enable', 'disable', 'who ID', 'verify', 'walk', 'sync', 'peers', 'drain', 'weight', 'events']) {
      assert.match(bare.out, new RegExp(`router ${name} .*[a-z]`));
    }
    assert.match(bare.out, /next: .*\n.*POUROVER_ROUTERS=/);
    assert.match((await run([], [{ api: 'http://127.0.0.1:1/p' }])).out, /next: pourover router status/);
    assert.match((await run(['router'])).out, /router verify/);
    assert.match((await run(['--version'])).out, /^pourover \d+\.\d+\.\d+\n$/);
  });

  const wrong = [
    [['ruoter'], /no command "ruoter"; did you mean "router"\?/],
    [['router', 'stauts'], /no router command "stauts"; did you mean "status"\?/],
    [['router', 'xyzzyx'], /no router command "xyzzyx"; see "pourover router --help"/],
    [['router', 'status', '--jsno'], /no option "--jsno"; did you mean "--json"\?/],
    [['router', 'status', '--salt', 'x'], /no option "--salt"; see "pourover router status --help"/],
    [['router', 'status', '-x'], /no option "-x"/],
    [['router', 'status', '--json=1'], /--json takes no value, not "1"/],
    [['router', 'set'], /router set lacks its operand: pourover router set SHARE/],
    [['router', 'set', '1%', '2%'], /"2%" is one operand too many/],
    [['router', 'set', '10'], /share: "10" has no unit: write 10% or 10ppm/],
    [['router', 'set', '101%'], /share: /],
    [['router', 'set', '-1%'], /"-1%" is not a share of traffic: write a percentage such as 0.1%/],
    [['verify'], /no command "verify"; did you mean "router verify"\?/],
    [['abort'], /no command "abort"; did you mean "rollback" or "pause"\?/],
    [['router', 'set', '--', '-1%'], /share: /],
    [['router', 'set', '1%', '--salt', 'a b'], /--salt: "a b" is not a salt: 1 to 64 characters/],
    [['router', 'set', '1%', '--salt'], /--salt lacks its value: --salt SALT/],
    [['router', 'set', '1%', '--timeout', '10'], /--timeout: "10" is not a time .* such as 10s/],
    [['router', 'set', '1%', '--router', 'ftp://x/'], /--router: router "ftp:\/\/x\/" is not an address .*write http:\/\/127/],
    [['router', 'set', '1%', '--router', 'http://a/p', '--router', 'http://a/q'], /two routers are called "a": put different names in front/],
    [['router', 'set', '1%', '--router', 'http://127.0.0.1:9900x/p'], /"http:\/\/127\.0\.0\.1:9900x\/p" is not an address/],
    [['router', 'set', '1%', '--router', 'http://anna:pw@a/p'], /is not an address/],
    [['router', 'set', '1%', '--router', 'http://a/p?q'], /is not an address/],
    [['router', 'set', '1%', '--router', 'http://a/p,http://b/p'], /"http:\/\/a\/p,http:\/\/b\/p" is not an address/],
    [['router', 'verify', '--visit', 'http://a:b/'], /--visit: "http:\/\/a:b\/" is not/],
    [['router', 'set', '1%', '--service', 'a/b'], /--service: "a\/b" is no name of a service/],
    [['router', 'watch', '--interval', '1ms'], /--interval: "1ms" is not a time from 100ms/],
    [['router', 'watch', '--for', 'x'], /--for: "x" is not a time/],
    [['router', 'who', ''], /an id has 1 to 256 bytes, not 0/],
    [['router', 'verify'], /--visit URL is missing/],
    [['router', 'verify', '--visit', 'localhost'], /--visit: "localhost" is not a visitors' address such as/],
    [['router', 'verify', '--requests', '0'], /--requests: "0" is not a number of visitors from 1 to 1000000/],
    [['router', 'verify', '--confidence', '0.99'], /--confidence: "0.99" is not a confidence from 50%/],
    [['router', 'verify', '--confidence', '100%'], /--confidence: "100%" is not/],
    [['router', 'verify', '--host-header', 'a\r\nb: c'], /--host-header: .* is not a host/],
    [['router', 'verify', '--id-header', 'a:b'], /--id-header: "a:b" is not a name of a header/],
    [['router', 'verify', '--visit', 'http://a/', '--visit', 'http://b/'], /--visit is there 2 times for 1 routers/],
    [['router', 'walk', '--stages', '1%,0.1%'], /--stages: stage 2, "0.1%", is not above the one before/],
    [['router', 'walk', '--stages', '0,,1%'], /--stages: stage 2: /],
    [['router', 'walk', '--dwell', 'long'], /--dwell: "long" is not a time/],
    [['router', 'walk', '--max-errors', '5'], /--max-errors: "5" has no unit/],
    [['help', 'nothing'], /no help on "nothing"/],
    [['completion', 'tcsh'], /no completion for "tcsh": there is bash/],
  ];
  for (const [args, message] of wrong) {
    test(`wrong: pourover ${JSON.stringify(args.join(' '))}`, () => withRouters([at(0)], async (router) => {
      const result = await run(args, [router]);
      assert.match(result.err, message);
      assert.match(result.err, /^pourover: [^\n]+\n$/, 'one line');
      assert.equal(result.code, 2);
      assert.deepEqual(router.puts, []);
    }));
  }

  test('no router named, or one named badly in the environment', async () => {
    assert.match((await run(['router', 'status'], [], { POUROVER_ROUTERS: '' })).err, /use --router URL, or put the URLs into POUROVER_ROUTERS/);
    const bad = await run(['router', 'status'], [], { POUROVER_ROUTERS: 'http://a/p unix:x' });
    assert.match(bad.err, /POUROVER_ROUTERS \(URLs separated by spaces\): router "unix:x" is not an address/);
    assert.equal(bad.code, 2);
  });

  test('a wrong use is JSON with --json', async () => {
    assert.match((await json(['router', 'set', '10'])).error, /has no unit/);
  });

  test('every command has help with options, examples and where the exit codes are', async () => {
    const names = [...(await run([])).out.matchAll(/^ {2}((?:router )?[a-z]+)(?: [A-Z][A-Z. ]*| \[[^\]]*\]| bash)? {2,}\S/gm)].map((match) => match[1]);
    assert.ok(names.length >= 22, names.join());
    for (const name of names) {
      const help = await run([...name.split(' '), '--help']);
      assert.equal(help.code, 0);
      assert.ok(help.out.startsWith(`usage: pourover ${name}`), name);
      assert.match(help.out, /\noptions:\n {2}/);
      assert.match(help.out, /\nexamples:\n {2}\S/);
      assert.deepEqual(help.out.split('\n').filter((line) => line.length > 100 && !line.startsWith('  pourover')), []);
      assert.equal((await run(['help', ...name.split(' ')])).out, help.out);
    }
  });

  test('the reference of commands is current', async () => {
    const now = await run(['help', '--markdown']);
    assert.equal(now.out, readFileSync(path.join(ROOT, 'docs/reference/commands.md'), 'utf8'),
      'run: pourover help --markdown >docs/reference/commands.md');
  });

  test('the table of exit codes is the one of the design', async () => {
    const { out } = await run(['help', 'exit-codes']);
    assert.deepEqual(out.trim().split('\n').map((line) => Number.parseInt(line, 10)), [0, 1, 2, 3, 4, 5, 6, 7, 70, 130]);
  });

  test('a reader that goes away is no error, a full disk is', async () => {
    const sh = (script) => new Promise((resolve) => {
      const child = spawn('bash', ['-c', `set -o pipefail; ${script}`], { env: { ...process.env, P: PROGRAM } });
      let err = '';
      child.stderr.on('data', (chunk) => { err += chunk; });
      child.once('close', (code) => resolve({ code, err }));
    });
    assert.deepEqual(await sh('for i in 1 2 3 4 5; do "$P" help --markdown | true || exit; done'), { code: 0, err: '' });
    assert.deepEqual(await sh('"$P" help >/dev/full'), { code: 1, err: 'pourover: the output could not be written\n' });
  });
});

describe('pages made of the tables', () => {
  const bash = (script, ...args) => new Promise((resolve) => {
    const child = spawn('bash', ['-c', script, 'bash', ...args], { env: { ...process.env, P: PROGRAM } });
    let out = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.stderr.on('data', (chunk) => { out += chunk; });
    child.once('close', (code) => resolve({ code, out }));
  });
  const complete = async (...words) => {
    const script = 'source <("$P" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pourover; echo "${COMPREPLY[*]}"';
    return (await bash(script, 'pourover', ...words)).out.trim().split(' ');
  };

  test('bash completes commands, options and topics', async () => {
    assert.deepEqual(await complete('rou'), ['router']);
    assert.deepEqual(await complete('router', 'w'), ['watch', 'who', 'walk', 'weight']);
    assert.deepEqual(await complete('router', 'set', '--sa'), ['--salt']);
    assert.deepEqual(await complete('router', 'verify', '--c'), ['--cut-only', '--confidence']);
    assert.ok((await complete('router', 'status', '-')).includes('--router'));
    assert.deepEqual(await complete('help', 'ex'), ['exit-codes']);
    assert.deepEqual(await complete('completion', ''), ['bash']);
  });

  test('the man pages have every command and no macro that roff does not know', async () => {
    for (const [group, word] of [['', 'pourover completion'], ['router', 'pourover router walk']]) {
      const source = await bash(`"$P" help --man ${group}`);
      assert.equal(source.code, 0);
      assert.match(source.out, /^\.TH POUROVER/);
      for (const section of ['NAME', 'SYNOPSIS', 'COMMANDS', 'OPTIONS OF EVERY COMMAND', 'EXIT STATUS']) {
        assert.ok(source.out.includes(`\n.SH ${section}\n`), section);
      }
      assert.ok(source.out.includes(word));
      const macros = new Set([...source.out.matchAll(/^\.(\w*)/gm)].map((match) => match[1]));
      assert.deepEqual([...macros].filter((macro) => !['TH', 'SH', 'SS', 'TP', 'PP'].includes(macro)), []);
    }
    assert.equal((await run(['help', '--man', 'nothing'])).code, 2);
  });
});

describe('status and who', () => {
  test('routers that agree', () => withRouters([at(1000), at(1000)], async (...routers) => {
    const text = await run(['router', 'status'], routers);
    assert.equal(text.code, 0);
    assert.match(text.out, /east +0\.1% +7 +r42 +yes +2\/2 +1\/1 +0 +file/);
    const body = await json(['router', 'status'], routers);
    assert.equal(body.agree, true);
    assert.deepEqual(body.routers.map((router) => router.split), routers.map((router) => router.split));
    assert.deepEqual(body.routers[0].tracks.stable, { peers: 2, live: 2, failing: 0, unknown: 0, in_flight: 0 });
  }));

  for (const [what, split] of [['share', { share_ppm: 1001 }], ['salt', { salt: 'r43' }], ['revision', { revision: 8 }], ['enabled', { enabled: false }]]) {
    test(`routers that differ in ${what}`, () => withRouters([at(1000), at(1000, 7, split)], async (...routers) => {
      const text = await run(['router', 'status'], routers);
      assert.equal(text.code, 1);
      assert.match(text.out, /the routers differ: east has .*; west has .*\n.*pourover router sync/);
      assert.equal((await json(['router', 'status'], routers)).agree, false);
    }));
  }

  test('a router that cannot be reached is told, the others are shown', () => withRouters([at(1000)], async (router) => {
    const away = { api: `http://127.0.0.1:${await freePort()}/pourover` };
    const text = await run(['router', 'status'], [router, away]);
    assert.equal(text.code, 3);
    assert.match(text.out, /east +0\.1%/);
    assert.match(text.out, /west .*ERROR: .*127\.0\.0\.1/);
    assert.equal((await run(['router', 'status'], [away])).code, 3);
  }));

  test('notes: refused state, upgrade, a dead track', () => withRouters([{ ...at(0), restored: 'refused', upgrading: true,
    peers: [{ address: '10.0.1.11:80', track: 'stable' }] }], async (router) => {
    const { out } = await run(['router', 'status'], [router]);
    assert.match(out, /state file refused: checksum is wrong; nginx is being upgraded; no live peer: canary/);
  }));

  test('a silent router costs the timeout, not more', () => withRouters([at(0)], async (router) => {
    router.knobs.api = () => 'hang';
    const result = await run(['router', 'status', '--timeout', '300ms'], [router]);
    assert.equal(result.code, 3);
    assert.match(result.err, /router east: no answer in time/);
  }));

  const answers = [
    ['no JSON', [200, 'hello'], /router east: the answer is not JSON: .*: is the router's URL the location of pourover_api\?/],
    ['another shape', [200, '{"pourover":1}'], /the answer's pourover is not a printable string of at most 31 bytes/],
    ['a redirect', [302, ''], /HTTP 302, and not an answer of pourover's API/],
    ['too long', [200, `"${'x'.repeat(5e6)}"`], /the answer is longer than 4194304 bytes/],
  ];
  for (const [what, answer, message] of answers) {
    test(`an answer that is not the API's: ${what}`, () => withRouters([at(0)], async (router) => {
      router.knobs.api = () => answer;
      const result = await run(['router', 'status'], [router]);
      assert.match(result.err, message);
      assert.equal(result.code, 1);
    }));
  }

  test('several services have to be named', () => withRouters([{ ...at(5), services: ['shop', 'cart'] }], async (router) => {
    const result = await run(['router', 'status'], [router]);
    assert.equal(result.code, 2);
    assert.match(result.err, /there are 2 services: say which by --service: shop, cart/);
    assert.match((await run(['router', 'status', '--service', 'shpo'], [router])).err, /there is no "shpo"; did you mean "shop"\?/);
    assert.equal((await run(['router', 'status', '--service', 'shop'], [router])).code, 0);
  }));

  test('the token comes from environment or file and is never shown', () => withRouters([{ ...at(5), bearer: 's3cret-token' }], async (router) => {
    const refused = await run(['router', 'status'], [router]);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /a token is needed \(HTTP 401\)/);
    const file = path.join(dir, 'token');
    writeFileSync(file, 's3cret-token\n');
    const outputs = [
      await run(['router', 'status', '-v'], [router], { POUROVER_TOKEN: 's3cret-token' }),
      await run(['router', 'status', '--token-file', file], [router]),
    ];
    for (const result of outputs) {
      assert.equal(result.code, 0);
      assert.ok(!`${result.out}${result.err}`.includes('s3cret'));
    }
    writeFileSync(file, 's3cret token');
    const bad = await run(['router', 'status', '--token-file', file], [router]);
    assert.equal(bad.code, 2);
    assert.match(bad.err, /--token-file holds a token with a space or a control character/);
    assert.ok(!bad.err.includes('s3cret'));
    assert.equal((await run(['router', 'status', '--token-file', path.join(dir, 'none')], [router])).code, 2);
  }));

  test('a unix socket, and no proxy of the environment', () => withRouters([at(1000)], async (router) => {
    const socket = path.join(dir, 'api.sock');
    const proxy = await router.listenSocket(socket);
    const url = { api: `unix:${socket}:/pourover/` };
    const env = { http_proxy: 'http://127.0.0.1:1', all_proxy: 'http://127.0.0.1:1' };
    assert.match((await run(['router', 'status'], [url, router], env)).out, /east +0\.1%/);
    assert.match((await run(['router', 'status', '--router', url.api])).out, /api\.sock +0\.1%/);
    proxy.close();
  }));

  test('who agrees with the test vectors', async () => {
    const vectors = readFileSync(path.join(ROOT, 'tests/vectors/cut.tsv'), 'utf8').split('\n')
      .filter((line) => line !== '' && !line.startsWith('#')).slice(0, 40);
    for (const line of vectors) {
      const [salt, id, u, bucket] = line.split('\t');
      const body = await json(['router', 'who', '--salt', salt, '--', id]);
      assert.deepEqual([body.routers[0].u, body.routers[0].bucket, body.routers[0].canary_from_ppm], [u, Number(bucket), Number(bucket) + 1]);
    }
  });

  test('who says the track at the present share', () => withRouters([at(858182), at(858183), at(858183, 8, { enabled: false })], async (...routers) => {
    const body = await json(['router', 'who', '8f3c01d2a4b5e697'], routers);
    assert.deepEqual(body.routers.map((router) => [router.bucket, router.track]), [[858182, 'stable'], [858182, 'canary'], [858182, 'stable']]);
  }));
});

describe('set: raising', () => {
  test('compare and set on all, then read back', () => withRouters([at(0), at(0)], async (...routers) => {
    const body = await json(['router', 'set', '10%', '--reason', 'release 42'], routers);
    assert.equal(body.exit, 0);
    assert.equal(body.reason, 'release 42');
    for (const router of routers) {
      assert.deepEqual(router.puts, [{ share_ppm: 100000, revision: 8, if_revision: 7 }]);
      const last = router.calls.at(-1);
      assert.deepEqual([last.method, last.path], ['GET', 'v1/services/shop'], 'read back');
    }
    assert.deepEqual(body.routers.map((router) => router.result), ['proved', 'proved']);
  }));

  test('what is set already is not set again', () => withRouters([at(1000), at(1000)], async (...routers) => {
    assert.equal((await run(['router', 'set', '0.1%'], routers)).code, 0);
    assert.deepEqual(routers.flatMap((router) => router.puts), []);
  }));

  const refusals = [
    ['share', at(1000, 7), 1, /refused to raise; .*"pourover router sync" first: the routers differ/],
    ['revision', at(0, 6), 1, /refused to raise; .*"pourover router sync" first/],
    ['salt', at(0, 7, { salt: 'other' }), 1, /refused to raise/],
    ['upgrade', { ...at(0), upgrading: true }, 1, /router west is in the middle of an upgrade/],
  ];
  for (const [what, other, code, message] of refusals) {
    test(`refused when the routers are not one: ${what}`, () => withRouters([at(0), other], async (...routers) => {
      const result = await run(['router', 'set', '10%'], routers);
      assert.match(result.err, message);
      assert.equal(result.code, code);
      assert.deepEqual(routers.flatMap((router) => router.puts), []);
    }));
  }

  test('refused when a router is away', () => withRouters([at(0), at(0)], async (east, west) => {
    await west.close();
    const result = await run(['router', 'set', '10%'], [east, west]);
    assert.match(result.err, /refused to raise, as that waits for all routers: router west: /);
    assert.match(result.out, /^service shop: set to 10%: proved on 0 of 2 routers only\n/);
    assert.equal(result.code, 3);
    assert.deepEqual(east.puts, []);
    await west.revive();
  }));

  const failures = [
    ['conflict', () => [409, { error: { code: 'conflict', message: 'stale' } }], 1],
    ['state file not written', () => [507, { error: { code: 'not_saved', message: 'disk full' } }], 1],
    ['broken off', () => 'drop', 3],
    ['no answer', () => 'hang', 3],
  ];
  for (const [what, knob, code] of failures) {
    test(`set back where it was taken when another router fails: ${what}`, () => withRouters([at(1000), at(1000)], async (east, west) => {
      west.knobs.put = (text) => (JSON.parse(text).share_ppm > 1000 ? knob() : undefined);
      const result = await json(['router', 'set', '10%', '--timeout', '600ms'], [east, west]);
      assert.equal(result.exit, code, result.error);
      assert.match(result.error, /set back where it was taken: router west/);
      assert.deepEqual(east.puts.map((put) => put.share_ppm), [100000, 1000]);
      assert.deepEqual(east.split, west.split, 'they agree again');
      assert.equal(east.split.revision, 9);
      assert.equal(result.routers[0].result, 'set back');
    }));
  }

  test('taken although the answer was lost: what counts is what is read back', () => withRouters([at(0), at(0)], async (east, west) => {
    west.knobs.put = (text) => {
      const { if_revision: before, ...next } = JSON.parse(text);
      if (before === 7) west.split = { ...west.split, ...next };
      return 'drop';
    };
    assert.equal((await run(['router', 'set', '10%', '--timeout', '1s'], [east, west])).code, 0);
    assert.equal(west.split.share_ppm, 100000);
  }));

  test('somebody else raised meanwhile: his change stays, ours is taken back', () => withRouters([at(0), at(0)], async (east, west) => {
    west.knobs.put = () => {
      delete west.knobs.put;
      west.split = { ...west.split, share_ppm: 50000, revision: 8 };
      return undefined; // and now our PUT comes: 409
    };
    const result = await run(['router', 'set', '10%', '--timeout', '1s'], [east, west]);
    assert.equal(result.code, 1);
    assert.match(result.err, /somebody else changed router west meanwhile: it has 5%, salt r42, revision 8/);
    assert.equal(east.split.share_ppm, 0);
    assert.equal(west.split.share_ppm, 50000);
  }));

  test('a new salt is a raise', () => withRouters([at(1000), at(1000, 6)], async (...routers) => {
    assert.match((await run(['router', 'set', '0', '--salt', 'r43'], routers)).err, /refused to raise/);
  }));

  test('set while disabled says that nobody is on the canary', () => withRouters([at(0, 7, { enabled: false })], async (router) => {
    assert.match((await run(['router', 'set', '1%'], [router])).out, /disabled: nobody is on the canary until pourover router enable/);
  }));
});

describe('set: lowering', () => {
  test('goes to all with if_revision any', () => withRouters([at(100000), at(100000)], async (...routers) => {
    assert.equal((await run(['router', 'set', '1%'], routers)).code, 0);
    for (const router of routers) assert.deepEqual(router.puts, [{ share_ppm: 10000, revision: 8, if_revision: 'any' }]);
  }));

  test('a router that is away is not proved, the others are lowered', () => withRouters([at(100000), at(100000)], async (east, west) => {
    await west.close();
    const body = await json(['router', 'set', '0', '--timeout', '500ms'], [east, west]);
    assert.equal(body.exit, 1);
    assert.match(body.error, /router west: not proved: /);
    assert.deepEqual(body.routers.map((router) => router.result), ['proved', 'not proved']);
    assert.equal(east.split.share_ppm, 0);
    await west.revive();
  }));

  test('it is tried again until the router is back', () => withRouters([at(100000), at(100000)], async (east, west) => {
    await west.close();
    const child = start(['router', 'disable', '--timeout', '20s'], [east, west]);
    await waitUntil(() => !east.split.enabled, 5000, 'east to be disabled');
    await west.revive();
    assert.equal((await child.done).code, 0);
    assert.equal(west.split.enabled, false);
    assert.equal(west.split.revision, east.split.revision);
  }));

  test('a silent router holds nobody up', () => withRouters([at(100000), at(100000)], async (east, west) => {
    west.knobs.api = () => 'hang';
    const child = start(['router', 'set', '1%', '--timeout', '20s'], [east, west]);
    await waitUntil(() => east.split.share_ppm === 10000, 5000, 'east to be lowered');
    assert.equal(child.result.out, '', 'the command is still at it');
    west.release();
    assert.equal((await child.done).code, 0);
    assert.equal(west.split.share_ppm, 10000);
  }));

  test('Ctrl-C ends the waiting, not what was done', () => withRouters([at(100000), at(100000)], async (east, west) => {
    await west.close();
    const child = start(['router', 'set', '0', '--timeout', '30s'], [east, west]);
    await waitUntil(() => east.split.share_ppm === 0, 5000, 'east to be lowered');
    child.kill('SIGINT');
    const result = await child.done;
    assert.equal(result.code, 130);
    assert.match(result.err, /interrupted before router (east|west) was proved/);
    await west.revive();
  }));

  test('routers of different revisions and shares end up as one', () => withRouters([at(100000, 12), at(50000, 7)], async (...routers) => {
    assert.equal((await run(['router', 'set', '0'], routers)).code, 0);
    assert.deepEqual(routers[0].split, routers[1].split);
    assert.ok(routers[0].split.revision > 12);
  }));

  test('another writer in between: looked at again, then lowered', () => withRouters([at(100000), at(100000)], async (east, west) => {
    west.knobs.put = () => {
      delete west.knobs.put;
      west.split = { ...west.split, share_ppm: 200000, revision: 20 };
    };
    assert.equal((await run(['router', 'set', '1%'], [east, west])).code, 0);
    assert.deepEqual(east.split, west.split);
    assert.equal(east.split.revision, 21);
  }));

  test('another writer lowered further: not raised again', () => withRouters([at(100000), at(100000)], async (east, west) => {
    west.knobs.put = () => {
      delete west.knobs.put;
      west.split = { ...west.split, share_ppm: 0, revision: 20 };
    };
    const result = await run(['router', 'set', '1%'], [east, west]);
    assert.equal(result.code, 1);
    assert.match(result.err, /router west: refused: somebody else lowered it meanwhile, to 0/);
    assert.equal(west.split.share_ppm, 0);
  }));

  test('in effect but not saved is told', () => withRouters([at(100000)], async (router) => {
    router.knobs.put = (text) => {
      router.split = { ...router.split, ...JSON.parse(text) };
      return [507, { error: { code: 'not_saved', message: 'no space on the disk' }, saved: false, split: router.split }];
    };
    const result = await run(['router', 'set', '0'], [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /router east: in effect, but not saved: no space on the disk \(HTTP 507\)/);
  }));

  test('disable and enable', () => withRouters([at(1000), at(1000)], async (...routers) => {
    assert.equal((await run(['router', 'disable'], routers)).code, 0);
    assert.deepEqual(routers[0].puts, [{ enabled: false, revision: 8, if_revision: 'any' }]);
    assert.equal((await run(['router', 'enable'], routers)).code, 0);
    assert.deepEqual(routers[1].puts[1], { enabled: true, revision: 9, if_revision: 8 });
  }));
});

describe('sync', () => {
  const cases = [
    ['a returning router is raised', [at(100000, 9), at(1000, 7)], 100000, 9],
    ['a returning router is lowered', [at(0, 9), at(100000, 7)], 0, 9],
    ['two splits of one revision: the lower one', [at(100000, 9), at(1000, 9)], 1000, 10],
    ['two splits of one revision: the disabled one', [at(1000, 9), at(100000, 9, { enabled: false })], 100000, 10],
  ];
  for (const [what, splits, share, revision] of cases) {
    test(what, () => withRouters(splits, async (...routers) => {
      assert.equal((await run(['router', 'sync'], routers)).code, 0);
      for (const router of routers) assert.deepEqual([router.split.share_ppm, router.split.revision], [share, revision]);
      assert.equal((await run(['router', 'set', '20%'], routers)).code, 0, 'a raise works again');
    }));
  }

  test('without all routers it only lowers', () => withRouters([at(5000, 9), at(100000, 7), at(0)], async (east, west, north) => {
    await north.close();
    const result = await run(['router', 'sync', '--timeout', '1s'], [east, west, north]);
    assert.equal(result.code, 3);
    assert.equal(west.split.share_ppm, 5000);
    assert.match(result.err, /only lowered what had to be/);
    west.split = { ...west.split, share_ppm: 0, revision: 8 };
    assert.equal((await run(['router', 'sync', '--timeout', '1s'], [east, west, north])).code, 3);
    assert.equal(west.split.share_ppm, 0, 'not raised');
    await north.revive();
  }));
});

describe('verify', () => {
  const verify = (...more) => ['router', 'verify', '--requests', '200', ...more];

  for (const [name, share, enabled] of [['0', 0, true], ['10%', 100000, true], ['50%', 500000, true], ['100%', 1000000, true], ['disabled', 500000, false]]) {
    test(`right at ${name}`, () => withRouters([at(share, 7, { enabled })], async (router) => {
      const body = await json(verify('--visit', router.visit), [router]);
      assert.equal(body.exit, 0, body.routers[0].error);
      const [result] = body.routers;
      assert.deepEqual([result.visits, result.fresh, result.returned], [800, 400, 400]);
      assert.deepEqual(router.visits, { fresh: 400, returning: 400 });
      if (!enabled || share === 0) assert.equal(result.canary, 0);
      if (enabled && share === 1000000) assert.equal(result.canary, 400);
      assert.ok(result.low <= share / 1e6 * enabled && share / 1e6 * enabled <= result.high);
      assert.equal(result.peers.reduce((sum, peer) => sum + peer.visits, 0), 400);
    }));
  }

  test('text says the interval and what a certainty needs', () => withRouters([at(10000)], async (router) => {
    const { out } = await run(verify('--visit', router.visit), [router]);
    assert.match(out, /east: 1%, salt r42, revision 7\n {2}400 fresh visitors, \d+ on the canary = [\d.]+% \(with 99\.9% confidence [\d.]+% to [\d.]+%\)/);
    assert.match(out, /a share of 2\.00% would be seen with 99% certainty from 4,479 visitors \(--requests 2240\)/);
    assert.match(out, /ok: every visit was cut as the split says/);
  }));

  let flips = 0;
  const faults = [
    ['wrong_bucket', (router) => { router.knobs.visitor = (visit) => { visit.bucket = (visit.bucket + 1) % 1000000; }; }],
    ['wrong_track', (router) => { router.knobs.visitor = (visit) => { visit.track = visit.track === 'canary' ? 'stable' : 'canary'; }; }],
    ['moved', (router) => { router.knobs.visitor = (visit) => { if (visit.sent) visit.track = (flips += 1) % 2 ? 'stable' : 'canary'; }; }],
    ['wrong_split', (router) => { router.knobs.cutBy = { ...router.split, revision: 6 }; }],
    ['other_reason', (router) => { router.knobs.visitor = (visit) => { visit.reason = 'fallback'; }; }],
    ['no_verdict', (router) => { router.knobs.visitor = () => { router.token = 'another'; }; }],
    ['server_error', (router) => { router.knobs.visitor = (visit) => { if (!visit.cutOnly && visit.track === 'canary') visit.status = 502; }; }],
    ['wrong_peer', (router) => { router.knobs.visitor = (visit) => { if (!visit.cutOnly) visit.peer = '10.0.1.11:80'; }; }],
  ];
  for (const [fault, breakIt] of faults) {
    test(`a definite mismatch: ${fault}`, () => withRouters([at(500000)], async (router) => {
      breakIt(router);
      const body = await json(verify('--visit', router.visit), [router]);
      assert.equal(body.exit, 1, JSON.stringify(body));
      assert.ok(body.routers[0].faults[fault] > 0, JSON.stringify(body.routers[0].faults));
      assert.match(body.routers[0].error, /^\d+ of \d+ .*; the first: ./);
    }));
  }

  test('a share that is another one than set, by ids that are not random', () => withRouters([at(500000)], async (router) => {
    const stable = '0000000000000002';
    router.knobs.visitor = (visit) => { if (!visit.sent) Object.assign(visit, { id: stable }, router.cut(stable)); };
    const body = await json(verify('--visit', router.visit), [router]);
    assert.equal(body.exit, 1);
    assert.match(body.routers[0].error, /0 of 400 fresh visitors were sent to the canary: that is not 50%|400 of 400/);
  }));

  test('at 0 one visitor on the canary is one too many', () => withRouters([at(0)], async (router) => {
    router.knobs.visitor = (visit) => { if (router.visits.fresh === 50) visit.track = 'canary'; };
    assert.equal((await json(verify('--visit', router.visit), [router])).exit, 1);
  }));

  test('too few visitors say nothing', () => withRouters([at(500000)], async (router) => {
    const result = await run(['router', 'verify', '--requests', '2', '--visit', router.visit], [router]);
    assert.equal(result.code, 5);
    assert.match(result.out, /NOT TESTED: 4 visitors are too few to say anything about a share of 50%: 11 are the least/);
  }));

  test('an address without ids tests nothing', () => withRouters([at(500000)], async (router) => {
    router.knobs.noCookie = true;
    const body = await json(verify('--visit', router.visit), [router]);
    assert.equal(body.exit, 5);
    assert.match(body.routers[0].error, /--id-header/);
    assert.equal((await json(verify('--visit', router.visit, '--id-header', 'X-User-Id'), [router])).exit, 0);
  }));

  test('an address that nobody answers', () => withRouters([at(500000)], async (router) => {
    const body = await json(verify('--visit', `http://127.0.0.1:${await freePort()}/`), [router]);
    assert.equal(body.exit, 3);
    assert.match(body.routers[0].error, /no visit to http:.* was answered/);
  }));

  test('cut-only leaves the peers alone', () => withRouters([at(500000)], async (router) => {
    const body = await json(verify('--visit', router.visit, '--cut-only'), [router]);
    assert.deepEqual([body.exit, body.routers[0].visits, body.routers[0].peers], [0, 400, []]);
  }));

  test('two routers, an address each; and routers that differ fail', () => withRouters([at(500000), at(100000)], async (east, west) => {
    const body = await json(verify('--visit', east.visit, '--visit', west.visit), [east, west]);
    assert.deepEqual(body.routers.map((router) => router.exit), [0, 0]);
    assert.equal(body.agree, false);
    assert.equal(body.exit, 1);
    const swapped = await json(verify('--visit', west.visit, '--visit', east.visit), [east, west]);
    assert.deepEqual(swapped.routers.map((router) => router.exit), [1, 1]);
  }));

  test('Ctrl-C', () => withRouters([at(500000)], async (router) => {
    router.knobs.visitor = () => 'hang';
    const child = start(verify('--visit', router.visit), [router]);
    await waitUntil(() => router.visits.fresh > 0, 5000, 'a visitor');
    child.kill('SIGTERM');
    assert.equal((await child.done).code, 130);
  }));
});

describe('walk', () => {
  const walk = (router, ...more) => ['router', 'walk', '--requests', '100', '--dwell', '50ms', '--visit', router.visit, ...more];
  const events = (text) => text.trim().split('\n').map((line) => JSON.parse(line));

  test('all stages in order, on two routers', () => withRouters([at(0), at(0)], async (east, west) => {
    const result = await run(walk(east, '--visit', west.visit, '--json'), [east, west]);
    assert.equal(result.code, 0, result.out);
    assert.deepEqual(east.puts.map((put) => put.share_ppm), [1000, 10000, 100000, 500000, 1000000]);
    assert.deepEqual(west.split, east.split);
    const seen = events(result.out);
    assert.deepEqual(seen.map((event) => event.event), [...Array(6).fill(['set', 'verified', 'dwelt']).flat(), 'done']);
  }));

  test('plain lines', () => withRouters([at(0)], async (router) => {
    const result = await run(walk(router, '--stages', '0,1%'), [router]);
    assert.equal(result.code, 0);
    assert.match(result.out, / 0: set on 1 router and read back, revision 7\n.* 0: proved: 0 of 200 test visitors on the canary.*\n.* 0: dwelt: .*\n.* 1%: set /);
    assert.match(result.out, /\ndone: at 1% on all routers\n$/);
  }));

  const failures = [
    ['the cut breaks', (router) => { router.knobs.visitor = (visit) => { if (router.split.share_ppm === 10000) visit.bucket += 1; }; }, 1, /buckets are not the ones of id and salt/],
    ['somebody else changes the split', (router) => {
      router.knobs.visitor = () => { if (router.split.share_ppm === 10000 && router.visits.returning % 200 === 199) router.split = { ...router.split, share_ppm: 20000, revision: 99 }; };
    }, 1, /changed router east|cut by another split/],
    ['canary errors', (router) => {
      router.knobs.api = (method, where) => { if (where.endsWith('stats') && router.split.share_ppm === 10000) router.serve('canary', { requests: 100, errors: 50 }); };
    }, 1, /\d+ of \d+ requests failed on the canary: more than 1%/],
  ];
  for (const [what, breakIt, code, message] of failures) {
    test(`back to 0 when ${what}`, () => withRouters([at(0)], async (router) => {
      breakIt(router);
      const result = await run(walk(router, '--stages', '0,0.1%,1%,10%', '--max-errors', '1%', '--dwell', '300ms'), [router]);
      assert.equal(result.code, code, result.err);
      assert.match(result.err, message);
      assert.match(result.err, /going back to 0: /);
      assert.equal(router.split.share_ppm, 0);
      assert.ok(!router.puts.some((put) => put.share_ppm === 100000), 'the next stage is not set');
    }));
  }

  test('a few errors among few requests do not stop it', () => withRouters([at(0)], async (router) => {
    let once = false;
    router.knobs.api = (method, where) => {
      if (where.endsWith('stats') && router.split.share_ppm === 10000) router.serve('canary', { requests: 3, errors: once ? 0 : 1 });
      once = once || where.endsWith('stats');
    };
    assert.equal((await run(walk(router, '--stages', '0,1%', '--max-errors', '1%'), [router])).code, 0);
  }));

  for (const signal of ['SIGINT', 'SIGTERM']) {
    test(`${signal} goes back to 0`, () => withRouters([at(0), at(0)], async (east, west) => {
      const child = start(walk(east, '--visit', west.visit, '--stages', '10%', '--dwell', '1h', '--reason', 'tea'), [east, west]);
      await waitUntil(() => child.result.out.includes('10%: proved'), 20_000, 'the stage');
      child.kill(signal);
      const result = await child.done;
      assert.equal(result.code, 130);
      assert.match(result.err, /going back to 0: interrupted/);
      assert.match(result.out, /back at 0; reason: tea/);
      assert.deepEqual([east.split.share_ppm, west.split.share_ppm], [0, 0]);
    }));
  }

  test('a router that dies: back to 0 on the other one, and not proved', () => withRouters([at(0), at(0)], async (east, west) => {
    const child = start(walk(east, '--visit', west.visit, '--stages', '10%', '--dwell', '1h', '--timeout', '500ms', '--json'), [east, west]);
    await waitUntil(() => events(child.result.out || '{}').some((event) => event.event === 'verified' && event.share_ppm === 100000), 20_000, 'the stage');
    await west.close();
    const result = await child.done;
    assert.equal(result.code, 1);
    assert.equal(east.split.share_ppm, 0);
    const last = events(result.out).at(-1);
    assert.equal(last.event, 'back');
    assert.match(last.error, /not proved to be back at 0: router west: not proved/);
    assert.deepEqual(last.routers.map((router) => router.result), ['proved', 'not proved']);
    await west.revive();
  }));

  test('the kill switch has to be ended first', () => withRouters([at(0, 7, { enabled: false })], async (router) => {
    const result = await run(walk(router), [router]);
    assert.equal(result.code, 1);
    assert.match(result.err, /kill switch is on: end it by "pourover router enable" first/);
  }));
});

describe('watch', () => {
  test('counts what happened between two readings', () => withRouters([at(250000), at(250000)], async (east, west) => {
    east.serve('stable', { requests: 5000, errors: 100 }); // before: not counted
    const child = start(['router', 'watch', '--interval', '100ms', '--for', '20s', '--json'], [east, west]);
    const lines = () => child.result.out.split('\n').slice(0, -1).map((line) => JSON.parse(line));
    await waitUntil(() => lines().length > 0, 5000, 'a line');
    east.serve('stable', { requests: 300, us: 1000 });
    west.serve('canary', { requests: 100, errors: 3, us: 20000 });
    await waitUntil(() => lines().reduce((sum, line) => sum + line.tracks.stable.requests + line.tracks.canary.requests, 0) >= 400, 5000, 'the requests');
    child.kill('SIGINT');
    const { code } = await child.done;
    assert.equal(code, 0);
    const total = (track, key) => lines().reduce((sum, line) => sum + line.tracks[track][key], 0);
    assert.deepEqual([total('stable', 'requests'), total('stable', 'errors'), total('canary', 'requests'), total('canary', 'errors')], [300, 0, 100, 3]);
    const busy = lines().filter((line) => line.tracks.canary.requests > 0);
    assert.ok(Math.abs(busy[0].tracks.canary.p99_us - 20000) < 400, JSON.stringify(busy[0].tracks.canary));
  }));

  test('plain lines, and the exit code of the last reading', () => withRouters([at(1000), at(2000)], async (...routers) => {
    const result = await run(['router', 'watch', '--interval', '100ms', '--for', '150ms'], routers);
    assert.match(result.out, /^\S+Z east: share 0\.1%, revision 7, visitors' -; stable 0 requests, 0 errors; canary/m);
    assert.equal(result.code, 1);
  }));

  test('a counter that began anew is counted from zero', () => withRouters([at(0)], async (router) => {
    router.serve('stable', { requests: 1000 });
    const child = start(['router', 'watch', '--interval', '100ms', '--for', '20s', '--json'], [router]);
    const lines = () => child.result.out.split('\n').slice(0, -1).map((line) => JSON.parse(line));
    await waitUntil(() => lines().length > 0, 5000, 'a line');
    router.restart({ stable: 7 });
    await waitUntil(() => lines().some((line) => line.tracks.stable.requests === 7), 5000, 'the new counter');
    child.kill('SIGTERM');
    await child.done;
  }));
});
