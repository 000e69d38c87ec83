// A worker to try releases on: takes one job after the other from a folder, DEMO_JOBS. A job is a file NAME.todo that
// holds a number of seconds; it becomes NAME.WORKER.taken, and NAME.done when it is finished.
//
// TSTP: takes no new job. TERM: finishes the one it has, then ends. A worker that is killed leaves a .taken behind.

import { appendFileSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithOwner, versionHere } from './life.mjs';

const LOOK_MS = 50;
const { DEMO_JOBS: jobs = 'jobs', DEMO_LOG: log = '', DEMO_HOST: host = 'local', DEMO_OWNER: owner = '' } = process.env;
const { version = '1.0' } = versionHere(import.meta.url);
let quiet = false;
let ending = false;

function say(what, job = '') {
  if (log) appendFileSync(log, `${JSON.stringify({ at: Date.now(), what, job, version, host, pid: process.pid })}\n`);
}

/** The next job, which is ours as soon as the file has our name; null when there is none. */
function take() {
  for (const file of readdirSync(jobs).sort()) {
    if (!file.endsWith('.todo')) continue;
    const name = file.slice(0, -'.todo'.length);
    const taken = path.join(jobs, `${name}.${process.pid}.taken`);
    try {
      renameSync(path.join(jobs, file), taken);
      return { name, taken, seconds: Number(readFileSync(taken, 'utf8')) };
    } catch (error) {
      if (error.code !== 'ENOENT') throw error; // another worker was faster
    }
  }
  return null;
}

process.on('SIGTSTP', () => {
  quiet = true;
  say('quiet');
});
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    ending = true;
  });
}
endWithOwner(owner);
say('up');
while (!ending) {
  const job = quiet ? null : take();
  if (!job) {
    await sleep(LOOK_MS);
    continue;
  }
  say('began', job.name);
  await sleep(job.seconds * 1000);
  renameSync(job.taken, path.join(jobs, `${job.name}.done`));
  say('finished', job.name);
}
say('ended');
process.exit(0);
