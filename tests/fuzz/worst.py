"""The worst inputs of their size: `python -m tests.fuzz.worst [TARGET ...]`, a process that the system
ends when one of them takes the processor for longer than anything linear could. `--broken NAME` breaks
the product first, and tries the one family that must find it.

It prints a line before each, and one after it: with its size, and the peak of memory for each byte.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable

import pytest

from .broken import BROKEN_WORK, WORK
from .table import TARGETS
from .target import run_bounded

# The work of a linear decoder for the largest input is a tenth of it; of a quadratic one, hours.
CPU_SECONDS = 6
MEASURED_SHARE = 16  # the memory is measured with an input of such a part of the size


def run(names: Iterable[str]) -> None:
    """All families of the targets."""
    for name in names:
        target = TARGETS[name]
        for family, make in target.families.items():
            print(f"{name}: {family}", flush=True)
            data, less = make(target.largest), make(target.largest // MEASURED_SHARE)
            _allow(CPU_SECONDS)
            target.run(data)
            peak = run_bounded(target, less)
            print(f"    {len(data)} bytes, {peak / len(less):.0f} times that", flush=True)


def run_broken(name: str) -> None:
    """The family that must not end, of a product that is broken on purpose."""
    WORK[name](pytest.MonkeyPatch())
    target, _, family = BROKEN_WORK[name].partition(": ")
    data = TARGETS[target].families[family](TARGETS[target].largest)
    print(BROKEN_WORK[name], flush=True)
    _allow(1)
    TARGETS[target].run(data)


def _allow(seconds: int) -> None:
    """From now on the process may use the processor for so long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard)
    )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.argv[1:2] == ["--broken"]:
        run_broken(sys.argv[2])
    else:
        run(sys.argv[1:] or TARGETS)
