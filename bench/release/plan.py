#!/usr/bin/env python3
"""Time of plans, memory of the engine's state, and time of a forecast; prints a table.

usage: bench/release/plan.py BUILD [--rounds N] [--record]

BUILD is a build directory, such as build/release. Its plan_driver makes plans for 100 hosts in two data centers,
walks them with every operation answered at once, and forecasts a release of 8 hosts 10,000 times; figures are medians
of the rounds. --record puts the table into docs/performance.md.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import time

ROOT = pathlib.Path(__file__).parents[2]
REPORT = ROOT / "docs/performance.md"
PLAN_MS, STATE_MIB, FORECAST_MS = 50, 20, 5000  # goals


def peak_mib(command):
    done = subprocess.run(["/usr/bin/time", "-q", "-f", "%M", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


def row(what, value, goal):
    return f"| {what} | {value:,.2f} | < {goal:,} | {'met' if value < goal else 'missed'} |"


def table(rows, peak, rounds):
    lines = [f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}; "
             f"`bench/release/plan.py`, {rounds} rounds.", "", "| what | is | goal | |", "|---|---|---|---|"]
    for case in rows:
        if "runs" in case:
            lines.append(row(f"forecast of {case['runs']:,} runs, {case['hosts']} hosts, ms", case["forecast_ms"], FORECAST_MS))
            continue
        name = f"{case['case']}, {case['hosts']} hosts, {case['steps']:,} steps"
        lines.append(row(f"{name}: plan, ms", case["plan_ms"], PLAN_MS))
        lines.append(row(f"{name}: state of the engine, MiB", case["state_bytes"] / 2**20, STATE_MIB))
        lines.append(f"| {name}: the engine's part of the whole release, ms | {case['walk_ms']:,.2f} | - | - |")
    lines.append(row("greatest memory of all of these, MiB", peak, STATE_MIB))
    return "\n".join(lines)


def record(text):
    report = REPORT.read_text()
    block = f"<!-- bench release -->\n{text}\n<!-- /bench release -->"
    report = re.sub(r"<!-- bench release -->.*<!-- /bench release -->", lambda _: block, report, flags=re.S)
    REPORT.write_text(report)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    command = [str(args.build.absolute() / "bench/release/plan_driver"), str(args.rounds)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    text = table([json.loads(line) for line in output.splitlines()], peak_mib(command), args.rounds)
    print(text)
    if args.record:
        record(text)


if __name__ == "__main__":
    main()
