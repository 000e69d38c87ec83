// A clock to try releases on: each DEMO_TICK_MS (a minute) it writes down the number of the tick, as one that sends
// reminders would send them. Two that live at once write the same number twice.

import { appendFileSync } from 'node:fs';
import { endWithOwner, versionHere } from './life.mjs';

const { DEMO_LOG: log = '', DEMO_HOST: host = 'local', DEMO_OWNER: owner = '', DEMO_TICK_MS: tick = '60000' } = process.env;
const { version = '1.0' } = versionHere(import.meta.url);
const every = Number(tick);

function next(last = 0) {
  const now = Date.now();
  const number = Math.max(Math.floor(now / every), last) + 1; // a timer may ring a little early
  setTimeout(() => {
    const line = `${JSON.stringify({ tick: number, at: Date.now(), version, host, pid: process.pid })}\n`;
    if (log) appendFileSync(log, line);
    else process.stdout.write(line);
    next(number);
  }, number * every - now);
}

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
endWithOwner(owner);
next();
