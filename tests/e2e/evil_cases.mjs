// The evil server's table: for each case what it plays and what a right client reports. A row:
//
//   name       unique; what the server plays, in words
//   method     of evil.v1.Evil (evil.proto)
//   code       the status, or a list where implementations may differ
//   says       what the status' message must match
//   requests   default [{}]
//   replies    members of each reply, in order; where OK is expected without replies, it is [{msg: 'ok'}]
//   metadata   of the request; a Buffer for a value of a name in -bin
//   port       of the evil server, default plain; over TLS with `tls`: {ca: false: without our CA, client: true: with a certificate of ours}
//   wire       {trailersOnly, httpStatus, compressed: [flag of each message]}
//   headers, trailers   names and values that are there, a list of values for a name that comes more than once
//   details    what the text of details (or of their bytes) must match
//   deadlineMs default 5000; where a client is to wait in vain it is short
//   connect    true: there never was a connection, or no TLS on it

const OK = 'OK';
const CANCELLED = 'CANCELLED';
const UNKNOWN = 'UNKNOWN';
const INVALID = 'INVALID_ARGUMENT';
const DEADLINE = 'DEADLINE_EXCEEDED';
const NOT_FOUND = 'NOT_FOUND';
const DENIED = 'PERMISSION_DENIED';
const EXHAUSTED = 'RESOURCE_EXHAUSTED';
const PRECONDITION = 'FAILED_PRECONDITION';
const UNIMPLEMENTED = 'UNIMPLEMENTED';
const INTERNAL = 'INTERNAL';
const UNAVAILABLE = 'UNAVAILABLE';
const DATA_LOSS = 'DATA_LOSS';

const SHORT = 400;
const of = (name, method, code, says, more = {}) => ({ name, method, code, says, ...more });
const fine = (name, method, more = {}) => ({ name, method, code: OK, replies: [{ msg: 'ok' }], ...more });
const numbered = (msg, count) => Array.from({ length: count }, (_, i) => ({ msg, seq: i + 1 }));
const BULK = Array.from({ length: 12 }, () => ({ filler: Buffer.alloc(48 << 10) }));
const BULK_BYTES = 12 * (5 + 4 + (48 << 10)); // with the frames and the field's tag and length

const statuses = [
  fine('a right answer', 'Fine', { wire: { trailersOnly: false, httpStatus: 200, compressed: [false] } }),
  of('trailers-only, with metadata of the error', 'TrailersOnly', PRECONDITION, /^not now$/, {
    wire: { trailersOnly: true, httpStatus: 200 }, trailers: { 'x-reason': 'closed', 'x-reason-bin': Buffer.from('ababab', 'hex') } }),
  of('headers, then an error in trailers', 'ErrorAfterHeaders', PRECONDITION, /^not now$/, {
    wire: { trailersOnly: false }, headers: { 'x-first': '1' }, trailers: { 'x-reason': 'closed' } }),
  of('two messages, then an error', 'ErrorAfterMessages', DATA_LOSS, /^lost the rest$/, { replies: numbered('part', 2) }),
  of('HTTP 500 that has a grpc-status', 'HttpWithStatus', NOT_FOUND, /not here/, { requests: [{ status: 500 }] }),
  of('a page of HTML with status 200', 'Html', UNKNOWN, /text\/html[\s\S]*(doctype|502 Bad)/i, { requests: [{ status: 200 }], wire: { httpStatus: 200 } }),
  of('a page of HTML with status 502', 'Html', UNAVAILABLE, /502/, { requests: [{ status: 502 }], wire: { httpStatus: 502 } }),
  of('a page of HTML that never ends', 'HtmlForever', UNAVAILABLE, /502/),
  fine('content-type application/grpc+proto', 'OtherGrpcType'),
  of('no content-type', 'NoContentType', [OK, UNKNOWN, INTERNAL], /content-type|^$/),
  fine('1xx before the answer', 'Informational'),
  of('only a 1xx', 'OnlyInformational', [INTERNAL, UNKNOWN, UNAVAILABLE], /./),
  of('no trailers after data', 'MissingTrailers', INTERNAL, /trailers|grpc-status/, { replies: [{ msg: 'ok' }] }),
  of('only headers, without a status', 'OnlyHeaders', [INTERNAL, UNKNOWN], /trailers|grpc-status/),
  of('trailers without grpc-status', 'TrailersWithoutStatus', [INTERNAL, UNKNOWN], /grpc-status/, { replies: [{ msg: 'ok' }] }),
  of('two different grpc-status', 'StatusTwice', [OK, NOT_FOUND, UNKNOWN, INTERNAL], /^/),
  of('a message of percent-encoded UTF-8', 'Message', UNKNOWN, /^caf\u00e9 \u{1f608} 100%\n$/u, {
    requests: [{ name: 'caf%C3%A9 %F0%9F%98%88 100%25%0A' }] }),
  of('a message of lower-case escapes', 'Message', UNKNOWN, /^caf\u00e9$/, { requests: [{ name: 'caf%c3%a9' }] }),
  of('a message with broken escapes, which are kept', 'Message', UNKNOWN, /^50% of %zz and %4$/, { requests: [{ name: '50% of %zz and %4' }] }),
  of('a message with blanks at both ends', 'Message', UNKNOWN, /^ not found: $/, { requests: [{ name: ' not found: ' }] }),
  of('a message that is no UTF-8', 'Message', UNKNOWN, /^a.+b$/, { requests: [{ name: 'a%FF%FEb' }] }),
  of('a message with a NUL', 'Message', UNKNOWN, /^a/, { requests: [{ name: 'a%00b' }] }),
  of('details, padded', 'DetailsPadded', NOT_FOUND, /no such thing/, { details: /PADDED!/ }),
  of('details, unpadded', 'DetailsUnpadded', NOT_FOUND, /no such thing/, { details: /UNPADDED!/ }),
  of('details of another code', 'DetailsOtherCode', NOT_FOUND, /no such thing/, { details: /OTHER/ }),
  of('details that are no base64', 'DetailsBroken', NOT_FOUND, /no such thing/),
  of('details that are no Status', 'DetailsNoStatus', NOT_FOUND, /no such thing/),
];

for (const text of ['abc', '17', '-1', '0x5', '99999999999999999999', '5.0']) {
  statuses.push(of(`grpc-status "${text}"`, 'StatusText', UNKNOWN, /grpc-status|as asked/, { requests: [{ name: text }] }));
}
statuses.push(of('grpc-status ""', 'StatusText', [UNKNOWN, INTERNAL], /grpc-status|as asked/, { requests: [{ name: '' }] }));

// 200 without a content-type may be taken for an answer of gRPC that lacks its status.
const HTTP = {
  200: [UNKNOWN, INTERNAL], 204: UNKNOWN, 302: UNKNOWN, 400: INTERNAL, 401: 'UNAUTHENTICATED', 403: DENIED, 404: UNIMPLEMENTED, 408: UNKNOWN, 418: UNKNOWN,
  429: UNAVAILABLE, 500: UNKNOWN, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: UNAVAILABLE };
for (const [status, code] of Object.entries(HTTP)) {
  const more = { requests: [{ status: Number(status) }], wire: { httpStatus: Number(status) } };
  const says = new RegExp(status === '200' ? '200|content-type|grpc-status' : status);
  if (status !== '204') statuses.push(of(`HTTP ${status} with a text`, 'Http', code, says, more));
  statuses.push(of(`HTTP ${status} without a body`, 'HttpEmpty', code, says, more));
}

const RST = {
  NO_ERROR: [0, INTERNAL], PROTOCOL_ERROR: [1, INTERNAL], INTERNAL_ERROR: [2, INTERNAL], FLOW_CONTROL_ERROR: [3, INTERNAL],
  SETTINGS_TIMEOUT: [4, INTERNAL], STREAM_CLOSED: [5, [INTERNAL, UNKNOWN, UNAVAILABLE]], FRAME_SIZE_ERROR: [6, INTERNAL],
  REFUSED_STREAM: [7, UNAVAILABLE], CANCEL: [8, CANCELLED], COMPRESSION_ERROR: [9, INTERNAL], CONNECT_ERROR: [10, INTERNAL],
  ENHANCE_YOUR_CALM: [11, EXHAUSTED], INADEQUATE_SECURITY: [12, DENIED], HTTP_1_1_REQUIRED: [13, [INTERNAL, UNKNOWN]],
  '(153|0x99)': [153, [INTERNAL, UNKNOWN]] };
const WHEN = ['BEFORE_HEADERS', 'AFTER_HEADERS', 'AFTER_DATA'];

const ends = Object.entries(RST).flatMap(([name, [number, code]]) => WHEN.map((when) => of(
  `RST_STREAM ${name} ${when.toLowerCase().replace('_', ' ')}`, 'Reset', code, new RegExp(name), {
    requests: [{ code: number, when }], rst: number, ...(when === 'AFTER_DATA' && { replies: [{ msg: 'ok' }] }) })));
ends.push(
  fine('RST_STREAM NO_ERROR after trailers', 'ResetAfterTrailers'),
  of('RST_STREAM CANCEL when the deadline has passed', 'ResetAtDeadline', DEADLINE, /deadline/i, { deadlineMs: SHORT }),
  of('RST_STREAM CANCEL while requests are sent', 'ResetWhileSending', CANCELLED, /CANCEL/, { requests: BULK }),
  of('closed while requests are sent', 'CloseWhileSending', UNAVAILABLE, /clos|EOF|end|reset/i, { requests: BULK }),
  of('GOAWAY below this stream', 'GoAwayBefore', UNAVAILABLE, /GOAWAY|go away/i),
  fine('GOAWAY that lets this stream finish', 'GoAwayAfterwards'),
  fine('GOAWAY in two steps', 'GoAwayGraceful'),
  of('GOAWAY too_many_pings', 'GoAwayCalm', [UNAVAILABLE, EXHAUSTED], /too_many_pings|ENHANCE_YOUR_CALM/),
  of('GOAWAY, and the connection is cut', 'GoAwayCut', UNAVAILABLE, /GOAWAY|INTERNAL_ERROR|out of memory/),
  of('GOAWAY whose last stream grows', 'GoAwayGrowing', [OK, INTERNAL, UNAVAILABLE], /^/),
  of('closed before headers', 'CloseBefore', UNAVAILABLE, /clos|EOF|end/i),
  of('closed after headers', 'CloseAfterHeaders', UNAVAILABLE, /clos|EOF|end/i),
  of('closed in a message', 'CloseInMessage', UNAVAILABLE, /clos|EOF|end/i),
  of('reset by TCP', 'TcpReset', UNAVAILABLE, /reset|clos/i),
  of('reset by TCP in an answer', 'TcpResetInAnswer', UNAVAILABLE, /reset|clos/i),
);

const framing = [
  fine('a message, a byte a frame', 'SplitBytes', { replies: [{ msg: 'every byte for itself', seq: 7 }] }),
  fine('a message, a byte a frame, slowly', 'SplitBytesSlowly', { replies: [{ msg: 'slow', seq: 7 }] }),
  fine('five messages in a frame', 'Several', { replies: numbered('of five', 5) }),
  fine('five messages across frames of 3 bytes', 'SeveralAcross', { replies: numbered('of five', 5) }),
  fine('a message of 0 bytes', 'Zero', { replies: [{}] }),
  fine('frames of 0 bytes', 'EmptyFrames'),
  fine('a padded frame', 'Padded'),
  of('a length of 16 MiB', 'Announced', EXHAUSTED, /16777216/, { requests: [{ count: 1 << 24 }] }),
  of('a length of 4 GiB - 1', 'Announced', EXHAUSTED, /4294967295/, { requests: [{ count: -1 }] }),
  of('a message of 5 MiB', 'TooLong', EXHAUSTED, /4194304|limit|large|4 MiB/),
  fine('a message of nearly 4 MiB', 'NearlyTooLong', { replies: [{}] }),
  of('the body ends in a message', 'EndsInside', INTERNAL, /message|byte/),
  of('the body ends in the length of a message', 'EndsInPrefix', INTERNAL, /message|byte|prefix/),
  of('two messages for a unary call', 'Two', [INTERNAL, UNIMPLEMENTED], /message/),
  of('no message for a unary call', 'None', [INTERNAL, UNIMPLEMENTED], /message/),
  of('no message, trailers-only OK', 'NoneTrailersOnly', [INTERNAL, UNIMPLEMENTED], /message/, { wire: { trailersOnly: true } }),
];

const compression = [
  of('flag 1 without grpc-encoding', 'FlagWithoutEncoding', INTERNAL, /grpc-encoding|compress/),
  of('flag 1 with grpc-encoding identity', 'FlagOfIdentity', INTERNAL, /identity|compress/),
  of('an encoding that nobody knows', 'UnknownEncoding', [UNIMPLEMENTED, INTERNAL], /snappy/),
  fine('an encoding that nobody knows, unused', 'UnknownEncodingUnused'),
  of('flag 2', 'FlagTwo', INTERNAL, /flag|compress/),
  fine('gzip', 'Gzip', { wire: { compressed: [true] } }),
  fine('deflate', 'Deflate', { wire: { compressed: [true] } }),
  fine('gzip of nothing', 'GzipEmpty', { replies: [{}] }),
  of('a gzip bomb of 64 MiB', 'GzipBomb', EXHAUSTED, /4194304|limit|large|4 MiB/),
  of('gzip that is none', 'GzipBroken', INTERNAL, /gzip|decompress|inflate|zlib/i),
  of('gzip, cut', 'GzipCut', INTERNAL, /gzip|decompress|inflate|zlib|cut|end/i),
  of('gzip with a tail', 'GzipTail', [INTERNAL, OK], /^/),
  fine('compressed and not by turns', 'Mixed', { replies: numbered('mixed', 4), wire: { compressed: [true, false, true, false] } }),
];

const flow = [
  fine('24 messages of 1 MiB', 'Big', { requests: [{ count: 24 }], replies: numbered('', 24), deadlineMs: 20_000 }),
  // Whoever reads as fast as it comes does not notice.
  of('more than the window', 'Overrun', [OK, INTERNAL, UNAVAILABLE, EXHAUSTED], /FLOW_CONTROL|flow/i, { replies: null, deadlineMs: 20_000 }),
  fine('both sides send more than the windows', 'BothBlock', {
    requests: BULK, replies: [...numbered('', 8), { msg: 'all', seq: BULK_BYTES }], deadlineMs: 20_000 }),
  of('a server that never reads', 'NeverReads', DEADLINE, /deadline/i, { requests: BULK, deadlineMs: SHORT }),
  fine('a window that shrinks below nothing', 'WindowShrinks', { requests: BULK, replies: [{ msg: 'all', seq: BULK_BYTES }], deadlineMs: 20_000 }),
  fine('a window of drips', 'WindowDrips', { requests: BULK, replies: [{ msg: 'all', seq: BULK_BYTES }], deadlineMs: 20_000 }),
  of('a window above 2^31 - 1', 'WindowOverflow', [INTERNAL, UNAVAILABLE, EXHAUSTED], /FLOW_CONTROL|flow/i),
  of('a window update of 0', 'WindowZero', [INTERNAL, UNAVAILABLE], /PROTOCOL|window/i),
  fine('one stream at a time', 'OneAtOnce', { port: 'one', atOnce: 8 }),
];

const late = { code: DEADLINE, says: /deadline/i, deadlineMs: SHORT };
const times = [
  { name: 'no answer', method: 'NeverAnswers', ...late },
  { name: 'no answer, deadline of 1 ms', method: 'NeverAnswers', ...late, deadlineMs: 1 },
  { name: 'nothing after headers', method: 'NeverAfterHeaders', ...late },
  { name: 'nothing after two messages', method: 'NeverAfterMessages', ...late, replies: numbered('part', 2) },
  { name: 'no trailers', method: 'NeverTrailers', ...late },
  { name: 'a byte at a time', method: 'Drips', ...late },
  { name: 'pings, but no answer', method: 'PingsForever', ...late },
  { name: 'a server without TLS that says nothing', method: 'Fine', port: 'mute', ...late, code: [DEADLINE, UNAVAILABLE], says: /deadline|time/i },
  { name: 'a server that says nothing in the handshake', method: 'Fine', port: 'mute', tls: {}, ...late, code: [DEADLINE, UNAVAILABLE], says: /deadline|time|TLS/i },
  { name: 'a server that says nothing after SETTINGS', method: 'Fine', port: 'afterPreface', ...late },
  { name: 'a server whose queue of connections is full', method: 'Fine', port: 'full', ...late, code: [DEADLINE, UNAVAILABLE], says: /deadline|time/i },
  of('an answer as the deadline passes', 'AtDeadline', [DEADLINE, OK], /deadline/i, { deadlineMs: 100 }),
  of('a deadline of the server itself', 'OwnDeadline', DEADLINE, /^the backend took too long$/, { wire: { trailersOnly: true } }),
  fine('grpc-timeout of 5 s', 'Timeout', { replies: [{ msg: /^[0-9]{1,8}[HMSmun]$/ }] }),
  fine('grpc-timeout of a day', 'Timeout', { deadlineMs: 86_400_000, replies: [{ msg: /^[0-9]{1,8}[HMSmun]$/ }] }),
];

const metadata = [
  fine('names that come twice', 'Duplicates', { headers: { 'x-dup': ['a', 'b'], 'x-other': 'o' }, trailers: { 'x-dup': ['c', 'd'] } }),
  fine('binary values joined by commas', 'CommaBin', { trailers: { 'x-end-bin': Buffer.from('ababab', 'hex') } }),
  of('a binary value that is no base64', 'BrokenBin', [OK, INTERNAL], /base64|^$/),
  of('a name in upper case', 'UpperCaseName', [INTERNAL, OK], /PROTOCOL|header|^$/i),
  fine('a value that is not ASCII', 'NonAscii'),
  of('a line feed in a value', 'ControlInValue', [INTERNAL, OK], /PROTOCOL|header|^$/i),
  fine('a reserved name', 'ReservedName'),
  of('a connection header', 'ConnectionHeader', [INTERNAL, OK], /PROTOCOL|header|^$/i),
  fine('headers of 12 kB in CONTINUATION frames', 'LongHeaders', { headers: { 'x-last': '1' } }),
  fine('what a client sends: te', 'EchoMetadata', { requests: [{ name: 'te' }], replies: [{ msg: 'trailers' }] }),
  fine('what a client sends: content-type', 'EchoMetadata', { requests: [{ name: 'content-type' }], replies: [{ msg: /^application\/grpc(\+proto)?$/ }] }),
  fine('what a client sends: grpc-accept-encoding', 'EchoMetadata', { requests: [{ name: 'grpc-accept-encoding' }], replies: [{ msg: /gzip/ }] }),
  fine('what a client sends: user-agent', 'EchoMetadata', { requests: [{ name: 'user-agent' }], replies: [{ msg: /pourover/ }] }),
  fine('metadata of our own', 'EchoMetadata', { requests: [{ name: 'x-mine' }], metadata: { 'x-mine': 'my own' }, replies: [{ msg: 'my own' }] }),
  fine('binary metadata of our own', 'EchoMetadata', {
    requests: [{ name: 'x-mine-bin' }], metadata: { 'x-mine-bin': Buffer.from('abab', 'hex') }, replies: [{ msg: /^q6s=?$/ }] }),
  of('headers of 160 kB', 'HugeHeaders', [EXHAUSTED, INTERNAL, UNAVAILABLE], /header/i),
  of('headers without end', 'EndlessHeaders', [EXHAUSTED, INTERNAL, UNAVAILABLE], /./),
  of('empty CONTINUATION frames', 'EmptyContinuations', [DEADLINE, EXHAUSTED, INTERNAL, UNAVAILABLE], /./, { deadlineMs: 2000 }),
];

const early = [
  fine('OK before the requests are there', 'EarlyOk', { requests: BULK }),
  of('an error before the requests are there', 'EarlyError', INVALID, /enough of it/, { requests: BULK }),
  of('an error before the requests are there, no RST_STREAM', 'EarlyWithoutReset', INVALID, /enough of it/, { requests: BULK }),
  fine('no request at all', 'CountRequests', { requests: [], replies: [{ msg: 'counted' }] }),
  fine('three requests', 'CountRequests', { requests: [{}, { name: 'b' }, {}], replies: [{ msg: 'counted', seq: 3 }] }),
  fine('a server that ends first', 'ServerEndsFirst', { requests: [{}, {}, {}], replies: [{ msg: 'goodbye', seq: 1 }] }),
];

const broken = [INTERNAL, UNAVAILABLE];
const violations = [
  of('a frame that is too big', 'FrameTooBig', broken, /FRAME_SIZE|frame/i),
  fine('frames of unknown types', 'UnknownFrames'),
  fine('an unknown setting', 'UnknownSetting'),
  of('a setting out of its range', 'BadSetting', broken, /FLOW_CONTROL|PROTOCOL|setting/i),
  of('a SETTINGS frame of 5 bytes', 'OddSettings', broken, /FRAME_SIZE|frame|PROTOCOL/i),
  of('a push', 'Push', broken, /PROTOCOL|push/i),
  of('data before headers', 'DataFirst', broken, /PROTOCOL|header|DATA/i),
  of('headers twice', 'HeadersTwice', [INTERNAL, UNAVAILABLE, UNKNOWN], /./),
  of('frames after the end', 'AfterTheEnd', [OK, ...broken], /^/),
  of('headers without :status', 'NoStatusLine', broken, /PROTOCOL|status|header/i),
  of('a :status that is no number', 'OddStatusLine', broken, /PROTOCOL|status|header/i),
  of('a content-length that is wrong', 'WrongContentLength', [OK, ...broken], /^/),
  of('a header block that is broken', 'BrokenHpack', broken, /COMPRESSION|header/i),
  of('a header block interrupted by data', 'BlockInterrupted', broken, /PROTOCOL|header|CONTINUATION/i),
  of('a frame of a stream that is not open', 'OtherStream', broken, /PROTOCOL|STREAM_CLOSED|stream/i),
  fine('2000 pings', 'PingFlood', { code: [OK, UNAVAILABLE, INTERNAL], says: /^/ }),
  fine('2000 SETTINGS frames', 'SettingsFlood', { code: [OK, UNAVAILABLE, INTERNAL], says: /^/ }),
  of('garbage', 'Garbage', broken, /./),
];

const noConnection = (name, port, says, more = {}) => ({ name, method: 'Fine', port, code: UNAVAILABLE, says, connect: true, ...more });
const tls = [
  fine('TLS', 'Fine', { port: 'tls', tls: {} }),
  fine('a client certificate', 'Fine', { port: 'tlsClientCert', tls: { client: true } }),
  fine('IPv6', 'Fine', { port: 'ipv6' }),
  fine('a unix socket', 'Fine', { port: 'unix' }),
  fine('an authority of our own', 'EchoAuthority', { authority: 'api.example.com', replies: [{ msg: 'api.example.com' }] }),
  fine('an authority of our own over TLS', 'EchoAuthority', { port: 'tls', tls: {}, authority: 'api.example.com', replies: [{ msg: 'api.example.com' }] }),
  noConnection('TLS without ALPN', 'tlsNoAlpn', /ALPN/, { tls: {} }),
  noConnection('TLS with ALPN http/1.1 only', 'tlsHttp1Only', /ALPN|application protocol/i, { tls: {} }),
  noConnection('self-signed', 'tlsSelfSigned', /self.signed/i, { tls: {} }),
  noConnection('signed by a CA that is not known', 'tls', /issuer|unable to|self.signed|unknown|trusted/i, { tls: { ca: false } }),
  noConnection('a certificate of another name', 'tlsWrongName', /other\.example|name|mismatch/i, { tls: {} }),
  noConnection('an authority that the certificate does not have', 'tls', /elsewhere\.example|name|mismatch/i, { tls: {}, authority: 'elsewhere.example' }),
  noConnection('an expired certificate', 'tlsExpired', /expired/i, { tls: {} }),
  noConnection('no client certificate', 'tlsClientCert', /certificate/i, { tls: {} }),
  noConnection('plaintext to a port of TLS', 'tls', /grpcs:\/\/|TLS/),
  noConnection('TLS to a plaintext port', 'plain', /grpc:\/\/|plaintext/, { tls: {} }),
  noConnection('a port of HTTP/1.1', 'http1', /HTTP\/1\.1|HTTP\/2/),
  noConnection('a port of another protocol', 'banner', /SSH|HTTP\/2|PROTOCOL|preface/i),
  noConnection('a port that closes at once', 'drop', /clos|reset|EOF|end/i),
  noConnection('a port where nobody listens', 'closed', /refused/i),
];

export const CASES = [...statuses, ...ends, ...framing, ...compression, ...flow, ...times, ...metadata, ...early, ...violations, ...tls];

/** Cases of reflection: the port, then what calling evil.v1.Reflected/Say comes to: OK, or what the error says. */
export const REFLECTION_CASES = [
  { name: 'v1 and v1alpha', port: 'reflectRight' },
  { name: 'v1 UNIMPLEMENTED, trailers-only', port: 'reflectUnimplementedTrailersOnly' },
  { name: 'v1 UNIMPLEMENTED in trailers', port: 'reflectUnimplementedInTrailers' },
  { name: 'v1 HTTP 404', port: 'reflectUnimplementedHttp404' },
  { name: 'v1 UNAVAILABLE', port: 'reflectUnavailable' },
  { name: 'files from the bottom up', port: 'reflectReversed' },
  { name: 'files more than once', port: 'reflectDuplicates' },
  { name: 'files one by one', port: 'reflectOneByOne' },
  { name: 'no reflection', port: 'reflectNone', says: /reflection/i },
  { name: 'an import that is missing', port: 'reflectMissingImport', says: /deep\.proto/ },
  { name: 'a descriptor without the method', port: 'reflectStale', says: /Say/ },
  { name: 'garbage for a descriptor', port: 'reflectGarbage', says: /descriptor|reflection/i },
  { name: 'imports in a circle', port: 'reflectCycle', says: /import|cycle|circle/i },
  { name: 'an error in the answer', port: 'reflectErrorResponse', says: /index is broken/ },
  { name: 'another answer than was asked for', port: 'reflectOtherAnswer', says: /reflection/i },
  { name: 'an empty answer', port: 'reflectEmptyAnswer', says: /reflection/i },
  { name: 'the end instead of an answer', port: 'reflectEnds', says: /reflection/i },
  { name: 'never an answer', port: 'reflectHangs', says: /deadline|reflection|time/i },
];
