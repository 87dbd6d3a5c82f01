"""What is kept: seeds that get far, and every input that once was a defect."""

from __future__ import annotations

import pytest

from .search import CORPUS, kept
from .table import TARGETS
from .target import run_bounded

MAX_KEPT_BYTES = 65_536


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_kept_does_not_fail(name: str) -> None:
    """Nor takes more memory than it may."""
    for shown, data in kept(TARGETS[name]):
        try:
            run_bounded(TARGETS[name], data)
        except Exception as error:
            raise AssertionError(f"{name}: {shown}: {error!r}") from error


def test_every_kept_file_is_of_a_target() -> None:
    """A folder of another name would never be read; and the files are small."""
    for folder in CORPUS.iterdir():
        assert folder.name in TARGETS
        assert all(path.stat().st_size <= MAX_KEPT_BYTES for path in folder.iterdir())
