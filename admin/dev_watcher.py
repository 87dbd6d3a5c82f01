"""Waiting until a source file changes."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from . import limits
from .dev_files import read_tree

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from .dev_files import Watched


class Watcher:
    """Compares the files with what they were when it last looked, so that nothing is missed: not what
    changes before anybody waits, nor what an editor puts in a file's place.

    The system says when to look. It is asked about the directories that count and no others, which
    `watchfiles.watch` cannot: it would register each one of a virtual environment too.
    """

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self._tree = read_tree(watched)
        self._notify: RustNotify | None = None
        self._ask()
        self._tree = read_tree(watched)

    def wait(self, stop: threading.Event) -> list[str]:
        """Wait for changes and return the paths of the files, absolute, once a burst of them is over;
        none: `stop` is set. It blocks, with the interpreter free for others."""
        while not stop.is_set():
            said = self._wait_for_system(stop)
            if said is None or self._matters(said):
                changes = self._look(said or ())
                if changes:
                    return changes
        return []

    def close(self) -> None:
        """Watch no more."""
        notify, self._notify = self._notify, None
        if notify is not None:
            notify.close()

    def _wait_for_system(self, stop: threading.Event) -> list[str] | None:
        """The paths that the system names; None: none, but it is time to look."""
        if self._notify is None:
            stop.wait(limits.DEV_POLL_MS / 1000)
            return None

        said = self._notify.watch(
            limits.DEV_MAX_GATHER_MS, limits.DEV_GATHER_MS, limits.DEV_LOOK_MS, stop
        )
        return [path for _, path in said] if isinstance(said, set) else None

    def _matters(self, paths: Iterable[str]) -> bool:
        """Whether source files may have changed: not when a log or a database was written."""
        watched = self.watched
        return any(
            watched.is_file(path)
            or (watched.is_directory(path) and (os.path.isdir(path) or not os.path.exists(path)))
            for path in paths
        )

    def _look(self, paths: Iterable[str]) -> list[str]:
        """What has changed. A directory that is new, or was replaced, is asked about from now on."""
        before, self._tree = self._tree, read_tree(self.watched)
        known = before.directories | self._tree.directories
        if before.directories != self._tree.directories or not known.isdisjoint(paths):
            self._ask()
            self._tree = read_tree(self.watched)
        return before.changes(self._tree)

    def _ask(self) -> None:
        """Ask the system about all directories; without it, where it cannot, they are looked at."""
        self.close()
        directories = sorted(self._tree.directories)
        with contextlib.suppress(OSError, WatchfilesRustInternalError):
            # The last argument: one that has gone meanwhile, or that cannot be read, is passed over.
            self._notify = RustNotify(directories, False, False, limits.DEV_POLL_MS, False, True)
