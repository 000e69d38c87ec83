// A log-linear histogram of microseconds: 32 buckets an octave, so that a quantile is within 1.6 % of the true one.

const SUB = 32;

export class Histogram {
  #counts = new Map();
  count = 0;

  add(us) {
    const index = bucketOf(Math.max(0, Math.round(us)));
    this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1);
    this.count += 1;
  }

  /** The value below which a part `q` (0..1) of all lies; 0 when there is none. */
  quantile(q) {
    let left = Math.ceil(q * this.count);
    for (const index of [...this.#counts.keys()].sort((a, b) => a - b)) {
      left -= this.#counts.get(index);
      if (left <= 0) return middleOf(index);
    }
    return 0;
  }
}

function bucketOf(us) {
  if (us < 2 * SUB) return us;
  const shift = Math.floor(Math.log2(us)) - 5;
  return shift * SUB + Math.floor(us / 2 ** shift);
}

function middleOf(index) {
  if (index < 2 * SUB) return index;
  const shift = Math.floor(index / SUB) - 1;
  return Math.round((index - shift * SUB + 0.5) * 2 ** shift);
}
