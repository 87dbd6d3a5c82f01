"""`python -m benchmarks`: measure this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio

from . import bench_calls, bench_crdt, bench_durable, bench_realtime
from .measure import Figure, ratio

FIELDS = ("name", "unit", "median", "slowest", "fastest", "ratio", "beside", "note")
Results = list[tuple[Figure, Figure | None]]
Bench = Callable[[int, float], Awaitable[Results]]
BENCHES: dict[str, Bench] = {
    "calls": bench_calls.run,
    "durable": bench_durable.run,
    "realtime": bench_realtime.run,
    "crdt": bench_crdt.run,
}
LOOPS: dict[str, dict[str, Any]] = {
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "asyncio": {"backend": "asyncio"},
    "trio": {"backend": "trio"},
}


def main() -> None:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which ones; all without")
    parser.add_argument("--loop", choices=LOOPS, default="uvloop")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one figure in one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args()
    print(f"{machine()}, {options.loop}, {options.rounds} rounds of {options.seconds} s")
    results: Results = []
    for name in options.names or BENCHES:
        results += anyio.run(BENCHES[name], options.rounds, options.seconds, **LOOPS[options.loop])
    print(table(results))
    if options.json is not None:
        options.json.write_text(json.dumps([row(*result) for result in results], indent=2) + "\n")


def machine() -> str:
    """What it ran on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("roomhost", "lmdb", "uvloop"))
    return f"{os.cpu_count()} CPUs, CPython {platform.python_version()}, {versions}"


def row(figure: Figure, reference: Figure | None) -> dict[str, Any]:
    """One figure; without rounds, why there are none."""
    if not figure.rates:
        return dict.fromkeys(FIELDS) | {
            "name": figure.name,
            "unit": figure.unit,
            "note": figure.notes[-1],
        }

    low, high = figure.spread
    return {
        "name": figure.name,
        "unit": figure.unit,
        "median": round(figure.median),
        "slowest": round(low),
        "fastest": round(high),
        "ratio": None if reference is None else round(ratio(figure, reference), 3),
        "beside": None if reference is None else reference.name,
        "note": figure.notes[-1] if figure.notes else "",
    }


def table(results: Results) -> str:
    """The figures for people."""
    lines = [f"{'':50}{'median':>10}  {'slowest - fastest':>19}  {'ratio':>6}"]
    for found in (row(*result) for result in results):
        if found["median"] is None:
            lines.append(f"{found['name']} ({found['unit']}): {found['note']}")
            continue

        spread = f"{found['slowest']:,} - {found['fastest']:,}"
        beside = "" if found["ratio"] is None else f"{found['ratio']:.2f}"
        name = f"{found['name']} ({found['unit']})"
        lines.append(f"{name:50}{found['median']:>10,}  {spread:>19}  {beside:>6}  {found['note']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
