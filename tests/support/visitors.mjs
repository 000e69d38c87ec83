// Visitors who come back: each has a cookie jar that keeps only pourover_id, and a memory of the versions it was shown.

const COOKIE = /^pourover_id=([^;]*)/;

/** A small seeded generator (mulberry32): numbers in [0, 1), the same on every run. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Visitors {
  /** {visitor, at, from, to}: a visitor was shown another version than before; `at`: when that request was sent. */
  moves = [];
  #random;
  #heavy;
  #ids;
  #busy;
  #last;
  #versions = [];
  #called = [];

  /** `count` visitors; a part `heavy` of all visits is made by 1 % of them. */
  constructor({ count = 1000, heavy = 0.3, seed = 1 }) {
    this.#random = seeded(seed);
    this.#heavy = heavy;
    this.#ids = new Array(count).fill('');
    this.#busy = new Uint8Array(count);
    this.#last = new Int16Array(count).fill(-1);
  }

  /** Makes these visitors come next, before all others. */
  call(visitors) {
    this.#called.push(...visitors);
  }

  /** How many of the called have not come yet. */
  get waiting() {
    return this.#called.length;
  }

  /** A visitor without a request under way (so that the order of versions is clear), or -1 if none is found. */
  enter() {
    while (this.#called.length > 0) {
      const visitor = this.#called.pop();
      if (this.#busy[visitor]) continue; // is there already
      this.#busy[visitor] = 1;
      return visitor;
    }
    const few = Math.max(1, Math.floor(this.#ids.length / 100));
    for (let tries = 0; tries < 50; tries += 1) {
      const range = this.#random() < this.#heavy ? few : this.#ids.length;
      const visitor = Math.floor(this.#random() * range);
      if (!this.#busy[visitor]) {
        this.#busy[visitor] = 1;
        return visitor;
      }
    }
    return -1;
  }

  leave(visitor) {
    this.#busy[visitor] = 0;
  }

  /** The value of pourover_id in the visitor's jar, or ''. */
  id(visitor) {
    return this.#ids[visitor];
  }

  get ids() {
    return this.#ids;
  }

  /** What an answer to a request sent at `at` says: the version shown, and Set-Cookie values. */
  saw(visitor, at, version, cookies) {
    for (const cookie of cookies ?? []) {
      const match = COOKIE.exec(cookie);
      if (match) this.#ids[visitor] = match[1];
    }
    if (!version) return;
    const index = this.#indexOf(version);
    const last = this.#last[visitor];
    if (last !== index && last >= 0) this.moves.push({ visitor, at, from: this.#versions[last], to: version });
    this.#last[visitor] = index;
  }

  /** Whom this version was the last that they were shown. */
  lastOn(version) {
    const index = this.#versions.indexOf(version);
    return index < 0 ? [] : [...this.#last.keys()].filter((visitor) => this.#last[visitor] === index);
  }

  #indexOf(version) {
    const index = this.#versions.indexOf(version);
    return index >= 0 ? index : this.#versions.push(version) - 1;
  }
}
