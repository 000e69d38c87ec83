// Waiting for conditions, and free ports: the two things every test needs before it can start anything.

import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls `condition` (may be async) until it returns something truthy, and returns that.
 * Throws after `ms` milliseconds, saying what was waited for and what the last call said.
 */
export async function waitUntil(condition, ms = 10_000, what = String(condition)) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= deadline) {
      throw new Error(`waited ${ms} ms in vain for: ${what}; last seen: ${last?.message ?? last}`);
    }
    await sleep(10);
  }
}

const taken = new Set();

/**
 * A free TCP port of 127.0.0.1, below the range that outgoing connections use, so that a load test cannot take
 * it between this call and the server's bind. Never the same one twice in a process.
 */
export async function freePort() {
  const low = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = 10_240 + Math.floor(Math.random() * (Math.max(low, 20_000) - 10_240));
    if (!taken.has(port) && (await isFree(port))) {
      taken.add(port);
      return port;
    }
  }
  throw new Error('no free port on 127.0.0.1 after 1000 tries');
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
