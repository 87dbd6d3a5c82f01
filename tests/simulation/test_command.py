"""`python -m tests.simulation`."""

from __future__ import annotations

import pytest

from .__main__ import main
from .test_run import Crooked
from .workloads import WORKLOADS


def test_it_runs_seeds_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    """How many, how long, and which faults."""
    assert main(["tallies", "--seeds", "3"]) == 0
    assert "tallies: 3 runs, 0 failed" in capsys.readouterr().out


def test_it_shows_one_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    """`--seed N --trace`."""
    assert main(["tallies", "--seed", "4", "--trace"]) == 0
    assert "thread roomhost-writer" in capsys.readouterr().out


def test_it_tells_what_was_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the seed, and an exit code of 1."""
    monkeypatch.setitem(WORKLOADS, "crooked", Crooked)
    assert main(["crooked", "--first", "7", "--seeds", "1"]) == 1
    assert "crooked, seed 7: the workload failed" in capsys.readouterr().out


def test_it_knows_its_workloads(capsys: pytest.CaptureFixture[str]) -> None:
    """Another name is refused."""
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "no workload: nothing" in capsys.readouterr().err
