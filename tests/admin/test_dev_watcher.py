"""Waiting for a change of real files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from watchfiles._rust_notify import RustNotify

from roomhost.admin import dev_watcher, limits
from roomhost.admin.dev_files import Watched
from roomhost.admin.dev_watcher import Watcher

NEVER = threading.Event()


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    """Of a directory with a package in it."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "inner.py").touch()
    watcher = Watcher(Watched((str(tmp_path),), ignored=(str(tmp_path / "state"),)))
    yield watcher
    watcher.close()


def names(paths: list[str], tmp_path: Path) -> list[str]:
    """Below the directory."""
    return [os.path.relpath(path, tmp_path) for path in paths]


def test_a_burst_is_one_answer_and_nothing_is_lost_before_anybody_waits(
    watcher: Watcher, tmp_path: Path
) -> None:
    """What came before is there when the next one waits."""
    for number in range(20):
        (tmp_path / f"{number:02}.py").write_text("x")
    assert names(watcher.wait(NEVER), tmp_path) == [f"{number:02}.py" for number in range(20)]


def test_directories_that_come_and_are_replaced_are_watched(
    watcher: Watcher, tmp_path: Path
) -> None:
    """A package that is moved into place, and one that takes the place of another."""
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "new.py").touch()
    (tmp_path / "draft").rename(tmp_path / "other")
    assert "other/new.py" in names(watcher.wait(NEVER), tmp_path)
    (tmp_path / "other" / "new.py").write_text("changed")
    assert names(watcher.wait(NEVER), tmp_path) == ["other/new.py"]

    (tmp_path / "package").rename(tmp_path / ".old")
    (tmp_path / "other").rename(tmp_path / "package")
    seen: set[str] = set()
    while seen != {"package/inner.py", "package/new.py", "other/new.py"}:
        seen.update(names(watcher.wait(NEVER), tmp_path))
    (tmp_path / "package" / "new.py").unlink()
    assert names(watcher.wait(NEVER), tmp_path) == ["package/new.py"]


def test_what_does_not_count_wakes_nobody(
    watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data, logs and caches: the files are not even looked at."""
    looked: list[object] = []
    look = watcher._look

    def counted(paths: list[str]) -> list[str]:
        looked.append(paths)
        return look(paths)

    monkeypatch.setattr(watcher, "_look", counted)
    monkeypatch.setattr(limits, "DEV_LOOK_MS", 60_000)
    (tmp_path / "app.log").write_text("line")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "odd.py").write_text("x")
    (tmp_path / "package" / "__pycache__").mkdir()
    (tmp_path / "package" / "__pycache__" / "inner.pyc").touch()
    with ThreadPoolExecutor() as pool:
        stop = threading.Event()
        waiting = pool.submit(watcher.wait, stop)
        (tmp_path / "demo.py").touch()
        assert names(waiting.result(), tmp_path) == ["demo.py"]
    assert len(looked) == 1


def test_waiting_can_be_stopped(watcher: Watcher) -> None:
    """From another thread; then there are no changes."""
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(watcher.wait, stop)
        stop.set()
        assert waiting.result() == []


def test_without_the_system_files_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it has no watches left."""

    def refuse(*arguments: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(dev_watcher, "RustNotify", refuse)
    monkeypatch.setattr(limits, "DEV_POLL_MS", 1)
    watcher = Watcher(Watched((str(tmp_path),)))
    (tmp_path / "demo.py").touch()
    assert names(watcher.wait(NEVER), tmp_path) == ["demo.py"]
    watcher.close()


def test_a_directory_that_goes_while_it_is_asked_about_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is watched."""

    def vanish(paths: list[str], *arguments: Any) -> object:
        (tmp_path / "fleeting").rmdir()
        return RustNotify(paths, *arguments)

    (tmp_path / "fleeting").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(dev_watcher, "RustNotify", vanish)
        watcher = Watcher(Watched((str(tmp_path),)))
    (tmp_path / "demo.py").touch()
    assert names(watcher.wait(NEVER), tmp_path) == ["demo.py"]
    watcher.close()
