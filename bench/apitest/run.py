#!/usr/bin/env python3
"""CPU time and memory of calls by `pourover test call`, side by side with other gRPC tools on the same server.

usage: bench/apitest/run.py PROGRAM [--peers DIR] [--rounds N] [--calls N] [--record]

The server is the interop server of grpc-go (tests/interop), which answers EmptyCall. Peers are the programs
`ghz`, `grpcurl` and `buf` found in DIR or in PATH; what is not there is left out, and said. All tools take
turns in every round, so that what disturbs one disturbs the others; a figure is the median of the rounds. CPU
time is that of the tool's own process (user and system, as wait4 tells it), not of the server. `CALLS` calls
are made by one process of pourover and of ghz, one after another or 50 at once; grpcurl and buf make one call
a process, so that theirs is start, descriptors, call and exit: for that, one call of pourover is beside them.
"""
import argparse
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).parents[2]
REPORT = ROOT / "docs/performance.md"
INTEROP = ROOT / "tests/interop"
METHOD = "grpc.testing.TestService/EmptyCall"


def server():
    """The interop server of grpc-go, as tests/interop/servers.mjs starts it; returns (process, port)."""
    script = ("import {startInterop} from './tests/interop/servers.mjs';"
              "const s = await startInterop('go'); console.log(s.port);"
              "process.stdin.resume(); process.stdin.on('end', async () => { await s.close(); process.exit(0); });")
    child = subprocess.Popen(["node", "--input-type=module", "-e", script], cwd=ROOT, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    return child, int(child.stdout.readline())


def peak_mib(command):
    """Greatest resident set of its process, by time(1): what wait4 tells of a child holds this script's own, too."""
    done = subprocess.run(["/usr/bin/time", "-q", "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


def measure(command):
    """Runs it; returns wall seconds and CPU seconds."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}:\n{output.decode()}")
    return wall, usage.ru_utime + usage.ru_stime


class Tool:
    """A command that makes some calls."""

    def __init__(self, name, kind, calls, command):
        self.name, self.kind, self.calls, self.command = name, kind, calls, command
        self.wall, self.cpu, self.mib = [], [], 0

    def run(self):
        wall, cpu = measure(self.command)
        self.wall.append(wall)
        self.cpu.append(cpu)

    def figures(self):
        wall, cpu = statistics.median(self.wall), statistics.median(self.cpu)
        return self.calls / wall, cpu / self.calls * 1e6, wall * 1e3, self.mib


def find(name, peers):
    path = pathlib.Path(peers) / name if peers else None
    return str(path) if path and path.exists() else shutil.which(name)


def tools(program, port, calls, peers):
    target = f"127.0.0.1:{port}"
    proto = str(INTEROP / "testing.proto")
    single = [program, "test", "call", METHOD, "--target", target, "--proto", proto]

    def many(at_once):
        return [*single, "--count", str(calls), "--concurrency", str(at_once)]

    found = [Tool("pourover", "one call", 1, single), Tool("pourover", "one after another", calls, many(1)),
             Tool("pourover", "50 at once", calls, many(50))]
    ghz, grpcurl, buf = (find(name, peers) for name in ("ghz", "grpcurl", "buf"))
    if ghz:
        common = [ghz, "--insecure", "--proto", proto, "--call", METHOD, "-d", "{}", "-n", str(calls), "-O", "json"]
        found += [Tool("ghz", "one after another", calls, [*common, "-c", "1", "--connections", "1", target]),
                  Tool("ghz", "50 at once", calls, [*common, "-c", "50", "--connections", "1", target])]
    if grpcurl:
        found.append(Tool("grpcurl", "one call", 1, [
            grpcurl, "-plaintext", "-import-path", str(INTEROP), "-proto", "testing.proto", "-d", "{}", target, METHOD]))
    if buf:
        found.append(Tool("buf curl", "one call", 1, [
            buf, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--schema", str(ROOT / "build/interop/testing.binpb"),
            "-d", "{}", f"http://{target}/{METHOD}"]))
        # buf goes by the end of the name.
        shutil.copy(ROOT / "build/interop/testing.pb", ROOT / "build/interop/testing.binpb")
    missing = [name for name, path in (("ghz", ghz), ("grpcurl", grpcurl), ("buf", buf)) if not path]
    return found, missing


def ratios(found):
    """(what, ratio of CPU per call, goal) of each pair that a goal is about."""
    by = {(tool.name, tool.kind): tool.figures() for tool in found}
    rows = []
    for kind in ("one after another", "50 at once"):
        if ("ghz", kind) in by:
            rows.append((f"calls per CPU second, {kind}: pourover / ghz",
                         by["ghz", kind][1] / by["pourover", kind][1], 2))
    for name in ("grpcurl", "buf curl"):
        if (name, "one call") in by:
            rows.append((f"calls per CPU second: pourover, one after another / {name}, a process a call",
                         by[name, "one call"][1] / by["pourover", "one after another"][1], 10))
    return rows


def table(found, missing, args):
    lines = [f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Linux {platform.release().split("-")[0]}; "
             f"`bench/apitest/run.py`, {args.rounds} rounds, {args.calls:,} calls; server: grpc-go, plaintext.", "",
             "| tool | calls | calls a second | CPU us a call | whole run ms | MiB |", "|---|---|---|---|---|---|"]
    for tool in sorted(found, key=lambda t: (t.kind != "one call", t.kind, t.name)):
        rate, cpu, wall, rss = tool.figures()
        lines.append(f"| {tool.name} | {tool.kind} | {rate:,.0f} | {cpu:,.1f} | {wall:,.1f} | {rss:.1f} |")
    lines += ["", "| ratio | is | goal | |", "|---|---|---|---|"]
    for what, ratio, goal in ratios(found):
        lines.append(f"| {what} | {ratio:.1f} | >= {goal} | {'met' if ratio >= goal else 'missed'} |")
    for name in missing:
        lines.append(f"| beside {name} | - | - | not installed here, not measured |")
    single = next(tool for tool in found if tool.kind == "one call" and tool.name == "pourover").figures()
    lines.append(f"| one call from start to exit, ms | {single[2]:.1f} | < 5 | {'met' if single[2] < 5 else 'missed'} |")
    lines.append(f"| greatest memory of one call, MiB | {single[3]:.1f} | < 8 | {'met' if single[3] < 8 else 'missed'} |")
    return "\n".join(lines)


def record(text):
    report = REPORT.read_text()
    block = f"<!-- bench apitest -->\n{text}\n<!-- /bench apitest -->"
    report = re.sub(r"<!-- bench apitest -->.*<!-- /bench apitest -->", lambda _: block, report, flags=re.S)
    REPORT.write_text(report)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    child, port = server()
    try:
        found, missing = tools(os.path.abspath(args.program), port, args.calls, args.peers)
        for tool in found:
            tool.mib = peak_mib(tool.command)
        for _ in range(args.rounds):
            for tool in found:
                for _ in range(10 if tool.calls == 1 else 1):
                    tool.run()
    finally:
        child.stdin.close()
        child.wait(20)
    text = table(found, missing, args)
    print(text)
    if args.record:
        record(text)


if __name__ == "__main__":
    main()
