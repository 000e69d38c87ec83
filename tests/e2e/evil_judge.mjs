// Holds what a client told of a call against a row of evil_cases.mjs. An outcome has code (a name), message, and whatever else the
// client can tell: replies [{msg, seq}], trailersOnly, httpStatus, compressed [flags], headers and trailers [[name, value]], details (bytes).

/** The faults, in words; none: it is right. */
export function judge(row, outcome) {
  const faults = [];
  const codes = [row.code].flat();
  if (!codes.includes(outcome.code)) faults.push(`code ${outcome.code}, right is ${codes.join(' or ')}`);
  if (row.says && outcome.code !== 'OK' && !row.says.test(outcome.message)) faults.push(`says "${outcome.message}", right is ${row.says}`);
  const replies = codes.includes('OK') && outcome.code !== 'OK' ? null : row.replies;
  if (replies && outcome.replies) faults.push(...judgeReplies(replies, outcome.replies));
  for (const [name, right] of Object.entries(row.wire ?? {})) {
    if (outcome[name] !== undefined && JSON.stringify(outcome[name]) !== JSON.stringify(right)) {
      faults.push(`${name} ${JSON.stringify(outcome[name])}, right is ${JSON.stringify(right)}`);
    }
  }
  for (const where of ['headers', 'trailers']) {
    if (outcome[where]) faults.push(...judgeMetadata(where, row[where] ?? {}, outcome[where]));
  }
  if (row.details && outcome.details && !row.details.test(outcome.details.toString('latin1'))) faults.push(`details "${outcome.details.toString('latin1')}"`);
  if (row.rst !== undefined && outcome.rst !== undefined && outcome.rst !== row.rst) faults.push(`RST_STREAM ${outcome.rst}, right is ${row.rst}`);
  return faults;
}

function judgeReplies(right, seen) {
  if (right.length !== seen.length) return [`${seen.length} replies, right are ${right.length}`];
  return right.flatMap((reply, i) => Object.entries(reply)
    .filter(([name, value]) => !(value instanceof RegExp ? value.test(seen[i][name]) : value === seen[i][name]))
    .map(([name, value]) => `reply ${i} has ${name} ${JSON.stringify(seen[i][name])}, right is ${value}`));
}

function judgeMetadata(where, right, seen) {
  return Object.entries(right).flatMap(([name, value]) => {
    const found = seen.filter(([each]) => each === name).map(([, each]) => each);
    const wanted = [value].flat();
    const same = found.length === wanted.length && found.every((each, i) => Buffer.from(each).equals(Buffer.from(wanted[i])));
    return same ? [] : [`${where} have ${name} ${JSON.stringify(found.map(String))}, right is ${JSON.stringify(wanted.map(String))}`];
  });
}
