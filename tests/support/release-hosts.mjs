// Hosts of a release world without a release: their programs are started by hand, for tests of the world itself and of
// what visitors see when somebody does a release wrongly.

import { spawn } from 'node:child_process';
import path from 'node:path';
import { environment } from './nginx.mjs';
import { waitUntil } from './wait.mjs';

const NGINX = process.env.POUROVER_NGINX ?? '/usr/sbin/nginx';

/** Starts a version on a host (and the sidecar, where the world has them); {stop()} ends the version only. */
export async function startByHand(world, host, version) {
  if (world.sidecar) await sidecar(world, host);
  const port = host.port(world.sidecar ? 'app' : 'web');
  const env = {
    ...process.env,
    DEMO_HOST: host.name,
    DEMO_PORT: String(port),
    DEMO_LOG: path.join(world.dir, 'ledgers', `web.${host.name}`),
    DEMO_OWNER: String(process.pid),
  };
  const child = spawn(process.execPath, [path.join(world.dir, 'dist', version, 'service.mjs')], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  await waitUntil(() => world.version(host).then((seen) => seen === version), 10_000, `${version} on ${host.name}`);
  return {
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
}

async function sidecar(world, host) {
  if ((await world.failing(host)) !== null) return;
  const dir = path.join(world.dir, 'sidecars', host.name);
  const args = ['-p', dir, '-e', 'error.log', '-c', 'nginx.conf', '-g', 'daemon off;'];
  spawn(NGINX, args, { env: environment({ dir: path.join(world.dir, 'sidecars') }), stdio: 'ignore' });
  await waitUntil(async () => (await world.failing(host)) !== null, 10_000, `the sidecar of ${host.name}`);
}

/** The peer of a host at every router, as asked: {state: 'draining'} and the like. */
export async function orderPeer(world, host, body) {
  for (const router of world.routers) await world.order('PATCH', `/peers/127.0.0.1:${host.port('web')}`, body, router);
}

/** Draining at every router, and nothing in flight in two readings. */
export async function drainByHand(world, host) {
  await orderPeer(world, host, { state: 'draining', by: 'by hand' });
  const quiet = async () => {
    for (const router of world.routers) {
      const [peer] = world.peersOf(host, (await world.ask(router)).peers);
      if (peer.state !== 'draining' || peer.in_flight > 0) return false;
    }
    return true;
  };
  await waitUntil(async () => (await quiet()) && (await quiet()), 20_000, `nothing in flight at ${host.name}`);
}

/** POST healthcheck/fail or ok at the host's sidecar. */
export async function tellSidecar(host, what) {
  const answer = await fetch(`http://127.0.0.1:${host.port('admin')}/pourover/healthcheck/${what}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`healthcheck/${what} at ${host.name}: ${answer.status}`);
}
