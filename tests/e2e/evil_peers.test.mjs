// The evil server, before our client meets it: another client (grpc-js) gets what is unusual but right from it, and ends the calls that
// it shall end. What grpc-js itself gets wrong is left out: it takes bodies that end in a message, flags without an encoding and more.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { requirePackage } from '../support/child-server.mjs';
import { CASES } from './evil_cases.mjs';
import { judge } from './evil_judge.mjs';
import { lacks, PROTO, startEvil, targetOf } from './evil_run.mjs';

const grpc = requirePackage('@grpc/grpc-js');
const loader = requirePackage('@grpc/proto-loader');
const OTHER = ['what a client sends: user-agent', 'names that come twice', 'an authority of our own over TLS'];
const METHODS = ['Reset', 'GoAwayBefore', 'NeverAfterMessages', 'Drips', 'NeverReads', 'CloseInMessage', 'TooLong', 'EarlyError', 'Message', 'HttpEmpty'];

let evil;
let Evil;

before(async () => {
  evil = await startEvil();
  Evil = grpc.loadPackageDefinition(loader.loadSync(PROTO, { defaults: true })).evil.v1.Evil;
});

after(async () => {
  assert.equal(await evil?.close(), 0);
  assert.equal(evil.log(), '');
});

const flat = (metadata) => Object.keys(metadata.toJSON()).flatMap((name) => metadata.get(name).map((value) => [name, value]));

/** Makes the call of a row; the outcome, as evil_judge.mjs wants it. */
function call(client, row) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(row.metadata ?? {})) metadata.set(name, value);
  const { requestStream, responseStream } = Evil.service[row.method];
  const options = { deadline: Date.now() + (row.deadlineMs ?? 5000) };
  const requests = row.requests ?? [{}];
  const outcome = { code: null, message: '', replies: [], headers: [], trailers: [] };
  return new Promise((resolve) => {
    const done = (_, reply) => reply && outcome.replies.push(reply);
    const args = [...(requestStream ? [] : [requests[0]]), metadata, options, ...(responseStream ? [] : [done])];
    const running = client[row.method](...args);
    running.on('data', (message) => outcome.replies.push(message));
    running.on('metadata', (headers) => { outcome.headers = flat(headers); });
    running.on('error', () => {});
    running.on('status', (status) => {
      Object.assign(outcome, { code: grpc.status[status.code], message: status.details, trailers: flat(status.metadata) });
      setImmediate(() => resolve(outcome));
    });
    if (!requestStream) return;
    requests.forEach((request) => running.write(request));
    running.end();
  });
}

function connect(row) {
  const [ca, key, cert] = row.tls ? [evil.ca, ...(row.tls.client ? [evil.client.key, evil.client.cert] : [])].map((file) => readFileSync(file)) : [];
  return new Evil(targetOf(evil, row).replace(/^grpcs?:\/\//, ''), ca ? grpc.credentials.createSsl(ca, key, cert) : grpc.credentials.createInsecure(), {
    'grpc.enable_retries': 0, 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': 4 << 20,
    ...(row.authority && { 'grpc.default_authority': row.authority }) });
}

for (const row of CASES.filter(({ name, code, connect: none }) => !none && code === 'OK' && !OTHER.includes(name))) {
  test(`grpc-js agrees: ${row.name}`, async (t) => {
    if (lacks(evil, row)) return t.skip(lacks(evil, row));
    const client = connect(row);
    const outcome = await call(client, row);
    client.close();
    return assert.deepEqual(judge(row, outcome), [], JSON.stringify(outcome).slice(0, 1000));
  });
}

for (const row of CASES.filter(({ method }) => METHODS.includes(method))) {
  test(`grpc-js agrees on the code: ${row.name}`, async () => {
    const client = connect(row);
    const { code } = await call(client, row);
    client.close();
    assert.ok([row.code].flat().includes(code), code);
  });
}
