// Descriptors of .proto sources are what protoc makes of them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { compareAll, PROGRAM, protocIsThere } from '../support/proto_compare.mjs';

const OWN = 'tests/proto';
const DEBIAN = '/usr/include';
const BUILTIN = 'src/proto/builtin';

const protos = (root, below) =>
  readdirSync(path.join(root, below), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.proto'))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();

async function allSame(jobs) {
  assert.ok(protocIsThere(), 'protoc is not installed');
  assert.ok(jobs.length > 0);
  const results = await compareAll(jobs);
  const wrong = results.filter((result) => result.kind !== 'same');
  assert.deepEqual(wrong.map(({ source, kind, ours, theirs }) => ({ source, kind, ours: ours.text, theirs: theirs.text })), []);
}

const among = (paths, sources) => sources.map((source) => ({ source, paths }));

test('files that use every construct become the descriptors that protoc makes of them', () =>
  allSame(among([OWN, DEBIAN], protos(OWN, '.'))));

test('the well-known files of Debian, too', () => allSame(among([DEBIAN], protos(DEBIAN, 'google/protobuf'))));

test('the built-in files are sources that protoc takes', () => allSame(among([BUILTIN], protos(BUILTIN, '.'))));

test('the built-in files say the same as those of Debian', async () => {
  const names = protos(BUILTIN, 'google/protobuf').map((file) => path.relative(BUILTIN, file));
  assert.ok(names.length >= 11, `only ${names.length} files`);
  await allSame(
    names.map((name) => ({
      paths: [BUILTIN],
      source: path.join(BUILTIN, name),
      protocPaths: [DEBIAN],
      protocSource: path.join(DEBIAN, name),
    })),
  );
});

test('built-in files are found without any path', () => {
  const found = spawnSync(PROGRAM, ['tests/proto/proto3_all.proto'], { encoding: 'utf8' });
  assert.equal(found.stderr, '');
  assert.equal(found.status, 0);
  const set = spawnSync('protoc', ['--decode=google.protobuf.FileDescriptorSet', 'google/protobuf/descriptor.proto'], {
    input: spawnSync(PROGRAM, ['tests/proto/proto3_all.proto']).stdout,
    encoding: 'utf8',
  });
  const names = [...set.stdout.matchAll(/^ {2}name: "(.*)"$/gm)].map((match) => match[1]);
  assert.deepEqual(names.sort(), [
    'google/protobuf/any.proto',
    'google/protobuf/descriptor.proto',
    'google/protobuf/empty.proto',
    'google/protobuf/timestamp.proto',
    'google/protobuf/wrappers.proto',
    'proto3_all.proto',
  ]);
});
