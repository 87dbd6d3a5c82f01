"""Looking for an input that a target fails with: what is kept, and what its grammar makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from hypothesis import HealthCheck, Phase, given, settings

from .target import Target, run_bounded

CORPUS = Path(__file__).parent / "corpus"
LENIENT = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
LOOKED_AT = 16  # of so many inputs the memory of one is measured, which takes five times as long


def kept(target: Target) -> Iterator[tuple[str, bytes]]:
    """The inputs that are kept of a target, by their names: seeds, and what once was a defect."""
    for number, seed in enumerate(target.seeds):
        yield f"seed {number}", seed
    for path in sorted((CORPUS / target.name).glob("*")):
        yield path.name, path.read_bytes()


def run_sampled(target: Target, data: bytes) -> None:
    """Run, and of some inputs, always the same ones, measure the memory."""
    if crc32(data) % LOOKED_AT:
        target.run(data)
    else:
        run_bounded(target, data)


def search(target: Target, examples: int, *, shrink: bool = True) -> None:
    """Run so many inputs of the grammar. Any exception: of the least of them that fails."""
    phases = (Phase.reuse, Phase.generate, *((Phase.shrink,) if shrink else ()))

    @settings(max_examples=examples, phases=phases, suppress_health_check=LENIENT)
    @given(target.inputs)
    def try_it(data: bytes) -> None:
        run_sampled(target, data)

    try_it()


def first_failure(target: Target, examples: int) -> Exception | None:
    """What a target fails with, if anything makes it fail that CI tries."""
    try:
        for _, data in kept(target):
            target.run(data)
        search(target, examples, shrink=False)
    except Exception as error:
        return error

    return None
