// The interop service by grpc-js, with reflection v1 and v1alpha: `node server.mjs BUILD-DIR [CERT KEY]`, BUILD-DIR has
// testing.pb, as servers.mjs makes it. Prints {"port": N} and ends when its standard input ends.

import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requirePackage, untilStdinEnds } from '../support/child-server.mjs';
import { addReflection } from '../support/grpc-reflection.mjs';

const grpc = requirePackage('@grpc/grpc-js');
const loader = requirePackage('@grpc/proto-loader');
const [build, cert, key] = process.argv.slice(2);
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';
const INVALID_ARGUMENT = 3;

// grpc-js hides the flags of messages. We look at each stream's bytes before it does, and give the call a header to find them by.

const FLAGS_ID = 'x-flags-id';
const flagsOf = new Map();

class Flags {
  list = [];
  #head = Buffer.alloc(0);
  #skip = 0;

  push(chunk) {
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.#skip, chunk.length - at);
      this.#skip -= skipped;
      at += skipped;
      if (this.#skip > 0 || at === chunk.length) return;
      const head = Buffer.concat([this.#head, chunk.subarray(at, at + 5 - this.#head.length)]);
      at += head.length - this.#head.length;
      this.#head = head;
      if (head.length < 5) return;
      this.list.push(head[0] === 1);
      this.#skip = head.readUInt32BE(1);
      this.#head = Buffer.alloc(0);
    }
  }
}

function watchFlags(server) {
  server.on('stream', (stream, headers) => {
    const id = String(flagsOf.size + 1);
    const flags = new Flags();
    flagsOf.set(id, flags);
    headers[FLAGS_ID] = id;
    const { emit } = stream;
    stream.emit = function emitAndLook(event, ...args) {
      if (event === 'data') flags.push(args[0]);
      return emit.call(this, event, ...args);
    };
  });
  return server;
}

for (const name of ['createServer', 'createSecureServer']) {
  const original = http2[name];
  http2[name] = (...args) => watchFlags(original(...args));
}

function checkFlag(call, expected) {
  const compressed = flagsOf.get(call.metadata.get(FLAGS_ID)[0]).list.shift();
  if (expected && expected.value !== compressed) {
    throw { code: INVALID_ARGUMENT, details: `expect_compressed is ${expected.value}, the message's flag is ${compressed}` };
  }
}

/** Sends what is echoed in headers; returns the trailers. */
function echo(call) {
  const initial = new grpc.Metadata();
  const trailers = new grpc.Metadata();
  for (const value of call.metadata.get(INITIAL)) initial.add(INITIAL, value);
  for (const value of call.metadata.get(TRAILING)) trailers.add(TRAILING, value);
  if (call.metadata.get(INITIAL).length > 0) call.sendMetadata(initial);
  return trailers;
}

function endAsAsked(status) {
  if (status?.code) throw { code: status.code, details: status.message };
}

const payload = (size) => ({ body: Buffer.alloc(size) });

/** A handler of unary or client streaming calls from an async function of (call, trailers). */
const answering = (body) => async (call, done) => {
  const trailers = echo(call);
  try {
    done(null, await body(call), trailers);
  } catch (error) {
    done({ code: 2, details: String(error.stack), ...error, metadata: trailers });
  }
};

const streaming = (body) => async (call) => {
  const trailers = echo(call);
  try {
    await body(call);
    call.end(trailers);
  } catch (error) {
    call.emit('error', { code: 2, details: String(error.stack), ...error, metadata: trailers });
  }
};

async function sendOutputs(call, request) {
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs > 0) await sleep(intervalUs / 1000);
    if (call.cancelled) return;
    if (!call.write({ payload: payload(size) })) await new Promise((resolve) => call.once('drain', resolve));
  }
}

const service = {
  EmptyCall: answering(async () => ({})),
  UnaryCall: answering(async (call) => {
    checkFlag(call, call.request.expectCompressed);
    endAsAsked(call.request.responseStatus);
    return { payload: payload(call.request.responseSize) };
  }),
  StreamingInputCall: answering(async (call) => {
    let size = 0;
    for await (const request of call) {
      checkFlag(call, request.expectCompressed);
      size += request.payload?.body.length ?? 0;
    }
    return { aggregatedPayloadSize: size };
  }),
  StreamingOutputCall: streaming(async (call) => {
    await sendOutputs(call, call.request);
    endAsAsked(call.request.responseStatus);
  }),
  // `for await` would destroy the call, and with it the way back, when the requests end.
  FullDuplexCall: streaming((call) => new Promise((resolve, reject) => {
    let work = Promise.resolve();
    call.on('data', (request) => {
      work = work.then(() => {
        endAsAsked(request.responseStatus);
        return sendOutputs(call, request);
      });
      work.catch(reject);
    });
    call.on('end', () => work.then(resolve, reject));
  })),
};

const set = readFileSync(path.join(build, 'testing.pb'));
const packages = grpc.loadPackageDefinition(loader.loadSync(fileURLToPath(new URL('testing.proto', import.meta.url)), { defaults: true }));
const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20, 'grpc.max_send_message_length': 64 << 20 });
const { UnimplementedCall, ...definition } = packages.grpc.testing.TestService.service;
server.addService(definition, service);
addReflection(server, set);
const credentials = cert
  ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(cert), private_key: readFileSync(key) }])
  : grpc.ServerCredentials.createInsecure();
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  console.log(JSON.stringify({ port }));
});
untilStdinEnds();
