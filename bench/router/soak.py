#!/usr/bin/env python3
"""Full load on a router with everything on, for minutes: its memory has to stay flat.

usage: bench/router/soak.py MODULE [--seconds S]

Visitors are new and returning, a tenth of the requests fails, the share changes, peers drain and come back, and
checks run. Every ten seconds: requests so far, resident memory of the workers, bytes used of the shared zone.
Exit code 1 when memory or zone has grown by more than the first fifth of the time explains, or a request failed
that was not to fail.
"""
import argparse
import json
import os
import pathlib
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
STEP_SECONDS = 10
GROWTH_KIB = 1024  # of all workers: what a rare event may still allocate late


def resident_kib(server):
    """Private memory of all its processes; the zone is shared and counted by its own figure."""
    total = 0
    for pid in proxies.processes(server.process.pid):
        total += int(re.search(r"^RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    return total


def zone_used(server):
    return json.loads(server.get("/pourover/v1/status")[2])["zone_used_bytes"]


def change(server, step):
    """What happens to a router in a day, in one step."""
    split = json.loads(server.get("/pourover/v1/services/router")[2])["split"]
    wanted = {"share_ppm": [0, 1000, 300_000, 1_000_000][step % 4], "revision": split["revision"] + 1}
    server.put("/pourover/v1/services/router/split", wanted | {"if_revision": split["revision"]})
    peer = json.loads(server.get("/pourover/v1/services/router")[2])["peers"][step % 4]
    for body in ({"state": "draining", "by": "soak"}, {"state": "ready"}):
        server.patch(f"/pourover/v1/services/router/peers/{peer['address']}", body)


def arguments():
    parser = argparse.ArgumentParser(description="memory of a router under load")
    parser.add_argument("module", type=pathlib.Path, help="ngx_http_pourover_module.so")
    parser.add_argument("--seconds", type=int, default=600, help="how long (600)")
    options = parser.parse_args()
    options.module = options.module.resolve()
    return options


def run(options, directory, cores):
    service, peers = proxies.backend(directory / "backend", {cores[0]})
    server = proxies.pourover(directory / "router", {cores[-1]}, peers, options.module)
    wrk = None
    try:
        command = ["wrk", "-t1", "-c64", f"-d{options.seconds}s", "-s", HERE / "soak.lua", f"http://127.0.0.1:{server.port}/"]
        wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {cores[0]}))
        samples = []
        for step in range(options.seconds // STEP_SECONDS - 1):
            time.sleep(STEP_SECONDS)
            change(server, step)
            samples.append((resident_kib(server), zone_used(server)))
            print(f"{(step + 1) * STEP_SECONDS:5} s  {samples[-1][0]:7} KiB  zone {samples[-1][1]:9} bytes", flush=True)
        output, _ = wrk.communicate(timeout=60)
        return samples, output
    finally:
        if wrk and wrk.poll() is None:
            wrk.kill()
        server.stop()
        service.stop()


def main():
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="pourover-soak-"))
    try:
        samples, output = run(options, directory, cores)
    finally:
        shutil.rmtree(directory)
    requests, wrong = map(int, re.search(r"^requests (\d+) wrong (\d+)$", output, re.M).groups())
    settled = samples[len(samples) // 5 :]
    head, tail = settled[: len(settled) // 4], settled[-(len(settled) // 4) :]
    grown_kib = statistics.median(kib for kib, _ in tail) - statistics.median(kib for kib, _ in head)
    grown_zone = tail[-1][1] - head[0][1]
    print(f"{requests} requests, {wrong} wrong; workers grew by {grown_kib:.0f} KiB, the zone by {grown_zone} bytes")
    return 1 if wrong or grown_kib > GROWTH_KIB or grown_zone > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
