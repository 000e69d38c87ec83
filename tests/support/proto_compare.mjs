// Our reader of .proto sources beside protoc: the same descriptors, or a refusal by both.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';

export const PROGRAM = path.join(process.env.POUROVER_BUILD_DIR ?? 'build/debug', 'tests/proto_compile');

const run = (file, args) =>
  new Promise((resolve) => {
    execFile(file, args, { timeout: 60_000, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, text: stderr.trim() }));
  });

/**
 * Compares one file. paths: import paths; source: below one of them; protocPaths, protocSource: of
 * protoc when it shall read another one.
 * Gives {kind: 'same' | 'both refuse' | 'differs' | 'only ours refuses' | 'only protoc refuses', theirs, ours}.
 */
async function compareOne(set, { paths, source, protocPaths = paths, protocSource = source }) {
  const include = paths.flatMap((folder) => ['-I', folder]);
  const protocInclude = protocPaths.map((folder) => `-I${folder}`);
  const theirs = await run('protoc', [...protocInclude, '--include_imports', `--descriptor_set_out=${set}`, protocSource]);
  const ours = await run(PROGRAM, [...include, ...(theirs.code === 0 ? ['--set', set] : []), source]);
  if (ours.code !== 0 && ours.code !== 1) return { kind: 'crash', theirs, ours };
  if (theirs.code !== 0) return { kind: ours.code !== 0 ? 'both refuse' : 'only protoc refuses', theirs, ours };
  if (ours.code === 0) return { kind: 'same', theirs, ours };
  return { kind: /not what protoc makes of it|only protoc has it/.test(ours.text) ? 'differs' : 'only ours refuses', theirs, ours };
}

/** jobs: [{name, paths, source, protocPaths, protocSource}]; gives each with its result. */
export async function compareAll(jobs) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-proto-'));
  const results = new Array(jobs.length);
  let next = 0;
  const worker = async (id) => {
    while (next < jobs.length) {
      const at = next++;
      results[at] = { ...jobs[at], ...(await compareOne(path.join(dir, `${id}.bin`), jobs[at])) };
    }
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, (_, id) => worker(id)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return results;
}

export const protocIsThere = () => spawnSync('protoc', ['--version']).status === 0;
