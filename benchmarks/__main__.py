"""`python -m benchmarks`: measure this machine."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio

from . import (
    bench_calls,
    bench_crdt,
    bench_durable,
    bench_echo,
    bench_fan_out,
    bench_history,
    bench_http,
    bench_realtime,
)
from .measure import Bench, Results
from .report import fields, table

BENCHES: dict[str, Bench] = {
    "calls": bench_calls.run,
    "durable": bench_durable.run,
    "http": bench_http.run,
    "echo": bench_echo.run,
    "fan-out": bench_fan_out.run,
    "realtime": bench_realtime.run,
    "history": bench_history.run,
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
        options.json.write_text(json.dumps([fields(row) for row in results], indent=2) + "\n")


def machine() -> str:
    """What it ran on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("roomhost", "lmdb", "uvloop"))
    return f"{os.cpu_count()} CPUs, CPython {platform.python_version()}, {versions}"


if __name__ == "__main__":
    main()
