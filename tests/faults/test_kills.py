"""Nothing that a host acknowledged is lost to `kill -9`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from .kill_client import Record
from .kill_life import Life
from .kill_moments import Moment, blows_of
from .kills import Figures, run

SEED = 20_261_127
KINDS = 6  # of what is acknowledged
LIVES = 3  # of a directory, each of as many kills as there are moments in one


@pytest.mark.timeout(150)
@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES))
def test_what_was_acknowledged_survives(tmp_path: Path, seed: int) -> None:
    """Eleven kills at moments of every kind, on one directory, each followed by a look at all that
    was promised to anybody; then the host stops by itself."""
    life = Life(tmp_path, Random(seed), Record())
    asyncio.run(life.live(blows_of(seed)))
    assert life.record.complaints == []
    assert set(life.kills) == set(Moment)
    assert set(life.record.checked) >= set(life.record.acknowledged)
    assert len(life.record.acknowledged) == KINDS


def test_the_blows_of_a_life_follow_from_its_seed() -> None:
    """All of them, before the first."""
    assert blows_of(SEED) == blows_of(SEED)
    assert blows_of(SEED) != blows_of(SEED + 1)


def test_the_command_kills_as_often_as_it_is_told(tmp_path: Path) -> None:
    """In one directory after another, each of which goes with its host."""
    figures = Figures()
    asyncio.run(run(1, SEED, figures, tmp_path))
    assert figures.kills.total() == 1
    assert figures.record.complaints == []
    assert list(tmp_path.iterdir()) == []
