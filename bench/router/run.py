#!/usr/bin/env python3
"""CPU time per request of a router with pourover, side by side with other proxies.

usage: bench/router/run.py MODULE [--blocks N] [--rounds N] [--seconds S] [--record] [PAIR...]

Each pair of proxies runs on the same core and is loaded at once, by a wrk each with 32 kept connections, so that
what disturbs one disturbs the other. A block is a fresh start of the pair, a round a load of some seconds; a
round's figure is the ratio of CPU time per request, a block's figure the median of its rounds, the result the
mean of the blocks with twice its standard error. The service behind and the load run on the other cores.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import proxies

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
REPORT = ROOT / "docs/performance.md"
CONNECTIONS = 32


class Pair:
    """Two proxies, made afresh for each block by functions of (directory, cores, peers, module)."""

    def __init__(self, name, what, goal, left, right, workers=1):
        self.name, self.what, self.goal, self.left, self.right = name, what, goal, left, right
        self.workers = workers
        self.blocks, self.left_us, self.right_us, self.list_ms = [], [], [], []


def plain(directory, cores, peers, _module):
    return proxies.plain(directory, cores, peers)


def plain_with_headers(directory, cores, peers, _module):
    return proxies.plain(directory, cores, peers, proxies.SET_HEADERS)


def haproxy(directory, cores, peers, _module):
    return proxies.haproxy(directory, cores, peers)


def caddy(directory, cores, peers, _module):
    return proxies.caddy(directory, cores, peers)


def bare(directory, cores, peers, module):
    return proxies.pourover(directory, cores, peers, module, headers="off")


def no_file(directory, cores, peers, module):
    return proxies.pourover(directory, cores, peers, module, state="")


def unjudged(directory, cores, peers, module):
    return proxies.pourover(directory, cores, peers, module, judged=False)


def fleet(directory, cores, peers, module):
    others = proxies.checked_services(99, peers)
    return proxies.pourover(directory, cores, peers, module, more=others, size="64m")


def many(directory, cores, peers, module):
    others = proxies.many_services(999, 100, peers)
    return proxies.pourover(directory, cores, peers, module, more=others, size="256m")


def pairs():
    """All that is measured, in the order of the table."""
    full = proxies.pourover
    return [
        Pair("self", "plain NGINX / itself", None, plain, plain),
        Pair("bare", "pourover without injected headers / plain NGINX", 1.02, bare, plain),
        Pair("full", "pourover, all on / plain NGINX", 1.03, full, plain),
        Pair("headers", "pourover, all on / plain NGINX that sets the same headers", 1.01, full, plain_with_headers),
        Pair("workers", "pourover, all on / plain NGINX, 2 workers each", 1.03, full, plain, workers=2),
        Pair("nofile", "pourover, all on but the state file / plain NGINX", 1.03, no_file, plain),
        Pair("judged", "pourover, all on / without checks, slow start, events, samples", 1.01, full, unjudged),
        Pair("haproxy", "pourover, all on / HAProxy", 0.95, full, haproxy),
        Pair("caddy", "pourover, all on / Caddy", 0.95, full, caddy),
        Pair("fleet", "pourover, 100 services of 20 checked peers / one service", None, fleet, full),
        Pair("many", "pourover, 1,000 services of 100 peers / one service", 1.01, many, full),
    ]


def on(cores):
    return lambda: os.sched_setaffinity(0, cores)


def load(server, seconds, cores):
    """Starts wrk against the server."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", HERE / "visitors.lua"]
    command.append(f"http://127.0.0.1:{server.port}/")
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=on(cores))


def answered(wrk):
    """How many requests a finished wrk had answered; an error if one failed."""
    output, _ = wrk.communicate()
    found = re.search(r"^requests (\d+) failed (\d+)$", output, re.M)
    if wrk.returncode != 0 or not found or int(found[2]) > 0:
        raise RuntimeError(f"wrk failed with {wrk.returncode}:\n{output}")
    return int(found[1])


def measure(servers, seconds, cores):
    """One round: microseconds of CPU per request of each server."""
    before = [server.cpu_ns() for server in servers]
    loads = [load(server, seconds, cores) for server in servers]
    requests = [answered(wrk) for wrk in loads]
    after = [server.cpu_ns() for server in servers]
    return [(b - a) / n / 1000 for a, b, n in zip(before, after, requests)]


def check_cut(server, what):
    """Every visitor keeps to one track, and a share of them that is no accident goes to the canary."""
    canary = 0
    for visitor in range(200):
        cookie = f"pourover_id={visitor * 0x9E3779B97F4A7C15 % 2**64:016x}"
        first, second = (server.get("/who", cookie) for _ in range(2))
        if first[0] != 200 or first[2][:6] != second[2][:6]:
            raise RuntimeError(f"{what} does not do its job: {first[2]!r}, then {second[2]!r} for {cookie}")
        canary += first[2].startswith(b"canary")
    if not 30 <= canary <= 130:
        raise RuntimeError(f"{what} sent {canary} of 200 visitors to the canary")


def block(pair, options, directory, peers, cores):
    """One fresh start of the pair, in turn the one or the other first."""
    own = set(cores) if pair.workers > 1 else {cores[-1]}
    rest = set(cores) if pair.workers > 1 else set(cores[:-1])
    makers = [("left", pair.left), ("right", pair.right)]
    servers = {}
    try:
        for side, make in makers if len(pair.blocks) % 2 else reversed(makers):
            servers[side] = make(directory / side, own, peers, options.module)
        if not pair.blocks:
            for side, server in servers.items():
                check_cut(server, f"{pair.name}, {side}")
        both = [servers["left"], servers["right"]]
        measure(both, 1, rest)
        rounds = [measure(both, options.seconds, rest) for _ in range(options.rounds)]
        if pair.name == "many":
            pair.list_ms += [list_ms(servers["left"]) for _ in range(5)]
    finally:
        for server in servers.values():
            server.stop()
    pair.blocks.append(statistics.median(left / right for left, right in rounds))
    pair.left_us.append(statistics.median(left for left, _ in rounds))
    pair.right_us.append(statistics.median(right for _, right in rounds))


def list_ms(server):
    """How long the API takes for the list of all services."""
    start = time.monotonic()
    status, _, body = server.get("/pourover/v1/services")
    took = (time.monotonic() - start) * 1000
    if status != 200 or len(json.loads(body)["services"]) != 1000:
        raise RuntimeError(f"the API did not list 1,000 services: {status} {body[:200]!r}")
    return took


def verdict(pair, mean, error):
    """Whether the goal lies on one side of the interval."""
    if pair.goal is None:
        return "-"
    if mean + error <= pair.goal:
        return "met"
    return "missed" if mean - error > pair.goal else "undecided"


def row(pair):
    mean = statistics.mean(pair.blocks)
    error = 2 * statistics.stdev(pair.blocks) / len(pair.blocks) ** 0.5 if len(pair.blocks) > 1 else float("nan")
    goal = f"<= {pair.goal:.2f}" if pair.goal else "-"
    return (
        f"| {pair.what} | {mean:.3f} ± {error:.3f} | {goal} | {verdict(pair, mean, error)} "
        f"| {statistics.median(pair.left_us):.1f} / {statistics.median(pair.right_us):.1f} | {len(pair.blocks)} |"
    )


def version(*command):
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"\d+\.\d+\.\d+", run.stdout + run.stderr)[0]


def report(measured, options):
    """The result as Markdown."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"Linux {platform.release().split('-')[0]}; NGINX {version(proxies.NGINX, '-v')}, "
        f"HAProxy {version('haproxy', '-v')}, Caddy {version('caddy', 'version')}; "
        f"`make bench`: {options.blocks} starts of each pair, {options.rounds} rounds of {options.seconds} s.",
        "",
        "| pair | CPU per request, ratio | goal | | us | starts |",
        "|---|---|---|---|---|---|",
        *map(row, measured),
    ]
    for pair in measured:
        if pair.list_ms:
            lines += ["", f"The API's list of 1,000 services: median {statistics.median(pair.list_ms):.0f} ms, "
                      f"at most {max(pair.list_ms):.0f} ms (goal: below 100)."]
    return "\n".join(lines) + "\n"


def record(text):
    """Puts the result between the marks of docs/performance.md."""
    old = REPORT.read_text()
    new = re.sub(r"(<!-- bench -->\n).*(<!-- /bench -->)", lambda m: f"{m[1]}{text}{m[2]}", old, flags=re.S)
    REPORT.write_text(new)


def arguments():
    names = [pair.name for pair in pairs()]
    parser = argparse.ArgumentParser(description="CPU per request of proxies, side by side")
    parser.add_argument("module", type=pathlib.Path, help="ngx_http_pourover_module.so")
    parser.add_argument("--blocks", type=int, default=12, help="fresh starts of each pair (12)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each start (5)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a round (2)")
    parser.add_argument("--record", action="store_true", help="write the table to docs/performance.md")
    parser.add_argument("pair", nargs="*", metavar="PAIR", help=f"of {' '.join(names)} (all)")
    options = parser.parse_intermixed_args()
    if unknown := set(options.pair) - set(names):
        parser.error(f"no pair is called {', '.join(sorted(unknown))}; there are {' '.join(names)}")
    options.module = options.module.resolve()
    return options


def main():
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("bench: one core is for the proxies and another for the load, but this process has only one")
    measured = [pair for pair in pairs() if not options.pair or pair.name in options.pair]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pourover-bench-"))
    service = None
    try:
        service, peers = proxies.backend(directory / "backend", set(cores[:-1]))
        for number in range(options.blocks):
            for pair in measured:
                block(pair, options, directory / f"{pair.name}{number}", peers, cores)
                print(f"{number + 1}/{options.blocks} {pair.name}: {pair.blocks[-1]:.3f}", file=sys.stderr)
    finally:
        if service:
            service.stop()
        shutil.rmtree(directory)
    text = report(measured, options)
    print(text, end="")
    if options.record:
        record(text)


if __name__ == "__main__":
    main()
