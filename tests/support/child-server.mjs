// Servers of tests that are programs of their own: they print one JSON line with where they listen, and end
// when their standard input ends, so that none outlives its test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import readline from 'node:readline';

/** `require` for the npm packages of tests/node, which tools/install-node-packages installs. */
export const requirePackage = createRequire(new URL('../node/package.json', import.meta.url));

/**
 * Starts it and waits for its line; {...line, pid, log(), close()}. close() ends its standard input and waits; it is
 * killed when it has not ended 5 s later, which fails the test.
 */
export async function startServer(command, args, { ms = 20_000, env = {} } = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let log = '';
  child.stderr.on('data', (chunk) => { log = (log + chunk).slice(-20_000); });
  child.stdin.on('error', () => {});
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  process.once('exit', () => child.exitCode === null && child.signalCode === null && child.kill('SIGKILL'));
  const first = await firstLine(child, ended, ms, () => log, `${command} ${args.join(' ')}`);
  return { ...first, pid: child.pid, log: () => log, close: () => close(child, ended, () => log) };
}

async function firstLine(child, ended, ms, log, name) {
  const lines = readline.createInterface({ input: child.stdout });
  const timer = setTimeout(() => child.kill('SIGKILL'), ms);
  try {
    const line = await Promise.race([once(lines, 'line').then(([text]) => text), ended]);
    if (typeof line !== 'string' || !line.startsWith('{')) throw new Error(`${name} did not say where it listens (${line}):\n${log()}`);
    return JSON.parse(line);
  } finally {
    clearTimeout(timer);
  }
}

async function close(child, ended, log) {
  child.stdin.end();
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    child.kill('SIGKILL');
  }, 5_000);
  const code = await ended;
  clearTimeout(timer);
  if (killed) throw new Error(`process ${child.pid} did not end when its standard input ended:\n${log()}`);
  return code;
}

/** Stays until standard input ends: the other half, for servers written in node. */
export function untilStdinEnds(after = () => process.exit(0)) {
  process.stdin.resume();
  process.stdin.once('end', after);
  process.stdin.once('error', after);
}
