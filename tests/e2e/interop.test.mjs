// `pourover test` with gRPC's interop tests (tests/interop/interop.yaml), against servers of three other implementations.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { noApitest, runApitest, suiteDirectory } from '../support/apitest.mjs';
import { makeCertificates } from '../support/certificates.mjs';
import { PROTO, SERVERS, startInterop } from '../interop/servers.mjs';

const SUITE = new URL('../interop/interop.yaml', import.meta.url);
const CASES = [...readFileSync(SUITE, 'utf8').matchAll(/^ {2}- name: (.+)\n {4}methodName: \w+\n(?: {4}tags: \[(.+)\]\n)?/gm)]
  .map(([, name, tag]) => ({ name, tag }));
const LACKS = { node: ['compressed-replies'], python: ['sees-request-flags'], go: ['compressed-replies'] };
const filled = (text) => text.replace(/zeros_(\d+): ""/g, (_, size) => `zeros_${size}: "${Buffer.alloc(Number(size)).toString('base64')}"`);

for (const name of SERVERS) {
  describe(`interop with ${name}`, () => {
    const suite = suiteDirectory();
    let file;
    let plain;
    let secure;
    let certificates;

    before(async () => {
      if (noApitest) return;
      certificates = makeCertificates(suite.dir);
      file = suite.write('interop.yaml', filled(readFileSync(SUITE, 'utf8')));
      copyFileSync(PROTO, path.join(suite.dir, 'testing.proto'));
      plain = await startInterop(name);
      secure = await startInterop(name, certificates.good);
    });

    after(async () => {
      await plain?.close();
      await secure?.close();
      suite.remove();
    });

    for (const each of CASES) {
      test(`${each.name} (${name})`, { skip: noApitest || (LACKS[name].includes(each.tag) && `${name} has no ${each.tag}`) }, async () => {
        const result = await runApitest(file, { target: `127.0.0.1:${plain.port}`, args: ['--run', `${each.name}$`], ms: 60_000 });
        assert.equal(result.code, 0, result.out + result.err);
      });
    }

    test(`the whole suite over TLS (${name})`, { skip: noApitest }, async () => {
      const without = LACKS[name].map((tag) => `!${tag}`).join(',');
      const result = await runApitest(file, {
        target: `grpcs://127.0.0.1:${secure.port}`, ca: certificates.ca, args: without ? ['--tags', without] : [], ms: 120_000 });
      assert.equal(result.code, 0, result.out + result.err);
    });

    test(`the whole suite by reflection (${name})`, { skip: noApitest }, async () => {
      const reflected = suite.write('reflected.yaml', filled(readFileSync(SUITE, 'utf8')).replaceAll('proto: ./testing.proto', 'reflection: true'));
      const without = LACKS[name].map((tag) => `!${tag}`).join(',');
      const result = await runApitest(reflected, { target: `127.0.0.1:${plain.port}`, args: without ? ['--tags', without] : [], ms: 120_000 });
      assert.equal(result.code, 0, result.out + result.err);
    });
  });
}

test('the suite has every case of the descriptions', () => {
  const names = CASES.map(({ name }) => name.split(',')[0]);
  for (const wanted of [
    'empty_unary', 'large_unary', 'client_streaming', 'server_streaming', 'ping_pong', 'empty_stream', 'custom_metadata', 'status_code_and_message',
    'special_status_message', 'unimplemented_method', 'unimplemented_service', 'cancel_after_begin', 'cancel_after_first_response',
    'timeout_on_sleeping_server', 'server_compressed_unary', 'server_compressed_streaming', 'client_compressed_unary', 'client_compressed_streaming']) {
    assert.ok(names.includes(wanted), wanted);
  }
});
