"""`python -m tests.simulation`: any number of seeds, of any workloads, or one of them step by step."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from .run import simulate
from .workloads import WORKLOADS


def main(arguments: list[str] | None = None) -> int:
    """Run them; 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("workload", nargs="*", help=f"of {', '.join(WORKLOADS)}; all of them")
    parser.add_argument("--seeds", type=int, default=2_000, help="how many, of each workload")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="one alone")
    parser.add_argument("--trace", action="store_true", help="print each step")
    parser.add_argument("--digests", action="store_true", help="print what a run can be known by")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.workload) - set(WORKLOADS):
        parser.error(f"no workload: {', '.join(sorted(unknown))}")

    first, seeds = (chosen.first, chosen.seeds) if chosen.seed is None else (chosen.seed, 1)
    wrong = 0
    for name in chosen.workload or WORKLOADS:
        wrong += _run_all(name, range(first, first + seeds), chosen.trace, chosen.digests)
    return 1 if wrong else 0


def _run_all(name: str, seeds: range, trace: bool, digests: bool) -> int:
    """Run these seeds; how many of them failed."""
    begun = time.process_time()
    faults: Counter[str] = Counter()
    wrong = steps = 0
    for seed in seeds:
        result = simulate(WORKLOADS[name], seed, print if trace else None)
        faults += result.faults
        steps += result.steps
        wrong += bool(result.complaints)
        if digests:
            print(seed, result.digest)
        for complaint in result.complaints:
            print(f"{name}, seed {seed}: {complaint}", flush=True)
    if not digests:
        _report(name, len(seeds), wrong, steps, time.process_time() - begun, faults)
    return wrong


def _report(
    name: str, runs: int, wrong: int, steps: int, seconds: float, faults: Counter[str]
) -> None:
    each = f"{seconds / runs * 1_000:.1f} ms and {steps / runs:.0f} steps each"
    print(f"{name}: {runs} runs, {wrong} failed; {each}")
    print("  " + ", ".join(f"{kind} {count}" for kind, count in faults.most_common()))


if __name__ == "__main__":
    sys.exit(main())
