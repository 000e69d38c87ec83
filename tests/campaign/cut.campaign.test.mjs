// A million ids: the C code, the module and a script in another language cut each of them alike.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, openSync, closeSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startNginx } from '../support/nginx.mjs';

const IDS = Number(process.env.CUT_IDS ?? 1_000_000);
const BATCH = 500;

const dir = mkdtempSync(path.join(tmpdir(), 'pourover-cut-'));
const file = path.join(dir, 'cut.tsv');
test.after(() => rmSync(dir, { recursive: true, force: true }));

test('campaign: an independent script cuts a million ids', () => {
  const out = openSync(file, 'w');
  execFileSync('tests/oracle/cut.py', ['--vectors', String(IDS)], { stdio: ['ignore', out, 'inherit'] });
  closeSync(out);
});

test('campaign: the C code agrees with the script on every one', () => {
  const program = 'build/debug/tests/test_traffic_cut';
  execFileSync(program, { env: { ...process.env, T_VECTORS: file }, stdio: 'pipe' });
});

/** One connection that sends requests in batches and gives the bodies in order. */
class Pipeline {
  #text = '';
  #wanted = 0;
  #done = null;
  #bodies = [];

  constructor(port) {
    this.socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
    this.socket.on('data', (text) => this.#onData(text));
  }

  ask(requests) {
    this.#wanted = requests.length;
    this.socket.write(requests.join(''));
    return new Promise((resolve) => { this.#done = resolve; });
  }

  #onData(text) {
    this.#text += text;
    for (;;) {
      const body = this.#text.indexOf('\r\n\r\n') + 4;
      if (body < 4) break;
      const length = Number(/Content-Length: (\d+)/.exec(this.#text.slice(0, body))[1]);
      if (this.#text.length < body + length) break;
      this.#bodies.push(this.#text.slice(body, body + length));
      this.#text = this.#text.slice(body + length);
    }
    if (this.#bodies.length === this.#wanted) this.#done(this.#bodies.splice(0));
  }
}

test('campaign: the module agrees with the script on every one', async () => {
  const salts = execFileSync('cut', ['-f1', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const services = [...new Set(salts.trim().split('\n'))];
  const nginx = await startNginx({
    http: ({ ports }) => `
      keepalive_requests 100000000;
      pourover_zone name=main size=8m;
      ${services.map((salt, i) => `pourover_cut s${i} zone=main salt=${salt};`).join('\n')}
      server {
        listen 127.0.0.1:${ports.http};
        pourover_visitor id=$http_x_id;
        ${services.map((_, i) => `location /s${i} { pourover_service s${i}; set $b $pourover_bucket; return 200 $b; }`).join('\n')}
      }`,
  });
  const pipeline = new Pipeline(nginx.ports.http);
  let agreed = 0;
  let batch = [];
  const flush = async () => {
    const bodies = await pipeline.ask(batch.map(([salt, id]) => `GET /s${services.indexOf(salt)} HTTP/1.1\r\nHost: t\r\nX-Id: ${id}\r\n\r\n`));
    for (const [i, [salt, id, , bucket]] of batch.entries()) {
      assert.equal(bodies[i], bucket, `salt ${salt} id ${id}`);
      agreed++;
    }
    batch = [];
  };
  for await (const line of createInterface({ input: createReadStream(file) })) {
    batch.push(line.split('\t'));
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 0) await flush();
  pipeline.socket.destroy();
  assert.equal(agreed, IDS);
  console.log(`# ${agreed} cuts of the module agree with the script's`);
  await nginx.stop();
  nginx.assertCleanLog();
});
