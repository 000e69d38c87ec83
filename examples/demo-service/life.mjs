// What the demo's programs share: which version their folder is, and for how long they live.

import { readFileSync } from 'node:fs';

const LOOK_MS = 1000;

/** version.json beside a program: {version, fault}; {} where there is none. */
export function versionHere(url) {
  try {
    return JSON.parse(readFileSync(new URL('./version.json', url), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

/** Ends this process when the process `pid` is gone; '' means never. */
export function endWithOwner(pid) {
  if (!pid) return;
  setInterval(() => {
    try {
      process.kill(Number(pid), 0);
    } catch {
      process.exit(0);
    }
  }, LOOK_MS).unref();
}
