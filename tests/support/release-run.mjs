// Runs of `pourover` in a release world: what it was told, line by line, and how it ended.

import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { PROGRAM } from './program.mjs';
import { waitUntil } from './wait.mjs';

const RUN_MS = 120_000;

/**
 * One process. `lines` and `events` are what it has printed so far (an event is a line of --json, with `seenAt`);
 * `done` resolves to {code, out, err, events}; code is the signal's name if one ended it.
 */
export class Run {
  lines = [];
  events = [];
  err = '';
  code = null;

  constructor(args, env, cwd) {
    this.args = args;
    this.startedAt = Date.now();
    this.child = spawn(process.env.POUROVER ?? PROGRAM, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), RUN_MS);
    this.child.stderr.on('data', (chunk) => { this.err += chunk; });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.#line(line));
    this.done = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.err += error.message;
        resolve(this.#ended(127, timer));
      });
      this.child.once('close', (code, signal) => resolve(this.#ended(code ?? signal, timer)));
    });
  }

  get out() {
    return this.lines.map((line) => `${line}\n`).join('');
  }

  #line(line) {
    this.lines.push(line);
    if (!line.startsWith('{')) return;
    try {
      const event = JSON.parse(line);
      if (event.status === 'failed') event.status = 'broken';
      this.events.push({ ...event, seenAt: Date.now() });
    } catch {
      // a document over several lines: parsed by json()
    }
  }

  #ended(code, timer) {
    clearTimeout(timer);
    this.code = code;
    this.endedAt = Date.now();
    return this;
  }

  /** The one JSON document that it printed. */
  json() {
    return JSON.parse(this.out);
  }

  /** The steps that were done, in the order in which they ended: 'west-1 leave'. */
  steps(status = 'done') {
    return this.events.filter((each) => each.event === 'step' && each.status === status).map(stepName);
  }

  /** When a host's step got this status (the last time); undefined if it did not. */
  at(host, step, status) {
    const found = this.events.findLast((each) => each.event === 'step' && each.host === host && each.step === step && each.status === status);
    return found && (found.at_ms ?? found.seenAt);
  }

  /** Waits until it has printed an event that is as asked for, or has ended. Returns the event. */
  async until(isIt, what = String(isIt), ms = 60_000) {
    const find = () => this.events.find(isIt);
    const found = await waitUntil(() => find() ?? (this.code !== null && 'ended'), ms, `${what}; so far:\n${this.out}${this.err}`);
    if (found === 'ended') throw new Error(`${this.args.join(' ')} ended (${this.code}) before: ${what}\n${this.out}${this.err}`);
    return found;
  }

  untilStep(host, step, status = 'done') {
    const isIt = (each) => each.event === 'step' && each.host === host && each.step === step && each.status === status;
    return this.until(isIt, `${host} ${step} ${status}`);
  }

  untilShare(ppm) {
    return this.until((each) => each.event === 'share' && each.share_ppm === ppm, `a share of ${ppm} ppm`);
  }

  kill(signal = 'SIGKILL') {
    this.child.kill(signal);
  }

  /** What a failed assertion should show. */
  told() {
    return `pourover ${this.args.join(' ')}: exit ${this.code}\n${this.out}${this.err}`;
  }
}

export const stepName = ({ host, step }) => (host ? `${host} ${step}` : step);

/** A machine that a person or a CI job sits at: the release's files are everybody's, the journal is its own. */
export class Machine {
  #world;
  #dir;
  #runs = new Set();

  constructor(world, name) {
    this.#world = world;
    this.name = name;
    this.#dir = path.join(world.dir, 'machines', name);
    mkdirSync(this.#dir, { recursive: true });
  }

  get journal() {
    return path.join(this.#dir, 'journal.db');
  }

  /** Starts `pourover COMMAND ARGS...`; options: env; file (release.yaml); json (true). */
  start(args, { env = {}, file = 'release.yaml', json = true } = {}) {
    const all = { ...process.env, POUROVER_JOURNAL: this.journal, POUROVER_WORLD: this.#world.dir, NO_COLOR: '1', ...env };
    delete all.POUROVER_ROUTERS;
    const run = new Run([...args, '-f', file, ...(json ? ['--json'] : [])], all, this.#world.dir);
    this.#runs.add(run);
    run.done.then(() => this.#runs.delete(run));
    return run;
  }

  /** The same, and waits for the end. */
  run(args, options) {
    return this.start(args, options).done;
  }

  release(version, options) {
    return this.start(['release', version, '--yes', ...(options?.args ?? [])], options);
  }

  /** What status says: plain text, as people read it. */
  async status() {
    return (await this.run(['status'], { json: false })).out;
  }

  resume(options) {
    return this.run(['resume', '--yes', ...(options?.args ?? [])], options);
  }

  rollback(options) {
    return this.run(['rollback', '--yes', ...(options?.args ?? [])], options);
  }

  /** Its disk is lost: the journal is gone. Nothing may be running here. */
  forget() {
    rmSync(this.#dir, { recursive: true, force: true });
    mkdirSync(this.#dir, { recursive: true });
  }

  cleanUp() {
    for (const run of this.#runs) run.kill();
  }
}

/** The program on a terminal of its own; what it drew is in `out`, and `type` types. */
export function onTerminal(world, args, cleanUp) {
  const command = [PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
  const env = { ...process.env, POUROVER_JOURNAL: world.machine.journal, POUROVER_WORLD: world.dir, TERM: 'xterm', LINES: '40' };
  const child = spawn('script', ['-qefc', `stty rows 40 cols 160; ${command}`, '/dev/null'], { cwd: world.dir, env, stdio: ['pipe', 'pipe', 'inherit'] });
  const run = { out: '', code: null, type: (text) => child.stdin.write(text) };
  child.stdout.on('data', (chunk) => { run.out += chunk; });
  run.done = new Promise((resolve) => child.once('close', (code) => { run.code = code; resolve(run); }));
  cleanUp(() => child.kill('SIGKILL'));
  return run;
}
