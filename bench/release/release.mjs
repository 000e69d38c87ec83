#!/usr/bin/env node
// Whole releases: wall time over what could not be avoided, memory of the controller, times of commands. Prints tables.
//
//   bench/release/release.mjs BUILD [--releases N] [--hosts N] [--profile NAME] [--verbose] [--record]
//
// BUILD is a build directory, such as build/release; its pourover, module and tiny_service are measured. --releases: of each
// profile (5, and 3 times as many of the fast one); --profile: only that one, without memory; --hosts: of the large fleet (100);
// --verbose: the times of each step. --record puts the tables into docs/performance.md.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const REPORT = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const RATIO = 1.05;
const MEMORY_MIB = 20;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    releases: { type: 'string', default: '5' },
    hosts: { type: 'string', default: '100' },
    profile: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
  },
});
if (positionals.length !== 1) {
  process.stderr.write('usage: bench/release/release.mjs BUILD [--releases N] [--hosts N] [--profile NAME] [--verbose] [--record]\n');
  process.exit(2);
}
process.env.POUROVER_BUILD_DIR = path.resolve(positionals[0]);
const { memory } = await import('./memory.mjs');
const { median, PROFILES, wall } = await import('./wall.mjs');

const number = (value, digits = 0) => value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const verdict = (value, goal, good = value <= goal) => `${number(goal, goal < 10 ? 2 : 0)} | ${good ? 'met' : 'missed'}`;
const tell = (line) => { if (options.verbose) process.stderr.write(`${line}\n`); };
const load = () => os.loadavg()[0].toFixed(1);

function wallRows(name, list) {
  const of = (pick) => median(list.map(pick));
  const ratio = of((one) => one.wall / one.unavoidable);
  const goal = name === 'realistic' ? `<= ${verdict(ratio, RATIO)}` : '- | -';
  const { startMs, testMs, soakMs, checkMs } = PROFILES[name];
  const what = `${name}: start ${startMs} ms more, tests ${testMs} ms, soak ${soakMs} ms, checks ${checkMs} ms x 2`;
  return [
    `| ${what}; releases | ${list.length} | - | - |`,
    `| ${name}: wall time, ms | ${number(of((one) => one.wall))} | - | - |`,
    `| ${name}: unavoidable, ms | ${number(of((one) => one.unavoidable))} | - | - |`,
    `| ${name}: wall time over the unavoidable | ${number(ratio, 3)} | ${goal} |`,
    `| ${name}: the same, with the time that the checks took instead of rise x interval | ${number(of((one) => one.wall / one.strict), 3)} | - | - |`,
    `| ${name}: avoidable, ms a host | ${number(of((one) => (one.wall - one.strict) / one.by.join.length))} | - | - |`,
  ];
}

function memoryRows(f) {
  const name = `${f.hosts} hosts, ${f.batch} at a time`;
  return [
    `| ${name}: greatest memory of the controller, MiB | ${number(f.peakMib, 1)} | < ${verdict(f.peakMib, MEMORY_MIB, f.peakMib < MEMORY_MIB)} |`,
    `| ${name}: whole release, s | ${number(f.wall / 1000, 1)} | - | - |`,
    `| ${name}: CPU of the controller, s | ${number(f.cpuMs / 1000, 2)} | - | - |`,
    `| ${name}: lines told | ${number(f.lines)} | - | - |`,
    `| ${name}: journal, KiB; record of a host, KiB | ${number(f.journalBytes / 1024)}; ${number(f.recordBytes / 1024)} | - | - |`,
    `| ${name}: \`plan\` from start to exit, ms | ${number(f.plan)} | - | - |`,
    `| ${name}: \`status\` from start to exit, ms | ${number(f.status)} | - | - |`,
  ];
}

function versions() {
  const version = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim().split('\n')[0];
  return `${os.cpus().length} cores, Linux ${os.release().split('-')[0]}, node ${process.version}, ${version(`${process.env.POUROVER_BUILD_DIR}/src/cli/pourover`, '--version')}`;
}

const before = load();
const rows = [];
for (const name of Object.keys(PROFILES)) {
  if (options.profile && options.profile !== name) continue;
  const releases = Number(options.releases) * (name === 'fast' ? 3 : 1);
  rows.push(...wallRows(name, await wall(name, releases, tell)));
}
if (!options.profile) {
  for (const hosts of [4, Number(options.hosts)]) rows.push(...memoryRows(await memory(hosts, tell)));
}
const text = `${new Date().toISOString().slice(0, 10)}, ${versions()}; \`bench/release/release.mjs\`; the machine's load was ${before} before and ${load()} after.

| what | is | goal | |
|---|---|---|---|
${rows.join('\n')}`;
process.stdout.write(`${text}\n`);
if (options.record) {
  const block = `<!-- bench whole -->\n${text}\n<!-- /bench whole -->`;
  writeFileSync(REPORT, readFileSync(REPORT, 'utf8').replace(/<!-- bench whole -->[\s\S]*<!-- \/bench whole -->/, () => block));
}
