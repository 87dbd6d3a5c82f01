"""What failed once does not fail again."""

from __future__ import annotations

from pathlib import Path

import pytest

from .kept import Kept, kept
from .seeds import REPOSITORY, wrong
from .workloads import WORKLOADS


def test_no_seed_that_failed_fails_again() -> None:
    """Each one, with all its faults."""
    complaints = [
        f"{each.name} ({each.what}): {complaint}"
        for each in kept()
        for complaint in wrong(each.workload, list(each.seeds))
    ]
    assert complaints == []


def test_each_names_a_workload_and_a_test_that_exist() -> None:
    """A story that was renamed is not lost."""
    for each in kept():
        assert each.workload in WORKLOADS
        assert each.what
        if each.test is not None:
            path, _, name = each.test.partition("::")
            assert f"def {name}(" in (REPOSITORY / path).read_text()


def test_a_file_is_read(tmp_path: Path) -> None:
    """Its name, its fields; one that lacks some is refused."""
    text = 'workload = "tallies"\nseeds = [3]\nwhat = "a write is lost"\n'
    (tmp_path / "a.toml").write_text(text)
    assert kept(tmp_path) == [Kept("a", "tallies", (3,), "a write is lost", None)]
    (tmp_path / "b.toml").write_text('workload = "tallies"')
    with pytest.raises(KeyError, match="seeds"):
        kept(tmp_path)
