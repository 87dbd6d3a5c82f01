"""Chance from the seed, and the system's again afterwards."""

from __future__ import annotations

import os
import random
import secrets
import uuid

from .entropy import seeded


def drawn() -> tuple[object, ...]:
    """One of each kind."""
    return os.urandom(8), secrets.token_hex(4), uuid.uuid4(), random.random(), secrets.randbelow(99)


def test_the_same_seed_gives_the_same() -> None:
    """All that the product draws from."""
    found: list[tuple[object, ...]] = []
    for seed in (1, 1, 2):
        with seeded(seed):
            found.append(drawn())
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


def test_afterwards_everything_is_as_it_was() -> None:
    """The system's own, and the module's stream goes on where it was."""
    random.seed(5)
    expected = random.random()
    random.seed(5)
    before = os.urandom
    with seeded(1):
        random.random()
    assert os.urandom is before
    assert random.random() == expected
    assert drawn()[:3] != drawn()[:3]
