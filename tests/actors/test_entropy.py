"""Random bytes: as many as are asked for, and none of them twice."""

from __future__ import annotations

import os

from roomhost.actors.entropy import Entropy
from roomhost.actors.limits import ENTROPY_BYTES


def test_bytes_are_given_out_once() -> None:
    """Over the end of what was taken at once, and for more than that."""
    taken: list[bytes] = []

    def source(count: int) -> bytes:
        taken.append(os.urandom(count))
        return taken[-1]

    entropy = Entropy(source)
    given = [entropy(count) for count in (8, 16, 0, ENTROPY_BYTES - 24, 8, ENTROPY_BYTES + 1, 4)]
    assert [len(part) for part in given] == [
        *(8, 16, 0, ENTROPY_BYTES - 24, 8, ENTROPY_BYTES + 1, 4)
    ]
    assert b"".join(given[:4]) == taken[0]
    assert given[4] == taken[1][:8]
    assert given[5] == taken[2]
    assert given[6] == taken[3][:4]


def test_it_is_the_systems() -> None:
    """Two of them have nothing in common."""
    assert Entropy()(16) != Entropy()(16)
