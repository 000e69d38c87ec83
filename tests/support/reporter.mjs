// Writes one JSON line for each test that node ran: {"name", "result", "ms"}, the name with those of
// its suites before it. tools/check keeps the lines; tools/count-tests counts them.
// usage: node --test --test-reporter=./tests/support/reporter.mjs FILE

// A test of tests, or a suite, is counted by its parts, unless it failed by itself (in a hook).
const counts = (data, hasParts) =>
  !hasParts && data.details?.type !== 'suite'
  || (data.details?.error && data.details.error.failureType !== 'subtestsFailed');

export default async function* report(events) {
  const names = [];
  const parts = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      names[data.nesting] = data.name;
      parts[data.nesting + 1] = 0;
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const hasParts = parts[data.nesting + 1] > 0;
    parts[data.nesting + 1] = 0;
    parts[data.nesting] = (parts[data.nesting] ?? 0) + 1;
    names[data.nesting] = data.name;
    // A file without tests counts as one test for node; here it is none.
    if (data.name.endsWith('.test.mjs') && type === 'test:pass') continue;
    if (!counts(data, hasParts)) continue;
    const skipped = data.skip !== undefined || data.todo !== undefined;
    yield JSON.stringify({
      name: names.slice(0, data.nesting + 1).join(' > '),
      result: skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed',
      ms: Math.round(data.details?.duration_ms ?? 0),
    }) + '\n';
  }
}
