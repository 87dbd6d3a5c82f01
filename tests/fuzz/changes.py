"""Frames of a sequence: what a client may say, as it is or with a few changes."""

from __future__ import annotations

from random import Random

from ..helpers.yjs_mutations import mutated
from .grammar import ODD_PARTS


def changed(random: Random, seeds: tuple[bytes, ...]) -> bytes:
    """One of the seeds as it is, or with a few changes."""
    data = random.choice(seeds)
    chance = random.random()
    if chance < 0.4:
        return data

    if chance < 0.6:
        at = random.randrange(len(data) + 1)
        return data[:at] + random.choice(ODD_PARTS) + data[at + random.randrange(3) :]

    return mutated(random, data, random.choice(seeds))
