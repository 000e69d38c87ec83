// What the demo shows: a table with a row a stage, redrawn in place on a terminal, plain lines otherwise.

import { NEW, OLD } from './demo-world.mjs';

const WIDTH = 79;
const BAR = 40;

export class Screen {
  #live = process.stdout.isTTY === true && process.stdout.columns > WIDTH && process.env.TERM !== 'dumb';
  #color = this.#live && !process.env.NO_COLOR;
  #drawn = 0;
  #headed = false;

  /** A line that stays. */
  say(line = '') {
    this.#erase();
    process.stdout.write(`${line}\n`);
  }

  /** The block while a stage runs; nothing where it could not be redrawn. */
  draw(stage, status) {
    if (!this.#live) return;
    this.#head();
    this.#erase();
    const lines = [this.#paint(1, row(stage)), '', ...this.#pour(stage), this.#paint(2, `  ${status}`.slice(0, WIDTH))];
    process.stdout.write(`\x1b[?25l${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** A stage that is over: its row stays. */
  finish(stage) {
    this.#head();
    this.say(row(stage));
  }

  /** What pourover itself printed. On a terminal it stands below the table while it is new. */
  told(line) {
    if (!this.#live) process.stdout.write(`    | ${line}\n`);
  }

  verdict(ok, line) {
    this.say(`  ${ok ? this.#paint(32, 'yes') : this.#paint(31, 'NO ')}  ${line}`);
  }

  title(line) {
    this.say(this.#paint(1, line));
  }

  /** Gives the cursor back. */
  close() {
    if (this.#live) process.stdout.write('\x1b[?25h');
  }

  #head() {
    if (this.#headed) return;
    this.#headed = true;
    const over = `${pad('visitors on', 21)}${pad('requests to', 24)}${pad('p50/p99 in ms', 32)}`;
    const names = [OLD, NEW];
    this.say();
    this.say(this.#paint(2, over));
    this.say(this.#paint(2, columns('set', ...names, 'measured', ...names, 'measured', 'failed', ...names)));
  }

  /** The visitors as water between two pots. */
  #pour(stage) {
    const { share } = figures(stage);
    const full = Math.round(share * BAR);
    const bar = this.#paint(34, '█'.repeat(BAR - full)) + this.#paint(33, '█'.repeat(full));
    return [`  ${OLD} ${bar} ${NEW}   ${percent(share)} of the visitors`];
  }

  #erase() {
    if (this.#drawn) process.stdout.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #paint(code, text) {
    return this.#color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** {label, versions}: versions as of ClientLedger.measure. */
function row(stage) {
  const { old, fresh, share, requests } = figures(stage);
  const failed = Object.values(stage.versions).reduce((sum, each) => sum + each.failed, 0);
  const visitors = [count(old.visitors), count(fresh.visitors), percent(share)];
  const calls = [count(old.requests), count(fresh.requests), percent(requests), count(failed)];
  return columns(stage.label, ...visitors, ...calls, latency(old), latency(fresh));
}

function figures({ versions }) {
  const none = { requests: 0, visitors: 0, p50: 0, p99: 0 };
  const old = versions[OLD] ?? none;
  const fresh = versions[NEW] ?? none;
  const part = (what) => fresh[what] / Math.max(1, old[what] + fresh[what]);
  return { old, fresh, share: part('visitors'), requests: part('requests') };
}

function columns(...cells) {
  const widths = [6, 7, 7, 9, 8, 8, 9, 7, 9, 9];
  return cells.map((cell, i) => pad(cell, widths[i])).join('');
}

const pad = (text, width) => String(text).padStart(width);

export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/** 0.00123 as '0.12 %': a measured share, with digits that say something. */
export function percent(part) {
  const value = part * 100;
  const digits = value === 0 || value >= 99.95 ? 0 : value < 1 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

function latency({ requests, p50, p99 }) {
  const ms = (us) => (us / 1000).toFixed(us < 9950 ? 1 : 0);
  return requests ? `${ms(p50)}/${ms(p99)}` : '-';
}
