"""What is fuzzed: a function of bytes that must not fail, what it is fed with, and what bounds it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

# Peak of what an input of n bytes makes the allocator hold: so many times n, and a constant.
MEMORY_FACTOR = 300
MEMORY_FLOOR_BYTES = 4 * 1024 * 1024
MAX_INPUT_BYTES = 4_096  # of an input that is drawn; a family makes larger ones

Family = Callable[[int], bytes]


class Finding(AssertionError):
    """What an oracle found wrong."""


@dataclass(frozen=True)
class Target:
    """`run` returns for good input and for input that the decoder refuses as its contract says; every
    exception is a defect. `seeds`: inputs that get far. `inputs`: a strategy of nearly valid ones.
    `families`: makers of the worst inputs of a size, by what is bad about them; `largest`: the size of
    those that is tried, in bytes, which the product lets in. `memory_factor`, `memory_floor_bytes`: the
    bound of what one input takes."""

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    inputs: st.SearchStrategy[bytes]
    families: dict[str, Family] = field(default_factory=dict)
    largest: int = 1_048_000
    memory_factor: int = MEMORY_FACTOR
    memory_floor_bytes: int = MEMORY_FLOOR_BYTES


def demand(good: object, what: str, *shown: object) -> None:
    """Finding, unless `good`."""
    if not good:
        raise Finding(f"{what}: {', '.join(map(repr, shown))}"[:2_000])


def peak_bytes(run: Callable[[bytes], None], data: bytes) -> int:
    """The most that was allocated at a time while an input was read."""
    tracemalloc.start()
    try:
        run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def run_bounded(target: Target, data: bytes) -> int:
    """Run, and look at the memory; its peak. Finding: it is out of proportion to the input."""
    peak = peak_bytes(target.run, data)
    most = target.memory_floor_bytes + target.memory_factor * len(data)
    demand(peak <= most, f"{target.name} took {peak} bytes for {len(data)}")
    return peak


def refused(call: Callable[..., Any], *arguments: Any, by: Any) -> Any:
    """What a call returns; None if it is refused by one of the exceptions `by`, a class or a tuple."""
    try:
        return call(*arguments)
    except by:
        return None
