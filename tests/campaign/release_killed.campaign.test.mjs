// The controller dies after every single write of its journal, in all kinds of releases.

import test from 'node:test';
import { killedAndResumed, takenOver } from '../support/release-killed.mjs';

const KINDS = {
  'rolling, sidecars': {},
  'rolling, two data centers': { datacenters: { west: 2, east: 2 }, sidecar: false },
  'beside': { slots: 2 },
  'canary beside': { slots: 2, strategy: 'canary' },
  'canary with a pool': { strategy: 'canary', datacenters: { west: 2, east: 2 }, pool: ['west-2', 'east-2'], grow: true },
};

// Before the lease is held, the third write, hosts know of nothing, and nothing was done that they should know.
const KNOWN = 4;

for (const [kind, options] of Object.entries(KINDS)) {
  test(`${kind}: killed after every write, then resumed`, (t) => killedAndResumed(t, { first: 1, stride: 1, options }));
  test(`${kind}: killed after every write, its disk lost, taken over`, (t) => takenOver(t, { first: KNOWN, stride: 1, options }));
}
