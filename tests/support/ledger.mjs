// The two ledgers of a load test: what the client sent and got, what the services answered; and their join.

/** One request of the client. Times are milliseconds since 1970. */
class Entry {
  constructor(n, kind, visitor, at) {
    this.n = n;
    this.kind = kind;
    this.visitor = visitor;
    this.sentAt = at;
    this.answeredAt = 0;
    this.us = 0; // from sending to the end of the answer, a resend included
    this.status = 0; // of HTTP
    this.grpcStatus = ''; // as text, '' if it is no gRPC
    this.version = '';
    this.host = '';
    this.resent = ''; // why it was sent again, '' if it was not
    this.failed = ''; // why, '' if it was answered in full
  }

  get answered() {
    return this.answeredAt > 0 && this.failed === '';
  }
}

export class ClientLedger {
  entries = [];

  /** `run` marks this client's numbers: `run.17` is the X-Request-Number of entries[17]. */
  constructor(run) {
    this.run = run;
  }

  open(kind, visitor) {
    const entry = new Entry(this.entries.length, kind, visitor, Date.now());
    this.entries.push(entry);
    return entry;
  }

  number(entry) {
    return `${this.run}.${entry.n}`;
  }

  /**
   * By version, of the requests from number `first` up to `end`: {requests, failed, visitors, p50, p99}; the latencies
   * are microseconds, of short requests. Failures without an answer stand under the version ''.
   */
  measure(first = 0, end = this.entries.length) {
    const versions = {};
    for (let n = first; n < end; n += 1) {
      const entry = this.entries[n];
      if (!entry.answeredAt && !entry.failed) continue;
      const of = (versions[entry.version] ??= { requests: 0, failed: 0, visitors: new Set(), us: [] });
      of.requests += 1;
      of.visitors.add(entry.visitor);
      if (entry.failed) of.failed += 1;
      else if (entry.us) of.us.push(entry.us);
    }
    for (const of of Object.values(versions)) {
      const { us } = of;
      us.sort((a, b) => a - b);
      Object.assign(of, { visitors: of.visitors.size, p50: quantile(us, 0.5), p99: quantile(us, 0.99) });
      delete of.us;
    }
    return versions;
  }
}

/** The value of a sorted list below which a part `q` lies; 0 when it is empty. */
function quantile(sorted, q) {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

/** The lines of a service's ledger (see ServiceLedger.toText) as objects. */
export function parseServiceLedger(text) {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [number, at, kind, status, track, version, host] = line.split('\t');
      return { number, at: Number(at), kind, status, track, version, host };
    });
}

const count = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};

/**
 * Joins the client's ledger with the texts of all services' ledgers. Counts, and numbers of requests where a number
 * other than none would be news:
 *   sent = answered + failed + open; resent; reasons of both
 *   versions: {VERSION: {answered, hosts: {HOST: n}, statuses: {200: n}, grpcStatuses: {0: n}}} as the client saw it
 *   servedTwice          requests that reached services more than once although the client sent them once
 *   servedUnanswered     a service wrote it down, the client got no whole answer
 *   answeredUnserved     the client got an answer of a version, no service knows of it
 *   contradicted         no service that wrote it down is the version and host that the client saw
 *   unnumbered           requests at services without a number of this run (probes, verify)
 */
export function joinLedgers(client, serviceTexts) {
  const served = new Map();
  let unnumbered = 0;
  for (const line of serviceTexts.flatMap(parseServiceLedger)) {
    const [run, n] = line.number.split('.');
    if (run !== client.run || n === undefined) unnumbered += 1;
    else if (served.has(Number(n))) served.get(Number(n)).push(line);
    else served.set(Number(n), [line]);
  }
  const sum = { ...summarize(client), unnumbered };
  return { ...sum, ...contradictions(client, served) };
}

/** The part of the join that needs no service. */
export function summarize(client) {
  const sum = { sent: client.entries.length, answered: 0, failed: 0, resent: 0, open: 0 };
  const tables = { failures: {}, resends: {}, kinds: {}, versions: {} };
  for (const entry of client.entries) {
    const kind = (tables.kinds[entry.kind] ??= { sent: 0, answered: 0, failed: 0, resent: 0 });
    const state = entry.failed ? 'failed' : entry.answered ? 'answered' : 'open';
    sum[state] += 1;
    kind.sent += 1;
    if (state !== 'open') kind[state] += 1;
    if (entry.failed) count(tables.failures, entry.failed);
    if (entry.resent) {
      sum.resent += 1;
      kind.resent += 1;
      count(tables.resends, entry.resent);
    }
    if (entry.answered) addVersion(tables.versions, entry);
  }
  return { ...sum, ...tables };
}

function addVersion(versions, entry) {
  const of = (versions[entry.version] ??= { answered: 0, hosts: {}, statuses: {}, grpcStatuses: {} });
  of.answered += 1;
  count(of.hosts, entry.host);
  count(of.statuses, entry.status);
  if (entry.grpcStatus) count(of.grpcStatuses, entry.grpcStatus);
}

function contradictions(client, served) {
  const found = { servedTwice: [], servedUnanswered: [], answeredUnserved: [], contradicted: [] };
  for (const entry of client.entries) {
    const lines = served.get(entry.n) ?? [];
    if (lines.length > 1 && !entry.resent) found.servedTwice.push(entry.n);
    if (lines.length > 0 && !entry.answered) found.servedUnanswered.push(entry.n);
    if (lines.length === 0 && entry.answered && entry.version) found.answeredUnserved.push(entry.n);
    const agrees = (line) => line.version === entry.version && line.host === entry.host;
    if (lines.length > 0 && entry.answered && !lines.some(agrees)) found.contradicted.push(entry.n);
  }
  return found;
}
