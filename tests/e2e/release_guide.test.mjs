// The first part of the guide to releases works as it stands: its files, its commands, their exit codes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { startNginx } from '../support/nginx.mjs';
import { PROGRAM } from '../support/program.mjs';
import { freePort, waitUntil } from '../support/wait.mjs';

const GUIDE = readFileSync(new URL('../../docs/guide/release.md', import.meta.url), 'utf8');
const PORTS = ['8080', '9101', '9102', '9900'];

/** The page with ports that are free here. */
async function page() {
  let text = GUIDE;
  for (const port of PORTS) text = text.replaceAll(port, String(await freePort()));
  return text;
}

/** Processes that run in the folder: runners and what they keep up. */
function left(folder) {
  const mentions = (pid) => ['cmdline', 'environ'].some((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(folder);
    } catch {
      return false; // ended, or not ours
    }
  });
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => pid !== process.pid && mentions(pid));
}

test('the first release of the guide', async (t) => {
  const text = await page();
  const top = mkdtempSync(path.join(tmpdir(), 'pourover-guide-'));
  const dir = path.join(top, 'shop');
  for (const [, name, body] of text.matchAll(/^```file (\S+)\n([\s\S]*?)^```$/gm)) {
    mkdirSync(path.dirname(path.join(top, name)), { recursive: true });
    writeFileSync(path.join(top, name), body);
  }
  mkdirSync(path.join(top, 'bin'));
  symlinkSync(PROGRAM, path.join(top, 'bin/pourover'));
  mkdirSync(path.join(dir, 'router/state'), { recursive: true });
  const nginx = await startNginx({ dir: path.join(dir, 'router'), ports: [], http: readFileSync(path.join(dir, 'nginx.conf'), 'utf8').replace('state=', `state=${dir}/router/`) });
  const env = { ...process.env, PATH: `${path.join(top, 'bin')}:${process.env.PATH}`, POUROVER_JOURNAL: path.join(top, 'journal.db') };
  const sh = (line) => spawnSync('bash', ['-ec', line], { cwd: dir, env, encoding: 'utf8' });
  t.after(async () => {
    await nginx.stop();
    await waitUntil(() => {
      const pids = left(top);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      return pids.length === 0;
    }, 10_000, 'the end of what the release started');
    rmSync(top, { recursive: true, force: true });
  });
  for (const [, code = '0', body] of text.matchAll(/^```sh(?: exits (\d+))?\n([\s\S]*?)^```$/gm)) {
    const run = sh(body);
    assert.equal(String(run.status), code, `${body}\n${run.stdout}${run.stderr}`);
    if (code === '1') {
      assert.match(run.stdout, /^halted: the API tests of 2\.1 failed at west-1/m);
      assert.match(run.stdout, /^ +west-2 +2\.0 +serves$/m);
    }
  }
  assert.match(sh('pourover history').stdout, /2\.1 +rolled back/);
  assert.match(sh('pourover status').stdout, /west-1 +2\.0 +serves[^]*west-2 +2\.0 +serves/);
});
