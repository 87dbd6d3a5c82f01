"""What the machine refuses a host loses nothing that was acknowledged: each case, in short."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from roomhost.runtime.temporary import temporary_directory

from .case import Stage
from .resources import CASES
from .shim import Shim

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("name", CASES)
def test_a_host_lives_with_it_or_says_why_not_and_loses_nothing(name: str) -> None:
    """See the case; `python -m tests.faults resources --long` does more of each."""
    with temporary_directory() as directory:
        figures = asyncio.run(CASES[name](Stage(Path(directory))))
    assert figures


def test_the_shim_leaves_other_processes_alone(tmp_path: Path) -> None:
    """Its clock and its disk are those of the processes that were started with it."""
    shim = Shim(tmp_path, tmp_path)
    shim.fill()
    shim.step_clock(3_600)
    (tmp_path / "other").write_bytes(b"x")
    assert abs(time.time() - (tmp_path / "other").stat().st_mtime) < 60
