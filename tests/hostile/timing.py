"""How long wrong keys take that begin as the right one does, and such that do not: a look, not a test."""

from __future__ import annotations

import random
import statistics
from time import perf_counter_ns

from roomhost.runtime.api_keys import is_api_key

KEY = "k" * 32
GUESSES = {
    "nothing right": b"x" * 32,
    "half of it right": b"k" * 16 + b"x" * 16,
    "all but one": b"k" * 31 + b"x",
}
ROUNDS = 40_000


def compared() -> list[str]:
    """Lines of a table: the median and the mean of the middle half, in nanoseconds."""
    took: dict[str, list[int]] = {name: [] for name in GUESSES}
    names = list(GUESSES)
    for _ in range(ROUNDS):
        random.shuffle(names)
        for name in names:
            begun = perf_counter_ns()
            is_api_key(GUESSES[name], (KEY,))
            took[name].append(perf_counter_ns() - begun)
    lines = ["| guess | median, ns | middle half, ns |", "| --- | ---: | ---: |"]
    for name, times in took.items():
        times.sort()
        middle = times[len(times) // 4 : 3 * len(times) // 4]
        lines.append(f"| {name} | {times[len(times) // 2]} | {statistics.mean(middle):.1f} |")
    return lines
