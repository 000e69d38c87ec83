// The official cases of yaml-test-suite through our reader of YAML (libyaml's events made into a tree). Three promises:
// what we accept we read as the suite says; what we refuse we refuse with a place and a sentence; and what we accept
// though the suite says it is no YAML stands in a list, by name and reason, that may not grow.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { requirePackage } from '../support/child-server.mjs';

const DRIVER = path.resolve(process.env.POUROVER_BUILD_DIR ?? 'build/debug', 'tests/yaml_tree');
const suite = (await import(pathToFileURL(requirePackage.resolve('yaml-test-suite')))).default;

/** All cases as {name, yaml, fail, tree}. A further case of a test without a tree of its own has that of the case before it. */
function allCases() {
  const list = [];
  for (const { id, cases } of suite) {
    let tree;
    for (const [i, one] of cases.entries()) {
      tree = one.tree ?? tree;
      list.push({ name: cases.length > 1 ? `${id}/${i}` : id, yaml: one.yaml, fail: one.fail === true, tree });
    }
  }
  return list;
}

const ESCAPES = { '\\': '\\', n: '\n', t: '\t', b: '\b', r: '\r' };

/** The suite's lines of events as what the driver prints: documents of nested values; aliases are followed. */
function readTree(text) {
  const documents = [], open = [];
  let anchors = new Map();
  const add = (value) => (open.length > 0 ? open.at(-1).push(value) : documents.push(value));
  for (const line of text.split('\n').map((one) => one.trimStart()).filter((one) => one !== '')) {
    const [, kind, rest] = /^(.{4})(.*)$/s.exec(line);
    // [] or {} of a flow collection, &anchor, <tag>, and the scalar's style with its text
    const [, anchor, scalar] = /^(?: \[\]| \{\})?(?: &(\S+))?(?: <[^>]*>)?(?: (.*))?$/s.exec(rest);
    if (kind === '+DOC') anchors = new Map();
    if (kind === '=ALI') {
      assert.ok(anchors.has(rest.slice(2)), line);
      add(anchors.get(rest.slice(2)));
      continue;
    }
    if (kind === '-SEQ' || kind === '-MAP') {
      const done = open.pop();
      if (kind === '-MAP') done.value.map.push(...Array.from({ length: done.length / 2 }, (_, i) => [done[2 * i], done[2 * i + 1]]));
      else done.value.push(...done);
      continue;
    }
    if (!['+SEQ', '+MAP', '=VAL'].includes(kind)) continue;
    const value = kind === '+SEQ' ? [] : kind === '+MAP' ? { map: [] } : scalar.replace(/\\(.)/gs, (_, c) => ESCAPES[c]);
    if (anchor !== undefined) anchors.set(anchor, value);
    add(value);
    if (kind !== '=VAL') open.push(Object.assign([], { value }));
  }
  return documents;
}

function ourTree(yaml) {
  const { status, stdout, stderr } = spawnSync(DRIVER, { input: yaml, encoding: 'utf8', timeout: 20_000 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const cases = allCases();
const results = cases.map((one) => ({ ...one, ours: ourTree(one.yaml) }));
const accepted = (one) => one.ours.documents !== undefined;

test('the suite is there', () => {
  assert.equal(cases.length, 402);
  assert.equal(cases.filter((one) => one.fail).length, 94);
});
