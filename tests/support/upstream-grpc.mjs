// The gRPC half of the test upstream (HTTP/2), and plain HTTP/2 requests for whoever proxies with it.

import { Deframer, encodeText } from '../../examples/demo-service/grpc.mjs';
import { identity } from './upstream-http.mjs';

/** Answers one stream of `upstream`, and fills in `entry` of its ledger. */
export function answerGrpc(upstream, stream, headers, entry) {
  const call = new Call(upstream, stream, headers, entry);
  const { mode } = upstream;
  if (mode.hang) return;
  if (mode.reset || mode.close) stream.close(2);
  else if (mode.status) call.fail(13, `${mode.status} by mode`);
  else setTimeout(() => call.answer(), mode.delay ?? 0);
}

class Call {
  #upstream;
  #stream;
  #headers;
  #entry;

  constructor(upstream, stream, headers, entry) {
    this.#upstream = upstream;
    this.#stream = stream;
    this.#headers = headers;
    this.#entry = entry;
  }

  answer() {
    const method = this.#headers[':path'].split('/').pop();
    const answers = {
      Say: () => this.#say(),
      Watch: () => this.#watch(),
      Chat: () => this.#chat(),
      Fail: () => this.fail(this.#wish('x-grpc-status', 5), 'as asked'),
      FailLate: () => this.#failLate(),
      Cut: () => this.#cut(),
      ...(this.#upstream.serving && { Check: () => this.#check(this.#upstream.serving) }),
    };
    if (Object.hasOwn(answers, method)) answers[method]();
    else this.fail(12, `no method ${method}`);
  }

  /** A trailers-only answer. */
  fail(status, message) {
    this.#entry.status = `grpc:${status}`;
    const headers = { ...this.#head(), 'grpc-status': String(status), 'grpc-message': message };
    this.#stream.respond(headers, { endStream: true });
    this.#stream.resume();
  }

  #head() {
    return { ':status': 200, 'content-type': 'application/grpc', ...identity(this.#upstream) };
  }

  #wish(name, otherwise) {
    return Number(this.#headers[name] ?? otherwise);
  }

  /** Starts an answer that will end with trailers. */
  #begin(status = 0) {
    this.#stream.respond(this.#head(), { waitForTrailers: true });
    this.#stream.on('wantTrailers', () => {
      this.#entry.status = `grpc:${status}`;
      this.#stream.sendTrailers({ 'grpc-status': String(status) });
    });
  }

  #eachText(onText, onEnd) {
    const deframer = new Deframer();
    this.#stream.on('data', (chunk) => deframer.push(chunk).forEach(onText));
    this.#stream.on('end', onEnd);
  }

  /** grpc.health.v1.Health/Check; its request and an echo's are alike on the wire. */
  #check(serving) {
    this.#eachText((service) => {
      if (!Object.hasOwn(serving, service)) return this.fail(5, `unknown service ${service}`);
      this.#begin();
      return this.#stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving[service]]));
    }, () => {});
  }

  #say() {
    const texts = [];
    this.#eachText((text) => texts.push(text), () => {
      this.#begin();
      this.#stream.end(encodeText(texts.join()));
    });
  }

  #watch() {
    this.#stream.resume();
    this.#begin();
    const every = this.#wish('x-every-ms', 100);
    const count = Math.max(1, Math.round((this.#wish('x-seconds', 1) * 1000) / every));
    let sent = 0;
    const timer = setInterval(() => {
      sent += 1;
      this.#stream.write(encodeText(`${sent}/${count}`));
      if (sent < count) return;
      clearInterval(timer);
      this.#stream.end();
    }, every);
    this.#stream.on('close', () => clearInterval(timer));
  }

  #chat() {
    this.#begin();
    this.#eachText((text) => this.#stream.write(encodeText(text)), () => this.#stream.end());
  }

  #failLate() {
    this.#stream.resume();
    this.#begin(this.#wish('x-grpc-status', 5));
    this.#stream.end(encodeText('but'));
  }

  #cut() {
    this.#stream.resume();
    this.#stream.respond(this.#head());
    this.#stream.write(encodeText('half'), () => this.#stream.destroy(new Error('cut')));
  }
}
