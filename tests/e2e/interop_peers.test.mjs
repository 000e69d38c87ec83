// The interop servers, before our client meets them: a client that is not ours (grpc-js) must be content with them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { requirePackage } from '../support/child-server.mjs';
import { grpcFrame } from '../support/evil-wire.mjs';
import { DescriptorFiles, reflectionService, splitSet } from '../support/grpc-reflection.mjs';
import { descriptorSet, PROTO, SERVERS, startInterop } from '../interop/servers.mjs';

const grpc = requirePackage('@grpc/grpc-js');
const loader = requirePackage('@grpc/proto-loader');
const { status } = grpc;
const REFLECTION = { node: ['v1', 'v1alpha'], python: ['v1'], go: ['v1alpha'] };
const SEES_FLAGS = { node: true, python: false, go: true };

/** Runs a call to its end: {messages, error, initial, trailers}; start gets the callback of unary replies. */
function finish(start) {
  return new Promise((resolve) => {
    const seen = { messages: [], error: null, initial: null, trailers: null };
    const call = start((error, reply) => {
      seen.error = error;
      if (reply) seen.messages.push(reply);
    });
    call.on('metadata', (metadata) => { seen.initial = metadata; });
    call.on('data', (message) => seen.messages.push(message));
    call.on('error', (error) => { seen.error = error; });
    call.on('status', ({ metadata }) => {
      seen.trailers = metadata;
      setImmediate(() => resolve(seen));
    });
  });
}

/** A call on raw HTTP/2, for what no library tells: the flags of the replies, {flags, encoding}. */
function flagsOf(port, method, request, gzip) {
  const type = loader.loadSync(PROTO, { defaults: true })['grpc.testing.TestService'][method];
  const bytes = type.requestSerialize(request);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST', ':path': type.path, 'content-type': 'application/grpc', te: 'trailers', 'grpc-accept-encoding': 'gzip',
    ...(gzip && { 'grpc-encoding': 'gzip' }) });
  const chunks = [];
  let encoding;
  stream.on('response', (headers) => { encoding = headers['grpc-encoding']; });
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.end(gzip ? grpcFrame(gzipSync(bytes), 1) : grpcFrame(bytes));
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      const flags = [];
      const body = Buffer.concat(chunks);
      for (let at = 0; at < body.length; at += 5 + body.readUInt32BE(at + 1)) flags.push(body[at]);
      resolve({ flags, encoding });
    });
  });
}

const deadline = (ms = 10_000) => ({ deadline: Date.now() + ms });
const sizes = (seen) => seen.messages.map(({ payload }) => payload.body.length);

for (const name of SERVERS) {
  describe(`interop server ${name}`, () => {
    let server;
    let client;
    let unimplemented;

    before(async () => {
      server = await startInterop(name);
      const { testing } = grpc.loadPackageDefinition(
        loader.loadSync(PROTO, { longs: String, enums: String, defaults: true })).grpc;
      const at = [`127.0.0.1:${server.port}`, grpc.credentials.createInsecure(), {
        'grpc.default_compression_algorithm': 2, 'grpc.max_receive_message_length': 64 << 20 }];
      client = new testing.TestService(...at);
      unimplemented = new testing.UnimplementedService(...at);
    });

    after(async () => {
      client?.close();
      unimplemented?.close();
      assert.equal(await server?.close(), 0);
    });

    test('unary calls of any size, with metadata both ways', async () => {
      const metadata = new grpc.Metadata();
      metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
      metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('ababab', 'hex'));
      const empty = await finish((done) => client.EmptyCall({}, deadline(), done));
      assert.deepEqual([empty.error, empty.messages], [null, [{}]]);
      const large = await finish((done) => client.UnaryCall(
        { responseSize: 314159, payload: { body: Buffer.alloc(271828) } }, metadata, deadline(), done));
      assert.equal(large.error, null);
      assert.deepEqual(sizes(large), [314159]);
      assert.deepEqual(large.initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
      assert.deepEqual(large.trailers.get('x-grpc-test-echo-trailing-bin'), [Buffer.from('ababab', 'hex')]);
    });

    test('streams of all kinds', async () => {
      const input = await finish((done) => {
        const call = client.StreamingInputCall(deadline(), done);
        for (const size of [27182, 8, 1828, 45904]) call.write({ payload: { body: Buffer.alloc(size) } });
        call.end();
        return call;
      });
      assert.equal(input.messages[0].aggregatedPayloadSize, 74922);
      const wanted = [31415, 9, 2653, 58979];
      const output = await finish(() => client.StreamingOutputCall({ responseParameters: wanted.map((size) => ({ size })) }, deadline()));
      assert.deepEqual(sizes(output), wanted);
      const pong = await finish(() => {
        const call = client.FullDuplexCall(deadline());
        const rest = [...wanted];
        const ping = () => (rest.length > 0 ? call.write({ responseParameters: [{ size: rest.shift() }] }) : call.end());
        call.on('data', ping);
        ping();
        return call;
      });
      assert.deepEqual(sizes(pong), wanted);
      const none = await finish(() => {
        const call = client.FullDuplexCall(deadline());
        call.end();
        return call;
      });
      assert.deepEqual([none.error, none.messages], [null, []]);
    });

    test('a status as asked, in unary calls and streams', async () => {
      const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
      const unary = await finish((done) => client.UnaryCall({ responseStatus: { code: 2, message } }, deadline(), done));
      assert.deepEqual([unary.error.code, unary.error.details], [2, message]);
      const stream = await finish(() => {
        const call = client.FullDuplexCall(deadline());
        call.end({ responseStatus: { code: 2, message } });
        return call;
      });
      assert.deepEqual([stream.error.code, stream.error.details], [2, message]);
    });

    test('what is not implemented is UNIMPLEMENTED', async () => {
      for (const each of [client, unimplemented]) {
        const seen = await finish((done) => each.UnimplementedCall({}, deadline(), done));
        assert.equal(seen.error.code, status.UNIMPLEMENTED, seen.error.message);
      }
    });

    test('a server that sleeps meets the deadline', async () => {
      const seen = await finish(() => client.StreamingOutputCall({ responseParameters: [{ size: 1, intervalUs: 2_000_000 }] }, deadline(200)));
      assert.equal(seen.error.code, status.DEADLINE_EXCEEDED);
    });

    test('flags of requests are held against what they say', { skip: !SEES_FLAGS[name] && 'its API tells no flags' }, async () => {
      const ask = (value) => finish((done) => client.UnaryCall(
        { expectCompressed: { value }, responseSize: 8, payload: { body: Buffer.alloc(27182) } }, deadline(), done));
      assert.equal((await ask(true)).error, null, 'this client compresses');
      assert.equal((await ask(false)).error?.code, status.INVALID_ARGUMENT);
    });

    test('replies are compressed as asked', { skip: name === 'node' && 'it never compresses' }, async () => {
      const value = (compressed) => ({ compressed: { value: compressed } });
      if (name === 'go') {
        assert.deepEqual(await flagsOf(server.port, 'UnaryCall', { responseSize: 5000 }, true), { flags: [1], encoding: 'gzip' });
        assert.deepEqual((await flagsOf(server.port, 'UnaryCall', { responseSize: 5000 })).flags, [0]);
        return;
      }
      const asked = (compressed) => flagsOf(server.port, 'UnaryCall', { responseSize: 5000, responseCompressed: { value: compressed } });
      assert.deepEqual(await asked(true), { flags: [1], encoding: 'gzip' });
      assert.deepEqual((await asked(false)).flags, [0]);
      const stream = await flagsOf(server.port, 'StreamingOutputCall', {
        responseParameters: [{ size: 31415, ...value(true) }, { size: 92653, ...value(false) }, { size: 9000, ...value(true) }] });
      assert.deepEqual(stream, { flags: [1, 0, 1], encoding: 'gzip' });
    });

    test(`reflection ${REFLECTION[name].join(' and ')} gives the file that was compiled`, async () => {
      const own = new DescriptorFiles(readFileSync(descriptorSet()));
      for (const version of ['v1', 'v1alpha']) {
        const service = reflectionService(version);
        const Client = grpc.makeGenericClientConstructor(service.definition, service.name);
        const reflection = new Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
        const seen = await finish(() => {
          const call = reflection.ServerReflectionInfo(deadline());
          for (const request of [{ listServices: '' }, { fileContainingSymbol: 'grpc.testing.TestService' }, { fileByFilename: 'none' }]) {
            call.write(request);
          }
          call.end();
          return call;
        });
        reflection.close();
        if (!REFLECTION[name].includes(version)) {
          assert.equal(seen.error?.code, status.UNIMPLEMENTED, version);
          continue;
        }
        assert.equal(seen.error, null);
        const [list, file, none] = seen.messages;
        assert.ok(list.listServicesResponse.service.some((each) => each.name === 'grpc.testing.TestService'));
        const [first] = file.fileDescriptorResponse.fileDescriptorProto;
        const read = new DescriptorFiles(Buffer.concat([Buffer.from([10]), varint(first.length), first]));
        assert.deepEqual([...read.bySymbol.keys()].sort(), [...own.bySymbol.keys()].sort());
        assert.equal(none.errorResponse.errorCode, status.NOT_FOUND);
      }
    });
  });
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

test('a descriptor set is split into its files as they are', () => {
  const set = readFileSync(descriptorSet());
  const [file] = splitSet(set);
  assert.deepEqual(Buffer.concat([Buffer.from([10]), varint(file.length), file]), set);
});
