// The evil server for tests, and a row of evil_cases.mjs as a suite for `pourover test`.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../support/child-server.mjs';

export const PROTO = fileURLToPath(new URL('../support/evil.proto', import.meta.url));
const SERVER = fileURLToPath(new URL('../support/evil-server.mjs', import.meta.url));

/** {ports, unix, ca, client: {cert, key}, close()} */
export async function startEvil() {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-evil-'));
  const server = await startServer(process.execPath, [SERVER, dir]);
  return {
    ...server,
    close: async () => {
      const code = await server.close();
      rmSync(dir, { recursive: true, force: true });
      return code;
    },
  };
}

/** Why a row cannot be run here; false when it can. */
export const lacks = (evil, { port = 'plain' }) => port === 'ipv6' && evil.ports.ipv6 === null && 'this machine has no [::1]';

/** Where a row goes, as --target says it. */
export function targetOf(evil, { port = 'plain', tls }) {
  if (port === 'unix') return `unix:${evil.unix}`;
  return `${tls ? 'grpcs' : 'grpc'}://${port === 'ipv6' ? '[::1]' : '127.0.0.1'}:${evil.ports[port]}`;
}

export const trustOf = (evil, { tls }) => ({ ...(tls && tls.ca !== false && { ca: evil.ca }), ...(tls?.client && { cert: evil.client }) });

const plain = (value) => {
  if (value instanceof RegExp) return { $present: true };
  if (value instanceof Buffer) return { $hex: value.toString('hex') };
  if (Array.isArray(value)) return value.map(plain);
  return value;
};

const members = (object) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, plain(value)]));

const base64 = (request) => ({ ...request, ...(request.filler && { filler: request.filler.toString('base64') }) });

/** One test of one case, expecting `code` of those that the row allows. What the message says is for the report to show. */
export function suiteOf(row, code) {
  const isOk = code === 'OK';
  const detail = { requests: (row.requests ?? [{}]).map(base64) };
  if (row.replies && (isOk || STREAMS.includes(row.method))) detail.responses = row.replies.map(members);
  else if (isOk) detail.responses = row.replies === null ? [{ $rest: 'any' }] : [{ msg: 'ok' }];
  if (!isOk) detail.error = { code };
  else if (row.replies === null) detail.wire = { httpStatus: 200 }; // any messages will do, but a case has to test something
  if (row.metadata) {
    detail.metadata = Object.fromEntries(Object.entries(row.metadata).map(([name, value]) => [name, value instanceof Buffer ? value.toString('base64') : value]));
  }
  if (row.wire) detail.wire = row.wire;
  for (const where of ['headers', 'trailers']) if (row[where]) detail[where] = members(row[where]);
  return [{
    testName: 'Evil', proto: PROTO, serviceName: 'evil.v1.Evil',
    cases: [{ name: row.name, methodName: row.method, deadline: `${row.deadlineMs ?? 5000}ms`, detail }] }];
}

/** Methods that stream their replies: only there messages before an error are told. */
export const STREAMS = [
  'ErrorAfterMessages', 'Several', 'SeveralAcross', 'Mixed', 'Big', 'Overrun', 'NeverAfterMessages', 'Watched', 'Drips', 'BothBlock', 'ServerEndsFirst'];

/** All strings in what the program printed, whether JSON or not. */
export function stringsOf(text) {
  let root;
  try {
    root = JSON.parse(text);
  } catch {
    return [text];
  }
  const found = [];
  const rest = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value === 'string') found.push(value);
    else if (value && typeof value === 'object') rest.push(...Object.values(value));
  }
  return found;
}
