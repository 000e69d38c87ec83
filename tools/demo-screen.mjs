// What the demo shows: a block of hosts while a release runs, a table with a row a stage of a canary's walk. Redrawn in
// place on a terminal, plain lines otherwise.

const WIDTH = 79;
const BAR = 40;

export class Screen {
  #live = process.stdout.isTTY === true && process.stdout.columns > WIDTH && process.env.TERM !== 'dumb';
  #color = this.#live && !process.env.NO_COLOR;
  #drawn = 0;
  #names = null;

  /** A line that stays. */
  say(line = '') {
    this.#erase();
    process.stdout.write(`${line}\n`);
  }

  title(line) {
    this.say(this.#paint(1, line));
  }

  verdict(ok, line) {
    this.say(`  ${ok ? this.#paint(32, 'yes') : this.#paint(31, 'NO ')}  ${line}`);
  }

  /** What pourover said. On a terminal the block below tells the same while it is new. */
  told(line) {
    if (!this.#live) process.stdout.write(`    | ${line}\n`);
  }

  /** The block while a release runs: hosts are {name, version, doing}. Nothing where it could not be redrawn. */
  draw(hosts, status, stage = null) {
    if (!this.#live) return;
    const lines = stage ? [this.#paint(1, row(stage)), ...this.#pour(stage)] : [];
    for (let i = 0; i < hosts.length; i += 2) lines.push(hosts.slice(i, i + 2).map((host) => this.#host(host)).join(''));
    lines.push(this.#paint(2, `  ${status}`.slice(0, WIDTH)));
    this.#erase();
    process.stdout.write(`\x1b[?25l${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** The head of the table of a walk from `old` to `fresh`. */
  head(old, fresh) {
    this.#names = [old, fresh];
    const over = `${pad('visitors on', 21)}${pad('requests to', 24)}${pad('p50/p99 in ms', 32)}`;
    this.say(this.#paint(2, over));
    this.say(this.#paint(2, columns('set', old, fresh, 'measured', old, fresh, 'measured', 'failed', old, fresh)));
  }

  /** A stage that is over: its row stays. */
  finish(stage) {
    this.say(row(stage));
  }

  /** Gives the cursor back. */
  close() {
    if (this.#live) process.stdout.write('\x1b[?25h');
  }

  #host({ name, version, doing }) {
    const text = `  ${name.padEnd(8)}${(version || '-').padEnd(6)}${doing}`.slice(0, BAR - 2).padEnd(BAR - 1);
    return doing === 'serves' ? text : this.#paint(33, text);
  }

  /** The visitors as water between two pots. */
  #pour(stage) {
    const { share } = figures(stage);
    const full = Math.round(share * BAR);
    const bar = this.#paint(34, '█'.repeat(BAR - full)) + this.#paint(33, '█'.repeat(full));
    const [old, fresh] = this.#names;
    return ['', `  ${old} ${bar} ${fresh}   ${percent(share)} of the visitors`];
  }

  #erase() {
    if (this.#drawn) process.stdout.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #paint(code, text) {
    return this.#color ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** A stage is {label, old, fresh, versions}: two versions, and figures as of ClientLedger.measure. */
function row(stage) {
  const { old, fresh, share, requests } = figures(stage);
  const failed = Object.values(stage.versions).reduce((sum, each) => sum + each.failed, 0);
  const visitors = [count(old.visitors), count(fresh.visitors), percent(share)];
  const calls = [count(old.requests), count(fresh.requests), percent(requests), count(failed)];
  return columns(stage.label, ...visitors, ...calls, latency(old), latency(fresh));
}

function figures({ versions, old: before, fresh: after }) {
  const none = { requests: 0, visitors: 0, p50: 0, p99: 0 };
  const old = versions[before] ?? none;
  const fresh = versions[after] ?? none;
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
