"""Where hosts of tests keep their data."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomhost.runtime import temporary
from roomhost.runtime.temporary import temporary_directory


@pytest.mark.parametrize("memory", ["here", "too little", "not here"])
def test_it_is_in_memory_where_there_is_plenty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str
) -> None:
    """Else where the system keeps such; and gone afterwards."""
    plenty = tmp_path if memory != "not here" else tmp_path / "nowhere"
    monkeypatch.setattr(temporary, "MEMORY", str(plenty))
    monkeypatch.setattr(temporary, "LEAST_MEMORY_BYTES", 2**70 if memory == "too little" else 1)
    with temporary_directory() as directory:
        assert (Path(directory).parent == tmp_path) is (memory == "here")
        assert Path(directory).is_dir()
    assert not Path(directory).exists()
