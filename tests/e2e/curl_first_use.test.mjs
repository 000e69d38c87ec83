// libcurl and its libraries are opened by commands that speak HTTP, and by no others.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { PROGRAM, run, withRouters } from '../support/program.mjs';

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-curl-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** The libraries that the loader called for while the program ran. */
async function loaded(args, routers) {
  const result = await run(args, routers, { LD_DEBUG: 'files' });
  const names = [...result.err.matchAll(/file=([^ ]+) \[0\];/g)].map((match) => path.basename(match[1]));
  return { ...result, names: new Set(names) };
}

describe('libcurl', () => {
  test('is not among the libraries that the program is linked with', () => {
    const linked = execFileSync('ldd', [PROGRAM], { encoding: 'utf8' });
    assert.match(linked, /libc\.so\.6/);
    assert.doesNotMatch(linked, /libcurl/);
  });

  test('is not mapped by commands that speak no HTTP', async () => {
    for (const args of [['--version'], ['help'], ['completion', 'bash']]) {
      const { code, names } = await loaded(args);
      assert.equal(code, 0);
      assert.ok(names.has('libc.so.6'), 'the loader did tell');
      assert.ok(![...names].some((name) => name.startsWith('libcurl')), `${args}: ${[...names]}`);
    }
  });

  test('is opened by the first command that speaks HTTP', async () => {
    await withRouters([{}], async (router) => {
      const { code, names } = await loaded(['router', 'status'], [router]);
      assert.equal(code, 0);
      assert.ok(names.has('libcurl.so.4'));
    });
  });

  test('is named when it cannot be opened', async () => {
    writeFileSync(path.join(dir, 'libcurl.so.4'), 'no library');
    await withRouters([{}], async (router) => {
      const broken = { LD_LIBRARY_PATH: dir };
      const status = await run(['router', 'status'], [router], broken);
      assert.equal(status.code, 70);
      assert.match(status.err, /HTTP needs libcurl\.so\.4, which cannot be opened: .*libcurl\.so\.4.*; install libcurl \(Debian: libcurl4\)/);
      assert.equal(status.out, '');
      assert.equal((await run(['--version'], [], broken)).code, 0);
    });
  });
});
