"""Which files count, and what has changed among them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roomhost.admin import limits
from roomhost.admin.dev_files import (
    INCLUDED,
    Watched,
    absolute,
    read_tree,
    relative,
    shown_changes,
)

WATCHED = Watched(
    ("/app", "/shared"),
    (*INCLUDED, "*.sql", "conf/*.yaml"),
    ("generated", "tests/data/*", "*_pb2.py"),
    ("/app/state", "/app/environment"),
)


@pytest.mark.parametrize(
    "path",
    [
        "/app/demo.py",
        "/app/rooms/chat.py",
        "/app/roomhost.toml",
        "/app/templates/page.html",
        "/app/templates/page.jinja2",
        "/app/schema.sql",
        "/app/conf/one.yaml",
        "/app/statement.py",
        "/app/tests/test_data.py",
        "/shared/lib.py",
    ],
)
def test_sources_count(path: str) -> None:
    """Python, templates, settings, and what was asked for."""
    assert WATCHED.is_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "/app",
        "/app/demo.pyc",
        "/app/demo.py~",
        "/app/.demo.py.swp",
        "/app/notes.txt",
        "/app/one.yaml",
        "/app/__pycache__/demo.py",
        "/app/.venv/lib/site.py",
        "/app/venv/lib/site.py",
        "/app/environment/lib/site.py",
        "/app/.git/hooks/hook.py",
        "/app/lib/site-packages/click.py",
        "/app/node_modules/tool/gyp.py",
        "/app/state/partition-0/odd.py",
        "/app/generated/deep/api.py",
        "/app/rooms/generated/api.py",
        "/app/tests/data/sample.py",
        "/app/api_pb2.py",
        "/elsewhere/demo.py",
        "/apple/demo.py",
    ],
)
def test_the_rest_does_not(path: str) -> None:
    """Environments, caches, the data, what was excluded, what is elsewhere."""
    assert not WATCHED.is_file(path)


def test_directories_that_are_passed_over_are_not_looked_into() -> None:
    """The roots are, and the rest of what is below them."""
    for path in ("/app", "/app/rooms", "/app/rooms/deep", "/shared"):
        assert WATCHED.is_directory(path)
    for path in ("/app/.git", "/app/state", "/app/node_modules/x", "/app/generated", "/other"):
        assert not WATCHED.is_directory(path)


def test_the_root_may_be_anywhere() -> None:
    """Also below a directory that would be passed over in it."""
    watched = Watched(("/home/me/.work/site-packages/app",))
    assert watched.is_file("/home/me/.work/site-packages/app/demo.py")
    assert Watched(("/",)).is_file("/demo.py")


def test_a_tree_tells_new_changed_replaced_and_deleted_files(tmp_path: Path) -> None:
    """A file that another is moved over is changed, though size and time are the same."""
    watched = Watched((str(tmp_path),))
    for name in ("kept", "changed", "replaced", "deleted"):
        (tmp_path / f"{name}.py").write_text("old")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "inner.py").touch()
    before = read_tree(watched)
    assert before.directories == {str(tmp_path), str(tmp_path / "package")}

    (tmp_path / "changed.py").write_text("newer")
    found = (tmp_path / "replaced.py").stat()
    (tmp_path / "draft").write_text("new")
    os.utime(tmp_path / "draft", ns=(found.st_atime_ns, found.st_mtime_ns))
    (tmp_path / "draft").replace(tmp_path / "replaced.py")
    (tmp_path / "deleted.py").unlink()
    (tmp_path / "package").rename(tmp_path / "other")
    changes = before.changes(read_tree(watched))
    assert [relative(path, str(tmp_path)) for path in changes] == [
        "changed.py",
        "deleted.py",
        "other/inner.py",
        "package/inner.py",
        "replaced.py",
    ]


def test_no_tree_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may start it at home."""
    monkeypatch.setattr(limits, "MAX_WATCHED_FILES", 3)
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.py").touch()
    assert len(read_tree(Watched((str(tmp_path),))).files) <= 3


def test_changes_are_one_line() -> None:
    """With the first names, from the first root."""
    assert shown_changes(["/app/b.py", "/app/a/c.py"], WATCHED) == "a/c.py, b.py"
    assert shown_changes(["/shared/x.py"], WATCHED) == "/shared/x.py"
    many = [f"/app/{number}.py" for number in range(7)]
    assert shown_changes(many, WATCHED) == "0.py, 1.py, 2.py, 3.py, 4.py and 2 more"


def test_paths_are_made_absolute_without_links(tmp_path: Path) -> None:
    """As the system names what has changed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert absolute([tmp_path / "link", tmp_path / "real" / ".." / "real"]) == (
        str(tmp_path / "real"),
    )
