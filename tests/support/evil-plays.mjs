// What the evil server does for each method of evil.v1.Evil: PLAYS[method](stream, request). tests/e2e/evil_cases.mjs says what a
// right client makes of it. Requests and replies are those of evil.proto.

import { gzipSync, deflateSync } from 'node:zlib';
import { END_HEADERS, END_STREAM, ERROR, frame, grpcFrame, PADDED, sleep, TYPE, uint32 } from './evil-wire.mjs';

const BEFORE_HEADERS = 0;
const AFTER_HEADERS = 1;
const MIB = 1 << 20;
const HTML = '<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n';

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

const bytesField = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);

/** A Reply; the filler is last. */
export function reply(msg, seq = 0, filler = null) {
  return Buffer.concat([
    ...(msg ? [bytesField(1, Buffer.from(msg))] : []), ...(seq ? [Buffer.from([16]), varint(seq)] : []), ...(filler ? [bytesField(3, filler)] : [])]);
}

/** google.rpc.Status with one detail, an ErrorInfo of this reason. */
function statusDetails(code, message, reason) {
  const any = Buffer.concat([
    bytesField(1, Buffer.from('type.googleapis.com/google.rpc.ErrorInfo')), bytesField(2, bytesField(1, Buffer.from(reason)))]);
  return Buffer.concat([Buffer.from([8, code]), bytesField(2, Buffer.from(message)), bytesField(3, any)]);
}

const padded = (bytes) => bytes.toString('base64');
const unpadded = (bytes) => padded(bytes).replace(/=+$/, '');
/** grpc-timeout; 0 without. */
function timeoutMs(s) {
  const [, number, unit] = /^(\d{1,8})([HMSmun])$/.exec(s.header('grpc-timeout') ?? '0m');
  return number * { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 1e-6 }[unit];
}

const never = () => new Promise(() => {});

function answer(s, messages = [grpcFrame(reply('ok'))], { headers = [], trailers = [] } = {}) {
  s.sendHeaders(headers);
  for (const message of messages) s.sendData(message);
  s.sendTrailers(0, trailers);
}

/** Trailers-only NOT_FOUND with details; `text` is their value as it is sent. */
const detailed = (text) => (s) => s.sendTrailersOnly(5, 'no such thing', [['grpc-status-details-bin', text]]);

/** An answer whose one message is these bytes of body, as they are. */
const bodyOf = (make, headers = []) => (s) => {
  s.sendHeaders(headers);
  const bytes = make();
  for (let at = 0; at === 0 || at < bytes.length; at += 16384) s.sendData(bytes.subarray(at, at + 16384));
  s.sendTrailers(0);
};

let bomb = null;
const gzipBomb = () => (bomb ??= gzipSync(Buffer.alloc(64 * MIB)));

const statuses = {
  Fine: (s) => answer(s),
  TrailersOnly: (s) => s.sendTrailersOnly(9, 'not now', [['x-reason', 'closed'], ['x-reason-bin', padded(Buffer.from([0xab, 0xab, 0xab]))]]),
  ErrorAfterHeaders: (s) => {
    s.sendHeaders([['x-first', '1']]);
    s.sendTrailers(9, [['grpc-message', 'not now'], ['x-reason', 'closed']]);
  },
  ErrorAfterMessages: (s) => {
    s.sendHeaders();
    for (const seq of [1, 2]) s.sendData(grpcFrame(reply('part', seq)));
    s.sendTrailers(15, [['grpc-message', 'lost the rest']]);
  },
  Http: (s, { status }) => {
    s.sendHeaders([], { status, type: 'text/plain' });
    s.sendData(Buffer.from(`this is status ${status}\n`), END_STREAM);
  },
  HttpEmpty: (s, { status }) => s.sendHeaders([], { status, type: null, end: true }),
  HttpWithStatus: (s, { status }) => s.sendHeaders([['grpc-status', 5], ['grpc-message', 'not here']], { status, end: true }),
  Html: (s, { status }) => {
    s.sendHeaders([], { status, type: 'text/html' });
    s.sendData(Buffer.from(HTML), END_STREAM);
  },
  HtmlForever: async (s) => {
    s.sendHeaders([], { status: 502, type: 'text/html' });
    while (await s.sendAll(Buffer.from(HTML.repeat(100))));
  },
  OtherGrpcType: (s) => {
    s.sendHeaders([], { type: 'application/grpc+proto' });
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0);
  },
  NoContentType: (s) => {
    s.sendHeaders([], { type: null });
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0);
  },
  StatusText: (s, { name }) => {
    s.sendHeaders();
    s.sendTrailers(name, [['grpc-message', 'as asked']]);
  },
  StatusTwice: (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0, [['grpc-status', 5]]);
  },
  Informational: (s) => {
    s.sendBlock([[':status', 103], ['link', '</style.css>']]);
    s.sendBlock([[':status', 102]]);
    answer(s);
  },
  OnlyInformational: (s) => s.sendBlock([[':status', 103]], END_HEADERS | END_STREAM),
  MissingTrailers: (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('ok')), END_STREAM);
  },
  OnlyHeaders: (s) => s.sendHeaders([], { end: true }),
  TrailersWithoutStatus: (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('ok')));
    s.sendBlock([['x-checksum', '1']], END_HEADERS | END_STREAM);
  },
  Message: (s, { name }) => s.sendTrailersOnly(2, Buffer.from(name).toString('latin1')),
  DetailsPadded: (s) => detailed(padded(statusDetails(5, 'no such thing', 'PADDED!')))(s),
  DetailsUnpadded: (s) => detailed(unpadded(statusDetails(5, 'no such thing', 'UNPADDED!')))(s),
  DetailsOtherCode: (s) => detailed(padded(statusDetails(7, 'forbidden', 'OTHER')))(s),
  DetailsBroken: (s) => detailed('!!! no base64 !!!')(s),
  DetailsNoStatus: (s) => detailed(padded(Buffer.from([0xff, 0xff, 0xff])))(s),
};

const ends = {
  Reset: (s, { code, when }) => {
    if (when !== BEFORE_HEADERS) s.sendHeaders();
    if (when !== BEFORE_HEADERS && when !== AFTER_HEADERS) s.sendData(grpcFrame(reply('ok')));
    s.rst(code);
  },
  ResetAfterTrailers: (s) => {
    answer(s);
    s.rst(ERROR.NO_ERROR);
  },
  ResetAtDeadline: async (s) => {
    await sleep(timeoutMs(s) + 200);
    s.rst(ERROR.CANCEL);
  },
  ResetWhileSending: async (s) => {
    await s.message();
    s.rst(ERROR.CANCEL);
  },
  CloseWhileSending: async (s) => {
    await s.message();
    s.connection.destroy();
  },
  GoAwayBefore: (s) => {
    s.connection.goaway(s.id > 1 ? s.id - 2 : 0);
    s.connection.end();
  },
  GoAwayAfterwards: (s) => {
    s.connection.goaway(s.id);
    answer(s);
    s.connection.end();
  },
  GoAwayGraceful: async (s) => {
    s.connection.goaway(0x7fffffff);
    await s.connection.ping();
    s.connection.goaway(s.id);
    await sleep(20);
    answer(s);
    s.connection.end();
  },
  GoAwayCalm: (s) => {
    s.connection.goaway(0, ERROR.ENHANCE_YOUR_CALM, 'too_many_pings');
    s.connection.end();
  },
  GoAwayCut: (s) => {
    s.connection.goaway(s.id, ERROR.INTERNAL_ERROR, 'out of memory');
    s.sendHeaders();
    s.connection.end();
  },
  GoAwayGrowing: (s) => {
    s.connection.goaway(s.id);
    s.connection.goaway(s.id + 100);
    answer(s);
  },
  CloseBefore: (s) => s.connection.end(),
  CloseAfterHeaders: (s) => {
    s.sendHeaders();
    s.connection.end();
  },
  CloseInMessage: (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('half a message')).subarray(0, 9));
    s.connection.end();
  },
  TcpReset: (s) => s.connection.reset(),
  TcpResetInAnswer: (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('half of it')).subarray(0, 7));
    s.connection.reset();
  },
  /** Whoever asks first on a connection is told to go; counts calls of a connection for all others. */
  GoAwayAndCount: async (s) => {
    const { opened } = s.connection;
    s.connection.goaway(s.id);
    answer(s, [grpcFrame(reply('ok', opened))]);
    s.connection.end();
  },
};

const framing = {
  SplitBytes: (s) => {
    s.sendHeaders();
    for (const byte of grpcFrame(reply('every byte for itself', 7))) s.sendData(Buffer.from([byte]));
    s.sendTrailers(0);
  },
  SplitBytesSlowly: async (s) => {
    s.sendHeaders();
    for (const byte of grpcFrame(reply('slow', 7))) {
      s.sendData(Buffer.from([byte]));
      await s.connection.ping();
    }
    s.sendTrailers(0);
  },
  Several: (s) => {
    s.sendHeaders();
    s.sendData(Buffer.concat([1, 2, 3, 4, 5].map((seq) => grpcFrame(reply('of five', seq)))));
    s.sendTrailers(0);
  },
  SeveralAcross: (s) => {
    const bytes = Buffer.concat([1, 2, 3, 4, 5].map((seq) => grpcFrame(reply('of five', seq))));
    s.sendHeaders();
    for (let at = 0; at < bytes.length; at += 3) s.sendData(bytes.subarray(at, at + 3));
    s.sendTrailers(0);
  },
  Zero: bodyOf(() => grpcFrame(Buffer.alloc(0))),
  EmptyFrames: (s) => {
    s.sendHeaders();
    for (let i = 0; i < 100; i += 1) s.sendData(Buffer.alloc(0));
    s.sendData(grpcFrame(reply('ok')));
    s.sendData(Buffer.alloc(0));
    s.sendTrailers(0);
  },
  Padded: (s) => {
    s.sendHeaders();
    const bytes = grpcFrame(reply('ok'));
    s.sendData(Buffer.concat([Buffer.from([200]), bytes, Buffer.alloc(200)]), PADDED);
    s.sendTrailers(0);
  },
  Announced: async (s, { count }) => { // a length without its bytes
    s.sendHeaders();
    s.sendData(grpcFrame(Buffer.from([10]), 0, count >>> 0));
    await never();
  },
  TooLong: async (s) => {
    s.sendHeaders();
    if (await s.sendAll(grpcFrame(reply('', 0, Buffer.alloc(5 * MIB))))) s.sendTrailers(0);
  },
  NearlyTooLong: async (s) => {
    s.sendHeaders();
    if (await s.sendAll(grpcFrame(reply('', 0, Buffer.alloc(4 * MIB - 16))))) s.sendTrailers(0);
  },
  EndsInside: bodyOf(() => grpcFrame(reply('not all of it')).subarray(0, 10)),
  EndsInPrefix: bodyOf(() => Buffer.concat([grpcFrame(reply('ok')), Buffer.from([0, 0])])),
  Two: bodyOf(() => Buffer.concat([grpcFrame(reply('one', 1)), grpcFrame(reply('two', 2))])),
  None: bodyOf(() => Buffer.alloc(0)),
  NoneTrailersOnly: (s) => s.sendTrailersOnly(0),
  NotProtobuf: bodyOf(() => grpcFrame(Buffer.from([0xff, 0xff, 0xff, 0xff]))),
};

const compression = {
  FlagWithoutEncoding: bodyOf(() => grpcFrame(gzipSync(reply('ok')), 1)),
  FlagOfIdentity: bodyOf(() => grpcFrame(reply('ok'), 1), [['grpc-encoding', 'identity']]),
  UnknownEncoding: bodyOf(() => grpcFrame(reply('ok'), 1), [['grpc-encoding', 'snappy']]),
  UnknownEncodingUnused: bodyOf(() => grpcFrame(reply('ok'), 0), [['grpc-encoding', 'snappy']]),
  FlagTwo: bodyOf(() => grpcFrame(reply('ok'), 2), [['grpc-encoding', 'gzip']]),
  Gzip: bodyOf(() => grpcFrame(gzipSync(reply('ok')), 1), [['grpc-encoding', 'gzip']]),
  Deflate: bodyOf(() => grpcFrame(deflateSync(reply('ok')), 1), [['grpc-encoding', 'deflate']]),
  GzipEmpty: bodyOf(() => grpcFrame(gzipSync(Buffer.alloc(0)), 1), [['grpc-encoding', 'gzip']]),
  GzipBomb: async (s) => {
    s.sendHeaders([['grpc-encoding', 'gzip']]);
    if (await s.sendAll(grpcFrame(gzipBomb(), 1))) s.sendTrailers(0);
  },
  GzipBroken: bodyOf(() => grpcFrame(Buffer.from('this is not gzip'), 1), [['grpc-encoding', 'gzip']]),
  GzipCut: bodyOf(() => grpcFrame(gzipSync(reply('ok')).subarray(0, -9), 1), [['grpc-encoding', 'gzip']]),
  GzipTail: bodyOf(() => grpcFrame(Buffer.concat([gzipSync(reply('ok')), Buffer.from('tail')]), 1), [['grpc-encoding', 'gzip']]),
  Mixed: bodyOf(() => Buffer.concat([1, 0, 1, 0].map((flag, i) => {
    const bytes = reply('mixed', i + 1);
    return grpcFrame(flag ? gzipSync(bytes) : bytes, flag);
  })), [['grpc-encoding', 'gzip']]),
};

const flow = {
  Big: async (s, { count }) => {
    s.sendHeaders();
    for (let seq = 1; seq <= count; seq += 1) {
      if (!(await s.sendAll(grpcFrame(reply('', seq, Buffer.alloc(MIB)))))) return;
    }
    s.sendTrailers(0);
  },
  Overrun: (s) => {
    s.sendHeaders();
    const bytes = grpcFrame(reply('', 0, Buffer.alloc(3 * MIB)));
    for (let round = 0; round < 8; round += 1) { // of 24 MiB, whatever the window
      for (let at = 0; at < bytes.length; at += 16384) s.sendData(bytes.subarray(at, at + 16384));
    }
    s.sendTrailers(0);
  },
  /** Reads nothing before all of its own is sent: who first sends everything and then reads never ends. */
  BothBlock: async (s) => {
    s.grants = false;
    s.sendHeaders();
    for (let seq = 1; seq <= 8; seq += 1) {
      if (!(await s.sendAll(grpcFrame(reply('', seq, Buffer.alloc(MIB)))))) return;
    }
    s.connection.grant(s.id, 64 * MIB);
    await s.requestEnd();
    s.sendData(grpcFrame(reply('all', s.received)));
    s.sendTrailers(0);
  },
  NeverReads: async (s) => {
    s.grants = false;
    s.sendHeaders();
    await never();
  },
  WindowShrinks: async (s) => {
    s.grants = false;
    s.sendHeaders();
    s.connection.settings({ initialWindow: 1 });
    await s.connection.ping();
    s.connection.settings({ initialWindow: 100 });
    await s.connection.ping();
    s.connection.settings({ initialWindow: 65535 + 1000 });
    s.connection.grant(s.id, 64 * MIB);
    await s.requestEnd();
    s.sendData(grpcFrame(reply('all', s.received)));
    s.sendTrailers(0);
  },
  WindowDrips: async (s) => {
    s.grants = false;
    s.sendHeaders();
    for (let i = 0; i < 2000 && !s.ended && s.resetBy === null; i += 1) {
      s.connection.grant(s.id, 997);
      await s.connection.ping();
    }
    await s.requestEnd();
    s.sendData(grpcFrame(reply('all', s.received)));
    s.sendTrailers(0);
  },
  WindowOverflow: (s) => {
    s.connection.grant(s.id, 0x7fffffff);
    s.connection.grant(s.id, 0x7fffffff);
  },
  WindowZero: (s) => s.connection.grant(s.id, 0),
  /** For a connection of MAX_CONCURRENT_STREAMS = 1: notices when a client opens two at once. */
  OneAtOnce: async (s) => {
    const open = [...s.connection.streams.values()].filter((each) => !each.done && each.resetBy === null);
    await sleep(20);
    s.done = true;
    if (open.length > 1) s.sendTrailersOnly(13, `${open.length} streams at once, MAX_CONCURRENT_STREAMS is 1`);
    else answer(s);
  },
};

const times = {
  NeverAnswers: () => never(),
  NeverAfterHeaders: async (s) => {
    s.sendHeaders();
    await never();
  },
  NeverAfterMessages: async (s) => {
    s.sendHeaders();
    for (const seq of [1, 2]) s.sendData(grpcFrame(reply('part', seq)));
    await never();
  },
  NeverTrailers: async (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('ok')));
    await never();
  },
  Drips: async (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(Buffer.alloc(0), 0, 1000));
    for (let i = 0; i < 500 && s.resetBy === null; i += 1) {
      s.sendData(Buffer.from([0]));
      await sleep(20);
    }
  },
  PingsForever: async (s) => {
    for (let i = 0; i < 500 && s.resetBy === null; i += 1) {
      await s.connection.ping();
      await sleep(10);
    }
  },
  /** The whole answer as the deadline passes. */
  AtDeadline: async (s) => {
    await sleep(timeoutMs(s));
    answer(s);
  },
  OwnDeadline: (s) => s.sendTrailersOnly(4, 'the backend took too long'),
  Timeout: (s) => answer(s, [grpcFrame(reply(s.header('grpc-timeout') ?? 'none'))]),
  /** WhatReset says what became of the call Watched before it, on the same connection or another. */
  Watched: async (s) => {
    s.sendHeaders();
    s.sendData(grpcFrame(reply('part', 1)));
    s.on('body', () => { lastReset = s.resetBy; });
    await never();
  },
  WhatReset: async (s) => {
    for (let i = 0; i < 100 && lastReset === null; i += 1) await sleep(10);
    answer(s, [grpcFrame(reply(lastReset === null ? 'nothing' : `RST ${lastReset}`))]);
    lastReset = null;
  },
};
let lastReset = null;

const metadata = {
  Duplicates: (s) => answer(s, undefined, {
    headers: [['x-dup', 'a'], ['x-other', 'o'], ['x-dup', 'b']], trailers: [['x-dup', 'c'], ['x-dup', 'd']] }),
  CommaBin: (s) => answer(s, undefined, { headers: [['x-data-bin', 'AQ,Ag==,AwQF']], trailers: [['x-end-bin', 'q6ur']] }),
  BrokenBin: (s) => answer(s, undefined, { headers: [['x-data-bin', '*not base64*']] }),
  UpperCaseName: (s) => answer(s, undefined, { headers: [['X-Upper', '1']] }),
  NonAscii: (s) => answer(s, undefined, { headers: [['x-text', 'caf\xc3\xa9 \xff']] }),
  ControlInValue: (s) => answer(s, undefined, { headers: [['x-text', 'a\r\nb: c']] }),
  ReservedName: (s) => answer(s, undefined, { headers: [['grpc-something-new', '1']] }),
  ConnectionHeader: (s) => answer(s, undefined, { headers: [['connection', 'keep-alive']] }),
  LongHeaders: (s) => {
    s.sendLongBlock([[':status', 200], ['content-type', 'application/grpc'], ['x-long', 'l'.repeat(12_000)], ['x-last', '1']], { size: 4000 });
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0, [['x-long', 'l'.repeat(9_000)]]);
  },
  HugeHeaders: (s) => {
    s.sendLongBlock([[':status', 200], ['content-type', 'application/grpc'], ...Array.from({ length: 40 }, (_, i) => [`x-${i}`, 'h'.repeat(4000)])]);
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0);
  },
  EndlessHeaders: async (s) => {
    s.sendBlock([[':status', 200]], 0);
    for (let i = 0; i < 4000; i += 1) {
      s.connection.write(TYPE.continuation, 0, s.id, Buffer.concat([Buffer.from([0, 1]), Buffer.from('x'), Buffer.from([100]), Buffer.alloc(100, 120)]));
      if (i % 100 === 0) await sleep(1);
    }
  },
  EmptyContinuations: async (s) => {
    s.sendBlock([[':status', 200]], 0);
    for (let i = 0; i < 20_000; i += 1) s.connection.write(TYPE.continuation, 0, s.id);
  },
  EchoAuthority: (s) => answer(s, [grpcFrame(reply(s.header(':authority') ?? ''))]),
  EchoMetadata: (s, { name }) => answer(s, [grpcFrame(reply(
    s.headers.filter(([each]) => each === name).map(([, value]) => value).join('|')))]),
};

const early = {
  EarlyOk: (s) => {
    s.grants = false;
    answer(s);
    s.rst(ERROR.NO_ERROR);
  },
  EarlyError: (s) => {
    s.grants = false;
    s.sendTrailersOnly(3, 'enough of it');
    s.rst(ERROR.NO_ERROR);
  },
  EarlyWithoutReset: (s) => {
    s.grants = false;
    s.sendTrailersOnly(3, 'enough of it');
  },
  CountRequests: async (s) => {
    let count = 0;
    while ((await s.message()) !== null) count += 1;
    answer(s, [grpcFrame(reply('counted', count))]);
  },
  ServerEndsFirst: async (s) => {
    await s.message();
    answer(s, [grpcFrame(reply('goodbye', 1))]);
  },
};

/** A header block as it is, without any literals of ours. */
const rawBlock = (bytes) => (s) => s.connection.write(TYPE.headers, END_HEADERS, s.id, bytes);

const violations = {
  FrameTooBig: (s) => {
    s.sendHeaders();
    s.connection.write(TYPE.data, 0, s.id, Buffer.alloc(Math.min((s.connection.clientSettings.maxFrame ?? 16384) + 1, 0xffffff)));
  },
  UnknownFrames: (s) => {
    for (const type of [0x20, 0xbb, 0xff]) s.connection.write(type, 0xff, s.id, Buffer.from('what is this'));
    answer(s);
  },
  UnknownSetting: (s) => {
    s.connection.write(TYPE.settings, 0, 0, Buffer.from([0xab, 0xcd, 0, 0, 0, 1]));
    answer(s);
  },
  BadSetting: (s) => s.connection.settings({ initialWindow: 0xffffffff }),
  OddSettings: (s) => s.connection.write(TYPE.settings, 0, 0, Buffer.alloc(5)),
  Push: (s) => s.connection.write(TYPE.push, END_HEADERS, s.id, uint32(2)),
  DataFirst: (s) => s.sendData(grpcFrame(reply('ok')), END_STREAM),
  HeadersTwice: (s) => {
    s.sendHeaders();
    s.sendHeaders();
    s.sendData(grpcFrame(reply('ok')));
    s.sendTrailers(0);
  },
  AfterTheEnd: async (s) => {
    answer(s);
    s.sendData(grpcFrame(reply('more')));
    s.sendTrailers(5);
  },
  NoStatusLine: (s) => s.sendBlock([['content-type', 'application/grpc']]),
  OddStatusLine: (s) => s.sendBlock([[':status', 'ok'], ['content-type', 'application/grpc']]),
  WrongContentLength: (s) => answer(s, undefined, { headers: [['content-length', '3']] }),
  BrokenHpack: rawBlock(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f])),
  BlockInterrupted: (s) => {
    s.sendBlock([[':status', 200]], 0);
    s.sendData(grpcFrame(reply('ok')));
  },
  OtherStream: (s) => {
    s.connection.writeRaw(frame(TYPE.data, 0, s.id + 2, Buffer.from('nobody asked')));
  },
  PingFlood: (s) => {
    for (let i = 0; i < 2000; i += 1) s.connection.write(TYPE.ping, 0, 0, Buffer.alloc(8));
    answer(s);
  },
  SettingsFlood: (s) => {
    for (let i = 0; i < 2000; i += 1) s.connection.settings({});
    answer(s);
  },
  Garbage: (s) => s.connection.writeRaw(Buffer.alloc(1000, 0xa5)),
};

export const PLAYS = {
  ...statuses, ...ends, ...framing, ...compression, ...flow, ...times, ...metadata, ...early, ...violations };
