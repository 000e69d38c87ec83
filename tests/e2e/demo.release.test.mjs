// The demo in short, and its judgement: what it calls good it also has to be able to call bad.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAM } from '../support/program.mjs';

const DEMO = fileURLToPath(new URL('../../tools/demo.mjs', import.meta.url));

function demo(env = {}) {
  return new Promise((resolve) => {
    execFile(process.execPath, [DEMO], { env: { ...process.env, DWELL: '1s', ...env }, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr });
    });
  });
}

/** The program with somebody who meddles: `meddle(api, sleep)` runs beside the canary's release. */
function meddledWith(t, meddle) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-program-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = path.join(dir, 'pourover.mjs');
  const source = `#!${process.execPath}
    import { spawn } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    const args = process.argv.slice(2);
    const child = spawn(${JSON.stringify(process.env.POUROVER ?? PROGRAM)}, args, { stdio: 'inherit' });
    child.once('exit', (code) => process.exit(code ?? 1));
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const meddle = ${meddle};
    if (args[0] === 'release' && args.includes('canary.yaml')) {
      const api = /nginx: "?(http[^"\\n]*)/.exec(readFileSync('fleet.yaml', 'utf8'))[1] + '/v1/services/shop';
      const ask = async () => (await fetch(api)).json();
      const order = (method, what, body) =>
        fetch(api + what, { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
      await meddle(ask, order, sleep);
    }`;
  writeFileSync(program, source);
  chmodSync(program, 0o755);
  return program;
}

const said = (output, answer, what) => assert.match(output, new RegExp(`^  ${answer} +${what}`, 'm'), output);

test('a rolling release, a broken version, the way back, a canary: every check holds', async () => {
  const { code, output } = await demo();
  assert.equal(code, 0, output);
  for (const share of ['0', '0.1', '1', '10', '50', '100']) assert.match(output, new RegExp(`^ *${share} % .*% +0 `, 'm'));
  said(output, 'yes', 'halted 1.2 at its API test; 0 visitors');
  said(output, 'yes', 'nobody flipped back');
  said(output, 'yes', 'the router counted the same');
  assert.doesNotMatch(output, /^ {2}NO/m);
});

test('somebody meddles: visitors flip back and requests fail, and so does the demo', async (t) => {
  const meddle = `async (ask, order, sleep) => {
    while ((await ask()).split.share_ppm < 500_000) await sleep(20);
    await sleep(300);
    const { revision } = (await ask()).split;
    await order('PUT', '/split', { salt: 'another', revision: revision + 1, if_revision: revision });
    await order('PUT', '/maintenance', { on: true, by: 'somebody' });
    await sleep(200);
    await order('PUT', '/maintenance', { on: false, by: 'somebody' });
  }`;
  const { code, output } = await demo({ POUROVER: meddledWith(t, meddle) });
  assert.equal(code, 1, output);
  said(output, 'NO', 'nobody flipped back');
  said(output, 'NO', '[\\d,]+ of [\\d,]+ requests answered');
});

test('a program that cannot be run: the demo says so and fails', async () => {
  const { code, output } = await demo({ POUROVER: '/nonexistent/pourover' });
  assert.equal(code, 1, output);
  assert.match(output, /ENOENT/);
});
