// `pourover test` for tests of it: everything that knows its options is here.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PROGRAM, run } from './program.mjs';

/** Why its tests cannot run: the program has no such command (yet); false when it has. */
export const noApitest = (() => {
  const { status, error } = spawnSync(PROGRAM, ['test', '--help'], { encoding: 'utf8', timeout: 20_000 });
  return error || status !== 0 ? 'the program has no command "test"' : false;
})();

/**
 * Runs files against a target: {target, authority, ca, cert: {cert, key}, secrets, env, args}. {code, out, err}; killed after `ms`, then
 * code is 'SIGKILL'.
 */
export async function runApitest(files, { target, authority, ca, cert, secrets = {}, env = {}, args = [], ms = 60_000 }) {
  const options = [
    '--target', target, ...(authority ? ['--authority', authority] : []), ...(ca ? ['--cacert', ca] : []),
    ...(cert ? ['--cert', cert.cert, '--key', cert.key] : []), ...args];
  const secret = Object.fromEntries(Object.entries(secrets).map(([name, value]) => [`POUROVER_SECRET_${name}`, value]));
  return run(['test', ...[files].flat(), ...options], [], { ...env, ...secret }, { ms });
}

/** A directory for suites of a test; removed by its remove(). */
export function suiteDirectory() {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-suite-'));
  return {
    dir,
    write(name, text) {
      writeFileSync(path.join(dir, name), text);
      return path.join(dir, name);
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
