// The demo in short, and its judgement: what it calls good it also has to be able to call bad.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const DEMO = fileURLToPath(new URL('../../tools/demo.mjs', import.meta.url));

function demo(env = {}) {
  return new Promise((resolve) => {
    execFile(process.execPath, [DEMO], { env: { ...process.env, DWELL: '1s', ...env } }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr });
    });
  });
}

/** A stand-in for the program: its walk goes through `walk`, its set to `back` (parts per million). */
function standIn(t, walk, back) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-program-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const program = path.join(dir, 'pourover.mjs');
  const source = `#!${process.execPath}
    const shares = process.argv[3] === 'walk' ? ${JSON.stringify(walk)} : ${JSON.stringify(back)};
    const split = process.argv[process.argv.indexOf('--router') + 1] + 'v1/services/shop/split';
    const service = split.replace(/\\/split$/, '');
    for (const share_ppm of shares) {
      const { revision } = (await (await fetch(service)).json()).split;
      const body = JSON.stringify({ share_ppm, revision: revision + 1, if_revision: revision });
      const answer = await fetch(split, { method: 'PUT', body, headers: { 'content-type': 'application/json' } });
      if (!answer.ok) process.exit(1);
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }`;
  writeFileSync(program, source);
  chmodSync(program, 0o755);
  return program;
}

const said = (output, answer, what) => assert.match(output, new RegExp(`^  ${answer} +${what}`, 'm'), output);

test('a walk up and back: every check holds', async () => {
  const { code, output } = await demo();
  assert.equal(code, 0, output);
  for (const share of ['0', '0.1', '1', '10', '50', '100']) assert.match(output, new RegExp(`^ *${share} % .*% +0 `, 'm'));
  said(output, 'yes', 'nobody flipped back');
  said(output, 'yes', 'the router counted the same');
  assert.doesNotMatch(output, /^ {2}NO/m);
});

test('a share that falls in the middle of the walk: visitors flip back, and the demo fails', async (t) => {
  const { code, output } = await demo({ POUROVER: standIn(t, [500_000, 100_000, 1_000_000], [0]) });
  assert.equal(code, 1, output);
  said(output, 'NO', 'nobody flipped back');
  said(output, 'yes', 'all .* came back to 1.0');
});

test('a share that is not lowered: somebody remains, and the demo fails', async (t) => {
  const { code, output } = await demo({ POUROVER: standIn(t, [500_000, 1_000_000], []) });
  assert.equal(code, 1, output);
  said(output, 'NO', 'all .* came back to 1.0');
  said(output, 'yes', 'nobody flipped back');
});

test('a program that cannot be run: the demo says so and fails', async () => {
  const { code, output } = await demo({ POUROVER: '/nonexistent/pourover' });
  assert.equal(code, 1, output);
  said(output, 'NO', 'walked');
  assert.match(output, /ENOENT/);
});
