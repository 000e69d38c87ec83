// The module can be built by nginx's own configure, without meson, and Debian's nginx loads the result.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const dir = mkdtempSync(path.join(tmpdir(), 'pourover-own-'));
after(() => rmSync(dir, { recursive: true, force: true }));

function run(cwd, command, ...args) {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 240_000 });
  assert.equal(done.status, 0, `${command} ${args.join(' ')}\n${done.stdout.slice(-3000)}${done.stderr}`);
}

test("nginx's own configure builds a module that Debian's nginx loads", () => {
  const source = path.join(dir, 'nginx');
  cpSync('/usr/share/nginx/src', source, { recursive: true, dereference: true });
  run(source, './configure', '--with-compat', `--add-dynamic-module=${path.join(ROOT, 'ngx')}`);
  run(source, 'make', '-j2', '-f', 'objs/Makefile', 'modules');

  const conf = path.join(dir, 'nginx.conf');
  writeFileSync(conf, `load_module ${source}/objs/ngx_http_pourover_module.so;
    pid ${dir}/pid; error_log stderr; events {}
    http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')} }`);
  run(dir, '/usr/sbin/nginx', '-t', '-p', dir, '-c', conf);
});
