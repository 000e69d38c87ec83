// An HTTP/2 client (without TLS) for pages and gRPC over a few long-lived sessions. Outcomes are those of http1.mjs;
// `unsent` is true as well for a stream that the server did not take: REFUSED_STREAM, or above GOAWAY's last id, which
// node reports with the same code.

import http2 from 'node:http2';

const REFUSED_STREAM = http2.constants.NGHTTP2_REFUSED_STREAM;

export class H2Pool {
  #target;
  #slots;
  #next = 0;
  #timeout;

  constructor(target, { sessions = 8, timeout = 30_000 } = {}) {
    this.#target = target;
    this.#slots = new Array(sessions).fill(null);
    this.#timeout = timeout;
  }

  /**
   * Sends {headers, body, attach}: `body` a Buffer or null; `attach(stream)` is for whoever goes on writing (then
   * body is null) and reads what comes. With `fresh` on a session that has not been used for an answer yet. Calls
   * done(outcome) once; the outcome of a whole answer has `trailers` too.
   */
  send(request, fresh, done) {
    const at = this.#next++ % this.#slots.length;
    const slot = this.#slots[at];
    if (!slot || slot.gone || (fresh && slot.answers > 0)) this.#renew(at);
    let stream = this.#request(at, request);
    if (!stream) {
      this.#renew(at);
      stream = this.#request(at, request);
    }
    watch(stream, this.#slots[at], done);
    if (request.body) stream.end(request.body);
    request.attach?.(stream);
    stream.setTimeout(this.#timeout, () => stream.close(http2.constants.NGHTTP2_CANCEL)); // of silence
  }

  close() {
    for (const slot of this.#slots) slot?.session.destroy();
  }

  #renew(at) {
    retire(this.#slots[at]?.session);
    const session = http2.connect(`http://${this.#target.host}:${this.#target.port}`);
    const slot = { session, answers: 0, gone: false, error: '' };
    session.on('goaway', () => {
      slot.gone = true;
    });
    session.on('connect', (_, socket) => {
      const gone = () => {
        slot.gone = true;
      };
      // streams tell their end before the session does
      socket.prependListener('error', gone).prependListener('close', gone);
    });
    session.on('close', () => {
      slot.gone = true;
    });
    session.on('error', (error) => {
      slot.gone = true;
      slot.error = error.code ?? error.message;
    });
    this.#slots[at] = slot;
  }

  /** Null when the session has been closed since we looked. */
  #request(at, request) {
    try {
      return this.#slots[at].session.request(request.headers, { endStream: !request.body && !request.attach });
    } catch {
      return null;
    }
  }
}

/** Closes a session when its streams are done. One that still connects would drop those that wait for it. */
function retire(session) {
  if (session?.connecting) session.once('connect', () => session.close());
  else session?.close();
}

function watch(stream, slot, done) {
  const seen = { headers: null, trailers: null, ended: false, error: '' };
  stream.on('response', (headers) => {
    seen.headers = headers;
  });
  stream.on('trailers', (trailers) => {
    seen.trailers = trailers;
  });
  stream.on('end', () => {
    seen.ended = true;
  });
  stream.on('error', (error) => {
    seen.error = error.code ?? error.message;
  });
  stream.on('close', () => done(outcomeOf(stream, slot, seen)));
  stream.resume();
}

function outcomeOf(stream, slot, seen) {
  if (seen.headers && seen.ended && stream.rstCode === 0) {
    slot.answers += 1;
    const headers = new Map(Object.entries(seen.headers));
    return { status: seen.headers[':status'], headers, trailers: seen.trailers ?? {}, failed: '' };
  }
  const refused = stream.rstCode === REFUSED_STREAM;
  const why = refused ? 'stream refused' : `closed ${seen.headers ? 'in the middle of' : 'before'} an answer`;
  const where = slot.answers > 0 ? 're-used' : 'fresh';
  const unsent = !seen.headers && (refused || (slot.answers > 0 && slot.gone));
  const code = slot.error || seen.error || `RST ${stream.rstCode}`;
  return { failed: `${why}, ${where} session (${code})`, unsent };
}
