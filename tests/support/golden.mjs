// Texts that are kept in files: tests/golden/... What differs from run to run is given a name before they are compared.
// UPDATE=1 writes them anew; look at the difference before it is committed.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const GOLDEN = fileURLToPath(new URL('../golden/', import.meta.url));

/** `names`: {text as seen: what it is called}, put in longest first; then times and numbers that are never the same. */
export function normalized(text, names = {}) {
  let result = text;
  for (const seen of Object.keys(names).sort((a, b) => b.length - a.length)) result = result.replaceAll(seen, names[seen]);
  return result
    .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?/g, 'DATE')
    .replace(/\b\d\d:\d\d:\d\d(\.\d+)?\b/g, 'HH:MM:SS')
    .replace(/\b([a-z][\w]*)-20\d{6}T\d{6}Z?-[0-9a-f]+\b/g, '$1-RELEASE')
    .replace(/\b\d+(\.\d+)? ?(ms|us|s|min|m|h)\b/g, 'TIME')
    .replace(/^ +TIME ([<>])/gm, '    TIME $1') // a transcript
    .replace(/\b(pid|process) \d+\b/g, '$1 PID')
    .replace(/\bbegun \d+ times\b/g, 'begun N times')
    .replace(/\bport \d+\b/g, 'port PORT')
    .replace(/\bpourover (logs|show) \d+ */g, 'pourover $1 N ')
    .replace(/\b\d+(\.\d+)? ?([KMGT]i?B|bytes)\b/g, 'SIZE')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replace(/[ \t]+$/gm, '');
}

/** Compares with tests/golden/NAME. */
export function assertGolden(name, text) {
  const file = path.join(GOLDEN, name);
  if (process.env.UPDATE === '1') {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return;
  }
  assert.ok(existsSync(file), `${file} is missing; UPDATE=1 writes it:\n${text}`);
  assert.equal(text, readFileSync(file, 'utf8'));
}
