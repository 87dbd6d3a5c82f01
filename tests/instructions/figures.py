"""The recorded figures, and what is wrong with new ones beside them."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from .events import CALIBRATION

FILE = Path(__file__).parent / "figures.json"
LIBRARIES = ("anyio", "lmdb", "msgpack", "msgspec", "pycrdt")  # whose code an event runs
LIMIT = 0.05  # of instructions more than recorded
# Another build of Python, or of a library, is compared by what the calibration takes there. From
# CPython 3.11.7 (GCC, plain) to Debian's 3.11.2 (optimised by profile), 3.12.1 and 3.13.0 the plain
# counts of the same code move by -14 % to +12 %, the calibrated ones by -12 % to +8 %.
LIMIT_ELSEWHERE = 0.15
ACCEPT = "if that is the price of something, record the new figures: make instructions"


class Figures(msgspec.Struct, frozen=True):
    """Instructions of one event by its kind, as one build of Python and the libraries takes them."""

    build: dict[str, str]
    instructions: dict[str, int]


def this_build() -> dict[str, str]:
    """What the counts depend on beside our own code."""
    libraries = {name: version(name) for name in LIBRARIES}
    python = " ".join(sys.version.split())
    libc = " ".join(platform.libc_ver())
    return {"python": python, "libc": libc, "machine": platform.machine(), **libraries}


def faults(recorded: Figures, counted: Figures) -> Iterator[str]:
    """What is wrong, a line for each kind of event."""
    for name in sorted(recorded.instructions.keys() ^ counted.instructions.keys()):
        missing = "recorded" if name in counted.instructions else "counted"
        yield f"{name}: nothing is {missing}; record the figures anew: make instructions"

    scale, limit, where = 1.0, LIMIT, ""
    changed = differences(recorded.build, counted.build)
    if changed:
        scale = counted.instructions[CALIBRATION] / recorded.instructions[CALIBRATION]
        limit = LIMIT_ELSEWHERE
        where = f", beside the calibration, because other versions run here ({changed})"

    for name, instructions in recorded.instructions.items():
        now, before = counted.instructions.get(name, 0), instructions * scale
        if now > before * (1 + limit):
            yield (
                f"{name}: {now:,} instructions, recorded are {instructions:,}: "
                f"{now / before - 1:+.1%}, allowed are {limit:+.0%}{where}; {ACCEPT}"
            )


def differences(recorded: dict[str, str], here: dict[str, str]) -> str:
    """What is another version here."""
    return ", ".join(
        f"{name} {here.get(name, 'none')} for {recorded.get(name, 'none')}"
        for name in sorted(recorded.keys() | here.keys())
        if recorded.get(name) != here.get(name)
    )


def load() -> Figures:
    """What is recorded."""
    return msgspec.json.decode(FILE.read_bytes(), type=Figures)


def save(figures: Figures) -> None:
    """Record these."""
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
