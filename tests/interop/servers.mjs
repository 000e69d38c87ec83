// The three interop servers, each by another implementation of gRPC: built and started here.
//
//            replies compressed when asked    sees flags of requests    reflection
//   node     no                               yes                       v1, v1alpha
//   python   yes                              no                        v1
//   go       when the request said gzip       yes                       v1alpha

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/child-server.mjs';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const BUILD = fileURLToPath(new URL('../../build/interop', import.meta.url));
const GO_ROOT = '/usr/lib/go';

export const PROTO = path.join(HERE, 'testing.proto');
export const SERVERS = ['node', 'python', 'go'];

const exec = (command, args, env = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, timeout: 240_000 });

/** Writes files into build/interop by a new name first: another test may be about to read the old ones. */
function generate(make, names) {
  const place = path.join(BUILD, `new-${process.pid}`);
  mkdirSync(place, { recursive: true });
  make(place);
  for (const name of names) renameSync(path.join(place, name), path.join(BUILD, name));
  rmSync(place, { recursive: true });
}

/** A descriptor set of the service with its imports. */
export function descriptorSet() {
  generate((place) => exec('protoc', [
    '-I', HERE, '--include_imports', '--include_source_info', `--descriptor_set_out=${place}/testing.pb`, 'testing.proto']), ['testing.pb']);
  return path.join(BUILD, 'testing.pb');
}

function generatePython() {
  generate(
    (place) => exec('protoc', ['-I', HERE, `--python_out=${place}`, 'testing.proto', 'reflection.proto']), ['testing_pb2.py', 'reflection_pb2.py']);
}

/** About 6 s of CPU the first time, then what is in the cache. Debian's compiler and packages, nothing from the network. */
function buildGo() {
  const source = path.join(BUILD, 'go/src/testing.local');
  for (const folder of ['testing', 'server']) mkdirSync(path.join(source, folder), { recursive: true });
  exec('protoc', ['-I', HERE, `--go_out=plugins=grpc:${source}/testing`, 'testing.proto']);
  copyFileSync(path.join(HERE, 'server.go'), path.join(source, 'server/server.go'));
  const env = {
    GO111MODULE: 'off', GOPATH: `${BUILD}/go:/usr/share/gocode`, GOCACHE: `${BUILD}/go-cache`, GOROOT: GO_ROOT, GOTOOLCHAIN: 'local',
    GOPROXY: 'off', GOFLAGS: '' };
  generate((place) => exec(`${GO_ROOT}/bin/go`, ['build', '-o', `${place}/server-go`, 'testing.local/server'], env), ['server-go']);
}

const COMMANDS = {
  node: () => [process.execPath, [path.join(HERE, 'server.mjs'), BUILD]],
  python: () => {
    generatePython();
    return ['/usr/bin/python3', [path.join(HERE, 'server.py'), BUILD]];
  },
  go: () => {
    buildGo();
    return [path.join(BUILD, 'server-go'), []];
  },
};

/** Starts one of SERVERS on a free port of 127.0.0.1; with {cert, key} (files) over TLS. {port, close()}. */
export async function startInterop(name, { cert, key } = {}) {
  mkdirSync(BUILD, { recursive: true });
  descriptorSet();
  const [command, args] = COMMANDS[name]();
  return startServer(command, cert ? [...args, cert, key] : args);
}
