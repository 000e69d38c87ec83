// The files of a release world: release.yaml, fleet.yaml, nginx.conf of the routers and of the sidecars.

import { environment, MODULE } from './nginx.mjs';

const NGINX = process.env.POUROVER_NGINX ?? '/usr/sbin/nginx';
const PLAIN = /^[A-Za-z/][\w ./-]*$/;
const WORDS = /^(true|false|null|yes|no|on|off|y|n)$/i;

const scalar = (value) => (typeof value === 'string' && !(PLAIN.test(value) && !WORDS.test(value)) ? JSON.stringify(value) : String(value));
const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

function flow(value) {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (!isMap(value)) return scalar(value);
  return `{${Object.entries(value).map(([key, each]) => `${key}: ${flow(each)}`).join(', ')}}`;
}

/** Maps, lists and scalars as YAML for people. Undefined members are left out. */
export function yaml(value, indent = '') {
  return Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => (isMap(each) ? `${indent}${key}:\n${yaml(each, `${indent}  `)}` : `${indent}${key}: ${flow(each)}\n`))
    .join('');
}

/** Puts `over` over `under`: maps merge, all else replaces; undefined removes. */
export function merged(under, over) {
  if (!isMap(under) || !isMap(over)) return over;
  const result = { ...under };
  for (const [key, value] of Object.entries(over)) result[key] = key in under ? merged(under[key], value) : value;
  return result;
}

/** fleet.yaml of a world. */
export function fleetFile(world) {
  const host = ({ name, dc, ports, weight }) => [name, { at: `process:hosts/${name}`, datacenter: dc, ports, ...(weight && { weight }) }];
  const router = ({ name, api }) => [name, { nginx: api }];
  return yaml({
    datacenters: world.datacenters,
    hosts: Object.fromEntries(world.hosts.map(host)),
    routers: Object.fromEntries(world.routers.map(router)),
  });
}

function programs(world) {
  const env = {
    DEMO_HOST: '${host}',
    DEMO_OWNER: String(process.pid),
  };
  const node = (file, more) => ({ command: [process.execPath, `\${folder}/${file}`], env: { ...env, ...more } });
  const log = (kind) => ({ DEMO_LOG: `${world.dir}/ledgers/${kind}.\${host}` });
  const sidecar = {
    command: [NGINX, '-p', `${world.dir}/sidecars/\${host}`, '-e', 'error.log', '-c', 'nginx.conf', '-g', 'daemon off;'],
    env: world.asan ? sanitized(`${world.dir}/sidecars`) : undefined,
  };
  return {
    web: node('service.mjs', { ...log('web'), DEMO_MIGRATIONS: `${world.dir}/ledgers/migrate.\${host}`, DEMO_PORT: `\${port.${world.sidecar ? 'app' : 'web'}}` }),
    ...(world.sidecar && { sidecar }),
    ...(world.worker && { worker: node('worker.mjs', { ...log('worker'), DEMO_JOBS: `${world.dir}/jobs/\${host}` }) }),
    ...(world.cron && { cron: node('cron.mjs', { ...log('cron'), DEMO_TICK_MS: '1000' }) }),
  };
}

function sanitized(dir) {
  const { LD_PRELOAD, ASAN_OPTIONS, UBSAN_OPTIONS } = environment({ dir });
  return { LD_PRELOAD, ASAN_OPTIONS, UBSAN_OPTIONS };
}

function roles(world) {
  const port = world.sidecar ? 'app' : 'web';
  const call = (what) => `POST http://127.0.0.1:\${port.admin}/pourover/healthcheck/${what}`;
  const around = { ready: { within: '20s' }, stop: { grace: '5s' } };
  const proxy = { services: ['sidecar'], shared: true, ...around, health: { fail: call('fail'), ok: call('ok'), flag: `${world.dir}/sidecars/\${host}/fail` } };
  return {
    ...(world.sidecar && { proxy }),
    app: {
      services: ['web'],
      ready: { http: `http://127.0.0.1:\${port.${port}}/healthz`, within: '20s' },
      stop: { grace: '5s' },
      restarts: { max: 0, watch: '300ms' },
    },
    ...(world.worker && {
      worker: { services: ['worker'], ready: { up_for: '200ms', within: '20s' }, stop: { signal: 'TSTP', then: 'TERM', grace: '60s' } },
    }),
    ...(world.cron && { cron: { services: ['cron'], ...around, only_on: world.hosts[0].name, pause_during: 'release' } }),
  };
}

/** release.yaml of a world in the fast profile, with `overrides` put over it. */
export function releaseFile(world, overrides = {}) {
  const base = {
    schema: 1,
    service: 'shop',
    fleet: 'fleet.yaml',
    process: { source: 'dist/${version}${variant}', services: programs(world) },
    roles: roles(world),
    peer: '${host.address}:${port.web}',
    strategy: world.strategy,
    swap: world.slots === 2 ? 'beside' : 'in-place',
    rolling: {
      batch: 1,
      keep_up: { total: '50%', per_datacenter: world.pool ? 0 : 1 },
      drain: { requests: '5s', streams: '5s' },
      soak: '300ms',
      keep_old: '300ms',
      deadline: '90s',
    },
    disk: { free: '1MiB' },
    tests: { files: ['tests/*.yaml'], target: `127.0.0.1:\${port.${world.sidecar ? 'app' : 'web'}}`, budget: '60s' },
    ...(world.strategy === 'canary' && {
      canary: {
        pool: world.pool ? { hosts: world.pool, rest: 'stable', grow: world.grow } : { beside: Math.max(...world.datacenters.map((dc) => world.hosts.filter((host) => host.dc === dc).length)) },
        stages: ['0', '1%', '50%', '100%'],
        dwell: '500ms',
        limits: { errors: '10%', min_requests: 2 },
      },
    }),
  };
  return yaml(merged(base, overrides));
}

/** http block of a router: all hosts as peers of the service, checked often. HTTP and gRPC go to the same port. */
export const routerConfig = (world) => ({ ports, dir }) => `
  pourover_zone name=main size=8m state=${dir}/state/router.json;

  upstream shop {
    pourover zone=main share=0 salt=first;
    ${world.hosts.map((host) => `pourover_server 127.0.0.1:${host.port('web')} track=${host.track} dc=${host.dc};`).join('\n    ')}
    pourover_check http uri=/healthz interval=${world.check} timeout=${world.check} rise=2 fall=5${world.sidecar ? ' tls=on' : ''};
  }

  server {
    listen 127.0.0.1:${ports.http};
    listen 127.0.0.1:${ports.h2} http2;
    pourover_visitor id=cookie:pourover_id;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    # No keepalive towards the hosts: one block serves both protocols, and NGINX would mix them up.
    location / { proxy_pass http${world.sidecar ? 's' : ''}://shop; }
    location /demo.Echo/ { grpc_pass grpc${world.sidecar ? 's' : ''}://shop; }
  }

  server {
    listen 127.0.0.1:${ports.api};
    location /pourover/ { pourover_api; }
  }`;

/** nginx.conf of a host's sidecar: pages and calls on one port, told apart by TLS (ALPN), as the router asks for them. */
export const sidecarConfig = (world, host, dir) => `user root;
load_module ${MODULE};
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log notice;
${world.asan ? 'env LD_PRELOAD; env ASAN_OPTIONS; env UBSAN_OPTIONS;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name}_temp;`).join('\n  ')}
  pourover_zone name=side size=2m state=${dir}/state/sidecar.json fail_file=${dir}/fail;

  upstream app { pourover zone=side; server 127.0.0.1:${host.port('app')}; keepalive 16; }
  upstream app-rpc { server 127.0.0.1:${host.port('app')}; keepalive 16; }

  server {
    listen 127.0.0.1:${host.port('web')} ssl http2;
    ssl_certificate ${world.dir}/sidecar.pem;
    ssl_certificate_key ${world.dir}/sidecar.key;
    pourover_headers pass;
    pourover_service app;
    proxy_http_version 1.1;
    proxy_set_header Connection "";

    location / { proxy_pass http://app; }
    location /demo.Echo/ { grpc_pass grpc://app-rpc; }
    location = /healthz {
      pourover_healthcheck;
      proxy_pass http://app/healthz;
      proxy_connect_timeout 1s;
      proxy_read_timeout 1s;
      proxy_next_upstream off;
    }
  }

  server {
    listen 127.0.0.1:${host.port('admin')};
    location /pourover/ { pourover_api; }
  }
}
`;
