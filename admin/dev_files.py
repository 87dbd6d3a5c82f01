"""Which files `roomhost dev` watches, and what has changed among them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from . import limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

INCLUDED = ("*.py", "*.html", "*.jinja", "*.jinja2", "*.j2", "roomhost.toml")
# Beside these, every directory whose name begins with a dot.
PASSED_OVER = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules", "venv"})

Stamp = tuple[int, int, int]  # of a file: changed when, nanoseconds; bytes; inode


@dataclass(frozen=True, slots=True)
class Watched:
    """What counts as a source file.

    `roots`: directories, absolute. `include`, `exclude`: patterns as of a shell, each for a file's name
    or for its path below the root; what is excluded may be a directory. `ignored`: directories,
    absolute, as that of the data.
    """

    roots: tuple[str, ...]
    include: tuple[str, ...] = INCLUDED
    exclude: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def is_file(self, path: str) -> bool:
        """Whether a path, absolute, is that of a source file, if there is a file."""
        below = self._below(path)
        if not below:
            return False

        return self._matches(below) and not self._passed_over(path, below, below[:-1])

    def is_directory(self, path: str) -> bool:
        """Whether a path is that of a directory to look into, if it is a directory."""
        below = self._below(path)
        return below is not None and not self._passed_over(path, below, below)

    def shown(self, path: str) -> str:
        """A path for people: below the root where it is in the first one."""
        return relative(path, self.roots[0])

    def _below(self, path: str) -> list[str] | None:
        """The names from its root to a path; None: it is below none."""
        for root in self.roots:
            if path == root:
                return []

            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :].split("/")

        return None

    def _matches(self, below: list[str]) -> bool:
        path = "/".join(below)
        return any(fnmatch(below[-1], one) or fnmatch(path, one) for one in self.include)

    def _passed_over(self, path: str, below: list[str], directories: list[str]) -> bool:
        if any(name.startswith(".") or name in PASSED_OVER for name in directories):
            return True

        if any(is_below(path, directory) for directory in self.ignored):
            return True

        names = [*below, *("/".join(below[: end + 1]) for end in range(len(below)))]
        return any(fnmatch(name, one.rstrip("/")) for one in self.exclude for name in names)


@dataclass(frozen=True, slots=True)
class Tree:
    """The source files as they are on the disk, and the directories that were looked into."""

    files: Mapping[str, Stamp]
    directories: frozenset[str]

    def changes(self, later: Tree) -> list[str]:
        """The paths of what is new, changed or gone in a later tree, sorted."""
        paths = self.files.keys() | later.files.keys()
        return sorted(path for path in paths if self.files.get(path) != later.files.get(path))


def read_tree(watched: Watched) -> Tree:
    """Look at the disk. At most `MAX_WATCHED_FILES` files and directories, the rest is not watched."""
    files: dict[str, Stamp] = {}
    directories: set[str] = set()
    for directory, names in _walk(watched):
        directories.add(directory)
        for name in names:
            path = os.path.join(directory, name)
            stamp = stamp_of(path) if watched.is_file(path) else None
            if stamp is not None:
                files[path] = stamp
        if max(len(files), len(directories)) >= limits.MAX_WATCHED_FILES:
            break
    return Tree(files, frozenset(directories))


def stamp_of(path: str) -> Stamp | None:
    """What changes when a file does; None: there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None

    return found.st_mtime_ns, found.st_size, found.st_ino


def shown_changes(paths: Collection[str], watched: Watched) -> str:
    """Changed files, in one line."""
    names = [watched.shown(path) for path in sorted(paths)]
    first = ", ".join(names[: limits.MAX_SHOWN_CHANGES])
    more = len(names) - limits.MAX_SHOWN_CHANGES
    return f"{first} and {more} more" if more > 0 else first


def relative(path: str, root: str) -> str:
    """A path below a directory without it; another one as it is."""
    return os.path.relpath(path, root) if is_below(path, root) else path


def is_below(path: str, directory: str) -> bool:
    """Whether a path is that of a directory, or of something in it; both are absolute."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def absolute(paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Paths without links and dots, each once."""
    return tuple(dict.fromkeys(str(Path(path).resolve()) for path in paths))


def _walk(watched: Watched) -> Iterator[tuple[str, list[str]]]:
    seen: set[str] = set()
    for root in watched.roots:
        for directory, below, names in os.walk(root):
            if directory in seen:
                below.clear()
                continue

            seen.add(directory)
            below[:] = [
                name for name in below if watched.is_directory(os.path.join(directory, name))
            ]
            yield directory, names
