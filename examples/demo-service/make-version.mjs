// Makes a version of the demo service as a folder: `node make-version.mjs dist 2.0 [FAULT]` writes dist/2.0.
//
// A version with a fault is one that a release has to find out:
//   say         demo.Echo/Say answers wrongly, which only its API test can tell
//   crash       ends at once
//   unready     its health check fails
//   errors      pages are answered with 500
//   migration   its migration fails

import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const FILES = ['service.mjs', 'worker.mjs', 'cron.mjs', 'migrate.mjs', 'grpc.mjs', 'life.mjs', 'echo.proto'];
const FAULTS = ['', 'say', 'crash', 'unready', 'errors', 'migration'];

/** Makes dist/VERSION anew and returns its path. `name`: another name for it. */
export function makeVersion(dist, version, fault = '', name = version) {
  if (!FAULTS.includes(fault)) throw new Error(`fault "${fault}" is none of: ${FAULTS.slice(1).join(', ')}`);
  const folder = path.join(dist, name);
  const made = `${folder}.new`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  for (const file of FILES) copyFileSync(path.join(HERE, file), path.join(made, file));
  writeFileSync(path.join(made, 'version.json'), `${JSON.stringify({ version, ...(fault && { fault }) })}\n`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(made, folder);
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [dist, version, fault] = process.argv.slice(2);
  if (!dist || !version) {
    process.stderr.write('usage: node make-version.mjs DIST VERSION [FAULT]\n');
    process.exit(2);
  }
  process.stdout.write(`${makeVersion(dist, version, fault)}\n`);
}
