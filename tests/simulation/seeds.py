"""The seeds that the suite runs: the same ones each time, and a few that are new with each commit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from .run import simulate
from .workloads import WORKLOADS

REPOSITORY = Path(__file__).parent.parent.parent
SEEDS_OF_A_TEST = 50
FRESH_SEEDS = 40  # over all workloads, for each commit
SEED_BYTES = 6


def chunks(seeds: int, each: int = SEEDS_OF_A_TEST) -> list[range]:
    """The seeds from 1 on, `each` for one test: fewer, where a run takes longer."""
    return [range(first, min(first + each, seeds + 1)) for first in range(1, seeds + 1, each)]


def fresh_seeds() -> list[int]:
    """The ones of the commit that is checked out, or of no commit where there is no repository."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, check=False
    ).stdout
    return [
        int.from_bytes(blake2b(commit + bytes([number]), digest_size=SEED_BYTES).digest(), "big")
        for number in range(FRESH_SEEDS)
    ]


def wrong(workload: str, seeds: range | list[int]) -> Iterator[str]:
    """What is wrong with the runs of these seeds, with the command that shows each of them."""
    for seed in seeds:
        result = simulate(WORKLOADS[workload], seed)
        for complaint in result.complaints:
            yield (
                f"{workload}, seed {seed}: {complaint}\n"
                f"  python -m tests.simulation {workload} --seed {seed} --trace"
            )
