"""Sequences of frames that no client of ours would send, to what keeps a connection."""

from __future__ import annotations

import pytest

from .sessions import SESSIONS, play

SEEDS = {"rooms": 20, "hocuspocus": 20, "calls": 40}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_sequence_of_frames_is_answered_or_ends_the_connection(name: str) -> None:
    """With documented codes, without an error in the log; and others go on."""
    for seed in range(SEEDS[name]):
        try:
            play(name, seed)
        except Exception as error:
            raise AssertionError(f"{name}: seed {seed}: {error!r}") from error
