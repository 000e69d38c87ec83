// Files with a token taken away, doubled, moved or changed: protoc and our reader agree on which are wrong, and on what the others mean.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { compareAll } from '../support/proto_compare.mjs';

const COUNT = Number(process.env.PROTO_MUTANTS ?? 5000);
const SEED = Number(process.env.T_SEED ?? Math.floor(Math.random() * 2 ** 31));
const OWN = 'tests/proto';

/** Differences that are meant: by a part of our message or of protoc's, with the reason. */
const MEANT = [
  ['ours', 'ends before it begins', 'protoc takes reserved 5 to 1'],
  ['ours', 'map_entry is set by protobuf itself', 'protoc takes it from a message that looks like an entry'],
];

let state = SEED;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

const WORDS = ['optional', 'repeated', 'required', 'int32', 'string', 'message', 'enum', 'reserved', 'extensions', 'option', 'oneof', 'extend',
  'to', 'max', 'map', 'group', '0', '1', '2', '5', '50000', '-1', '536870911', '1.5', '"x"', 'true', 'inf', '{', '}', '[', ']', '(', ')', '.', ',', ';', '=', '<', '>', ':', '-', 'a', 'RED', 'Same', 'stream', 'default', 'json_name'];

function mutate(text) {
  const tokens = text.match(/\/\/[^\n]*\n|\/\*.*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|\.?\d[\w.]*|\s+|./gs);
  const places = tokens.flatMap((token, i) => (/^\s|^\/[/*]/.test(token) ? [] : [i]));
  const at = () => places[random(places.length)];
  const kind = (token) => (/^[A-Za-z_]/.test(token) ? 'word' : /^\.?\d/.test(token) ? 'number' : /^["']/.test(token) ? 'string' : 'symbol');
  for (let n = 1 + (random(4) === 0); n > 0; n--) {
    const i = at();
    const j = at();
    // Most are exchanged within their kind, as other files are wrong in the same few ways.
    if (random(4) > 0) {
      const same = places.filter((k) => kind(tokens[k]) === kind(tokens[i]));
      tokens[i] = tokens[same[random(same.length)]];
      continue;
    }
    switch (random(5)) {
      case 0: tokens[i] = ''; break;
      case 1: tokens[i] = `${tokens[i]} ${tokens[i]}`; break;
      case 2: [tokens[i], tokens[j]] = [tokens[j], tokens[i]]; break;
      case 3: tokens[i] = WORDS[random(WORDS.length)]; break;
      default: tokens[i] = tokens[j]; break;
    }
  }
  return tokens.join('');
}

test('campaign: protoc and our reader agree on mutants', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-mutants-'));
  try {
    t.diagnostic(`seed: T_SEED=${SEED}`);
    const texts = readdirSync(OWN).filter((name) => name.endsWith('.proto')).map((name) => readFileSync(path.join(OWN, name), 'utf8'));
    const jobs = Array.from({ length: COUNT }, (_, i) => {
      const folder = path.join(dir, String(i));
      mkdirSync(folder);
      writeFileSync(path.join(folder, 'main.proto'), mutate(texts[i % texts.length]));
      return { paths: [folder, OWN, '/usr/include'], source: path.join(folder, 'main.proto') };
    });
    const results = await compareAll(jobs);
    const count = (kind) => results.filter((result) => result.kind === kind).length;
    t.diagnostic(`${COUNT} files: ${count('same')} have the same descriptors, ${count('both refuse')} are refused by both`);
    const wrong = results
      .filter((result) => !['same', 'both refuse'].includes(result.kind) && !MEANT.some(([who, part]) => result[who].text.includes(part)))
      .map(({ kind, source, ours, theirs }) => ({ kind, ours: ours.text, theirs: theirs.text, text: readFileSync(source, 'utf8') }));
    assert.deepEqual(wrong, []);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
