"""Whether a file that was imported has become unreadable since."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roomhost.admin.dev_sources import Sources


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module that is imported."""
    path = tmp_path / "worked_on.py"
    path.write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("worked_on")
    yield path
    del sys.modules["worked_on"]


def test_a_file_that_cannot_be_parsed_any_more_is_an_error(source: Path, tmp_path: Path) -> None:
    """Until it can; what it does is not looked at, nor whether it is there."""
    sources = Sources((str(tmp_path),))
    sources.note()
    assert sources.broken() is None
    for broken in ("x = (\n", "x = 1\0\n", "x = '\\d' +\n"):
        source.write_text(broken)
        for _ in range(2):
            error = sources.broken()
            assert error is not None
            assert error.filename == str(source)
    source.write_text("raise ValueError\n")
    assert sources.broken() is None
    source.write_text("x = '\\d'\n")  # a warning
    assert sources.broken() is None
    source.unlink()
    assert sources.broken() is None


def test_libraries_are_not_looked_at(source: Path, tmp_path: Path) -> None:
    """Nor what is elsewhere."""
    sources = Sources((str(tmp_path / "other"),))
    sources.note()
    source.write_text("x = (\n")
    assert sources.broken() is None
