"""A disk that a test holds or breaks, under a real host: what `wrap_commit` is for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import anyio.to_thread

from roomhost.storage import Batch, StorageError

Commit = Callable[[Sequence[Batch]], None]
TIMEOUT_SECONDS = 30


class Disk:
    """Pass `disk.wrap` as `wrap_commit`. While `hold()` is in force no commit gets further."""

    def __init__(self) -> None:
        self.failing = False
        self._open = threading.Event()
        self._open.set()
        self._one_only = False
        self._reached = threading.Semaphore(0)

    def wrap(self, commit: Commit) -> Commit:
        """The commit function to use."""

        def commit_when_let(batches: Sequence[Batch]) -> None:
            if not self._open.is_set():
                self._reached.release()
                assert self._open.wait(TIMEOUT_SECONDS)
            if self._one_only:
                self._one_only = False
                self._open.clear()
            if self.failing:
                raise StorageError("the disk is full: free space")
            commit(batches)

        return commit_when_let

    def hold(self) -> None:
        """Let no commit get further."""
        self._open.clear()

    def release(self) -> None:
        """Let them go on."""
        self._open.set()

    def release_one(self) -> None:
        """Let the commit that is held go on, and hold those after it."""
        self._one_only = True
        self._open.set()

    async def reached(self) -> None:
        """Return when a commit has come to the hold."""
        came = await anyio.to_thread.run_sync(
            lambda: self._reached.acquire(timeout=TIMEOUT_SECONDS)
        )
        assert came
