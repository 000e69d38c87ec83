"""Reads what the last `make check` left in build/results.

NAME.unit.json     meson's testlog.json: one JSON object a program, its TAP inside
NAME.node.jsonl    one line a test, written by tests/support/reporter.mjs
NAME.exit          of the run that has this NAME: "FILE STATUS"; a run that died in the middle left
                   fewer lines than it has tests, its status tells
failed-steps       the steps without tests of their own that failed, one a line
"""
import json
import re
from collections import namedtuple

# file: the source of the test, relative to tests/; result: passed, failed or skipped.
Test = namedtuple("Test", "file name result")

POINT = re.compile(r"(not )?ok\b *\d* *-? *([^#]*?) *(# *(skip|todo).*)?$", re.I)


def read_program(log):
    """Yields the tests of one program of meson's log; a death without a failed test is one more."""
    file = re.sub(r"^corpus_", "fuzz_", log["name"])
    file = f"fuzz/{file}.c" if file != log["name"] else f"unit/test_{file}.c"
    failed = False
    for line in log.get("stdout", "").splitlines():
        match = POINT.match(line)
        if match:
            result = "skipped" if match[3] else "failed" if match[1] else "passed"
            failed |= result == "failed"
            yield Test(file, match[2], result)
    if log["result"] == "SKIP":
        yield Test(file, "the whole program", "skipped")
    elif log["result"] not in ("OK", "EXPECTEDFAIL") and not failed:
        yield Test(file, f"ends well (it ended with {log['result']}, status {log['returncode']})", "failed")


def read_results(folder):
    """Returns every test of the last run, in the order of the files."""
    tests = []
    steps = folder / "failed-steps"
    if steps.exists():
        tests += [Test("tools/check", step, "failed") for step in steps.read_text().splitlines()]
    for path in sorted(folder.glob("*.unit.json")):
        for line in path.read_text().splitlines():
            tests += read_program(json.loads(line))
    for path in sorted(folder.glob("*.exit")):
        file, status = path.read_text().rsplit(None, 1)
        rows = path.with_suffix(".node.jsonl")
        rows = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
        tests += [Test(file, row["name"], row["result"]) for row in rows]
        if not rows:
            tests.append(Test(file, f"has tests (none ran, status {status})", "failed"))
        elif status != "0" and all(row["result"] != "failed" for row in rows):
            tests.append(Test(file, f"ends well (it ended with status {status})", "failed"))
    return tests
