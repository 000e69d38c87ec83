// The program `pourover` as a child process, against routers that it knows as east, west and north.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fakeRouter } from './fake-router.mjs';
import { BUILD_DIR } from './nginx.mjs';

export const PROGRAM = path.join(BUILD_DIR, 'src/cli/pourover');

function environment(routers, more) {
  const names = ['east', 'west', 'north'];
  const env = { ...process.env, POUROVER_ROUTERS: routers.map((router, i) => `${names[i]}=${router.api}`).join(' '), ...more };
  if (!more?.POUROVER_TOKEN) delete env.POUROVER_TOKEN;
  return env;
}

/**
 * Starts the program on routers, `[{api}]`; `.done` resolves to {code, out, err}, `.result` is that so far. With {ms} it is killed then;
 * code is 'SIGKILL'.
 */
export function start(args, routers = [], more = {}, { ms } = {}) {
  const child = spawn(PROGRAM, args, {
    env: environment(routers, more), stdio: ['ignore', 'pipe', 'pipe'], ...(ms && { timeout: ms, killSignal: 'SIGKILL' }) });
  const result = { code: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => { result.out += chunk; });
  child.stderr.on('data', (chunk) => { result.err += chunk; });
  child.result = result;
  child.done = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ ...result, code: code ?? signal }));
  });
  return child;
}

export const run = (args, routers, more, limits) => start(args, routers, more, limits).done;

/** Runs it with --json; the one object that it prints. */
export async function json(args, routers, more) {
  const result = await run(['--json', ...args], routers, more);
  assert.equal(result.err, '', 'with --json nothing goes to stderr');
  const body = JSON.parse(result.out);
  assert.equal(body.exit, result.code);
  return body;
}

/** Runs the body with fake routers that are closed afterwards. */
export async function withRouters(options, body) {
  const routers = await Promise.all(options.map((each) => fakeRouter(each)));
  try {
    return await body(...routers);
  } finally {
    await Promise.all(routers.map((router) => router.close()));
  }
}
