// Every .proto file that Debian's packages carry becomes the descriptors that protoc makes of it, and what protoc refuses is refused.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { compareAll } from '../support/proto_compare.mjs';

/** Packages of Debian 12 that carry .proto files. */
const PACKAGES = `
  criu golang-etcd-server-dev golang-github-checkpoint-restore-go-criu-dev golang-github-colinmarc-hdfs-dev
  golang-github-containerd-cgroups-dev golang-github-containerd-containerd-dev golang-github-containerd-continuity-dev
  golang-github-dnstap-golang-dnstap-dev golang-github-docker-docker-dev golang-github-docker-notary-dev
  golang-github-farsightsec-go-nmsg-dev golang-github-gin-gonic-gin-dev golang-github-go-kit-kit-dev
  golang-github-go-macaroon-bakery-macaroonpb-dev golang-github-gogo-googleapis-dev golang-github-gogo-protobuf-dev
  golang-github-golang-groupcache-dev golang-github-golang-protobuf-1-3-dev golang-github-golang-protobuf-1-5-dev
  golang-github-googleapis-gnostic-dev golang-github-grafana-grafana-plugin-model-dev
  golang-github-grpc-ecosystem-go-grpc-middleware-dev golang-github-grpc-ecosystem-grpc-gateway-dev
  golang-github-grpc-ecosystem-grpc-opentracing-dev golang-github-hashicorp-go-plugin-dev
  golang-github-influxdb-influxdb-dev golang-github-lightstep-lightstep-tracer-common-dev golang-github-mesos-mesos-go-dev
  golang-github-nats-io-go-nats-dev golang-github-openzipkin-zipkin-go-dev golang-github-osrg-gobgp-dev
  golang-github-prometheus-alertmanager-dev golang-github-prometheus-client-model-dev
  golang-github-rootless-containers-proto-dev golang-github-slackhq-nebula-dev golang-github-syncthing-syncthing-dev
  golang-go.opencensus-dev golang-google-appengine-dev golang-google-cloud-dev golang-google-grpc-dev
  golang-google-protobuf-dev golang-protobuf-extensions-dev golang-step-linkedca-dev golang-v2ray-core-dev
  libignition-msgs-dev libosmpbf-dev libprotobuf-c-dev libprotobuf-dev libprotoc-dev librust-prost-build-dev nanopb
  protobuf-compiler python3-grpc-tools python3-onnx ruby-grpc`.trim().split(/\s+/);

/** Files of which our verdict is another than protoc's, by the end of their path, with the reason. */
const EXCEPTIONS = {
  'protoc-gen-go/descriptor/descriptor.proto':
    'a copy of google/protobuf/descriptor.proto that is to be compiled under another name: its messages are in every pool already',
};

/** Folders of which packages import by another name than they have in Debian. */
const ALIASES = [['repos/protobuf/gogoproto', 'github.com/gogo/protobuf/gogoproto']];

const walk = (dir) =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(dir, entry.name);
    if (entry.isDirectory()) return walk(name);
    return entry.isFile() && name.endsWith('.proto') ? [name] : [];
  });

/** Unpacks the .proto files of a package; reports what cannot be had. */
function unpack(name, dir) {
  const to = path.join(dir, 'x', name);
  const debs = path.join(dir, 'debs', name);
  mkdirSync(debs, { recursive: true });
  mkdirSync(to, { recursive: true });
  const got = spawnSync('apt-get', ['download', '-q', name], { cwd: debs, encoding: 'utf8', timeout: 300_000 });
  const deb = readdirSync(debs).find((file) => file.endsWith('.deb'));
  if (got.status !== 0 || deb === undefined) return `${name}: ${got.stderr.trim().split('\n').at(-1)}`;
  execFileSync('bash', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --wildcards "*.proto" || [ $? -eq 2 ]', '-', path.join(debs, deb), to], {
    stdio: 'ignore',
  });
  rmSync(debs, { recursive: true });
  return null;
}

const importsOf = (file) =>
  [...readFileSync(file, 'latin1').matchAll(/^\s*import\s+(?:public\s+|weak\s+)?["']([^"']+)["']\s*;/gm)].map((match) => match[1]);

/** Folders below which file and all that it imports lie, the nearest ones first; what is nowhere is left out. */
function pathsOf(file, byName) {
  const roots = [];
  const add = (root) => roots.includes(root) || roots.push(root);
  const seen = new Set();
  const look = (at) => {
    for (const name of seen.has(at) ? [] : importsOf(at)) {
      const ends = (byName.get(path.basename(name)) ?? []).filter((other) => other.endsWith(`/${name}`));
      const common = (other) => [...other].findIndex((char, i) => char !== at[i]);
      const [best] = ends.sort((a, b) => common(b) - common(a) || a.length - b.length);
      seen.add(at);
      if (best === undefined) continue;
      add(best.slice(0, -name.length - 1));
      look(best);
    }
  };
  look(file);
  // The root of the file itself comes first: where its package says, or one that an import needs.
  const folder = (/^\s*package\s+([\w.]+)\s*;/m.exec(readFileSync(file, 'latin1'))?.[1] ?? '').replaceAll('.', '/');
  const dir = path.dirname(file);
  const own = roots.find((root) => file.startsWith(`${root}/`)) ?? (folder && dir.endsWith(`/${folder}`) ? dir.slice(0, -folder.length - 1) : dir);
  return [...new Set([own, ...roots, '/usr/include'])];
}

test('campaign: the .proto files of Debian', (t) => compare(t));

async function compare(t) {
  const given = process.env.PROTO_DEBIAN_DIR;
  const dir = given ?? mkdtempSync(path.join(tmpdir(), 'pourover-debian-'));
  try {
    const missing = given ? [] : PACKAGES.map((name) => unpack(name, dir)).filter((reason) => reason !== null);
    assert.deepEqual(missing, [], 'packages that could not be downloaded');
    addAliases(path.join(dir, 'x'));
    const files = walk(path.join(dir, 'x')).sort();
    const byName = Map.groupBy ? Map.groupBy(files, (file) => path.basename(file)) : group(files);
    const results = await compareAll(files.map((source) => ({ source, paths: pathsOf(source, byName) })));
    report(t, dir, results);
  } finally {
    if (!given) rmSync(dir, { recursive: true, force: true });
  }
}

function addAliases(root) {
  for (const [alias, folder] of ALIASES) {
    for (const file of walk(root).filter((name) => path.dirname(name).endsWith(`/${folder}`))) {
      mkdirSync(path.join(root, 'alias', alias), { recursive: true });
      copyFileSync(file, path.join(root, 'alias', alias, path.basename(file)));
    }
  }
}

function group(files) {
  const map = new Map();
  for (const file of files) map.set(path.basename(file), [...(map.get(path.basename(file)) ?? []), file]);
  return map;
}

function report(t, dir, results) {
  const count = (kind) => results.filter((result) => result.kind === kind).length;
  const packages = readdirSync(path.join(dir, 'x')).filter((name) => name !== 'alias').length;
  const counts = `${count('same')} have the same descriptors, ${count('both refuse')} are refused by both`;
  for (const { kind, source, ours, theirs } of results) {
    if (kind !== 'both refuse') continue;
    const protoc = theirs.text.split('\n').find((line) => !line.includes('WARNING'));
    t.diagnostic(`refused: ${path.relative(dir, source)}\nprotoc: ${protoc}\nours: ${ours.text}`);
  }
  t.diagnostic(`${results.length} files of ${packages} packages: ${counts}`);
  const wrong = results
    .filter(({ kind, source }) => !['same', 'both refuse'].includes(kind) && !Object.keys(EXCEPTIONS).some((end) => source.endsWith(end)))
    .map(({ kind, source, ours, theirs }) => ({ kind, source, ours: ours.text, theirs: theirs.text }));
  assert.deepEqual(wrong, []);
  assert.ok(count('same') > 500, 'most files are compared');
  assert.ok(existsSync('/usr/include/google/protobuf/descriptor.proto'));
}
