"""`python -m benchmarks`: measure this machine."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import anyio

from . import (
    bench_activation,
    bench_alarms,
    bench_calls,
    bench_crdt,
    bench_durable,
    bench_echo,
    bench_fan_out,
    bench_growth,
    bench_history,
    bench_http,
    bench_memory,
    bench_realtime,
    plots,
    scoreboard,
)
from .loops import LOOPS
from .machine import machine, versions
from .measure import Bench, Results, Row, skipped
from .report import fields, table

BENCHES: dict[str, tuple[str, Bench]] = {
    "calls": ("a", bench_calls.run),
    "durable": ("b", bench_durable.run),
    "http": ("c", bench_http.run),
    "echo": ("d", bench_echo.run),
    "fan-out": ("e", bench_fan_out.run),
    "activation": ("f", bench_activation.run),
    "memory": ("g", bench_memory.run),
    "alarms": ("h", bench_alarms.run),
    "realtime": ("i", bench_realtime.run),
    "crdt": ("j", bench_crdt.run),
    "growth": ("k", bench_growth.run),
    "history": ("k", bench_history.run),
}


def main() -> None:
    """Run what was asked for and print the table."""
    options = parser().parse_args()
    names: list[str] = options.names or list(BENCHES)
    about = [
        machine(),
        versions(),
        f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks {' '.join(sys.argv[1:])}`: "
        f"{options.loop}, {options.rounds} rounds of {options.seconds:g} s",
    ]
    print(*about, sep="\n")
    results: Results = []
    begun = time.perf_counter()
    for name in names:
        results += measured(name, options)
    about.append(f"{(time.perf_counter() - begun) / 60:.0f} minutes")
    print(table(results))
    if options.json is not None:
        options.json.write_text(json.dumps([fields(row) for row in results], indent=2) + "\n")
    if options.results:
        reason = plots.missing()
        drawn = [] if reason else plots.draw(results)
        scoreboard.RESULTS.write_text(scoreboard.page(results, about, drawn))
        print(f"{scoreboard.RESULTS} is written{f', without plots: {reason}' if reason else ''}")


def measured(name: str, options: argparse.Namespace) -> Results:
    """The rows of one of them; where it fails, one that says so: the others are worth having."""
    print(f"-- {name}", file=sys.stderr, flush=True)
    letter, bench = BENCHES[name]
    try:
        return anyio.run(bench, options.rounds, options.seconds, **LOOPS[options.loop])
    except Exception as error:
        traceback.print_exc()
        return [Row(letter, skipped(name, f"failed: {error!r}"))]


def parser() -> argparse.ArgumentParser:
    """What can be asked for."""
    found = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    found.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which ones; all without")
    found.add_argument("--loop", choices=LOOPS, default="uvloop")
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--seconds", type=float, default=1.0, help="of one figure in one round")
    found.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    found.add_argument("--results", action="store_true", help="also write RESULTS.md and its plots")
    return found


if __name__ == "__main__":
    main()
