// A migration to try releases on: writes down in DEMO_MIGRATIONS that it began and that it ended. DEMO_MIGRATE_MS is how long
// it takes; a version whose fault is "migration" fails.

import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { versionHere } from './life.mjs';

const { DEMO_MIGRATIONS: log = '', DEMO_HOST: host = 'local', DEMO_MIGRATE_MS: takes = '200' } = process.env;
const { version = '1.0', fault = '' } = versionHere(import.meta.url);

function say(what) {
  const line = `${JSON.stringify({ at: Date.now(), what, version, host, pid: process.pid })}\n`;
  if (log) appendFileSync(log, line);
  process.stdout.write(line);
}

say('began');
await sleep(Number(takes));
if (fault === 'migration') {
  process.stderr.write('migration 42: column "vat" of relation "prices" already exists\n');
  process.exit(4);
}
say('ended');
