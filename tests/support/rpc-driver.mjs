// Calls by rpc_driver.c, so that tests of src/rpc see what the program will not tell.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { BUILD_DIR } from './nginx.mjs';

const DRIVER = path.join(BUILD_DIR, 'tests/rpc_driver');

/** Runs it: {code, lines (objects), err}; after `ms` it is killed, then code is 'SIGKILL'. */
export function runDriver(target, method, options, { ms = 20_000 } = {}) {
  const args = [target, method, ...options.flatMap(([name, value]) => [`-${name}`, String(value)])];
  const child = spawn(DRIVER, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: ms, killSignal: 'SIGKILL' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => { out += chunk; });
  child.stderr.on('data', (chunk) => { err += chunk; });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({
      code: code ?? signal, err, lines: out.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line)) }));
  });
}

/**
 * Options for one call: {messages (bytes), unary, deadlineMs, metadata, authority, ca, cert: {cert, key}}; those of `more` are the driver's own,
 * [letter, value].
 */
export function driverOptions({ messages = [], unary, deadlineMs, metadata = {}, authority, ca, cert, more = [] }) {
  return [
    ...messages.map((bytes) => ['m', bytes.toString('hex')]),
    ...Object.entries(metadata).map(([name, value]) => ['H', `${name}=${value instanceof Buffer ? value.toString('hex') : value}`]),
    ...(unary ? [['u', 1]] : []), ...(deadlineMs ? [['d', deadlineMs]] : []), ...(authority ? [['a', authority]] : []), ...(ca ? [['C', ca]] : []),
    ...(cert ? [['c', cert.cert], ['k', cert.key]] : []), ...more];
}
