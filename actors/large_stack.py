"""Work that nests deeply, on a stack that is large enough for it.

yrs recurses over what it reads, and a stack that is used up ends the process (realtime.md 0.2, S1
and S5). One daemon thread has LARGE_STACK_BYTES of stack, of which memory is used only where the
work gets; everybody who calls waits for it, one after the other. It starts with the first work, and
again in a child that was forked.
"""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .limits import LARGE_STACK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def run_on_large_stack(work: Callable[[], T]) -> T:
    """What `work()` returns, called on the thread with the large stack while the caller waits.

    Raises what `work` raises, pycrdt's PanicException and every other BaseException too. To be
    called for what may nest, from any thread; within such work it is called at once."""
    global _thread
    with _starting:
        if _thread is None or _thread.process != os.getpid():
            _thread = _LargeStackThread()

    if threading.current_thread() is _thread.thread:
        return work()

    return _thread.run(work)


class _Work(Generic[T]):
    """A call, and how it ended: with a result, or with an error."""

    __slots__ = ("_call", "_done", "_error", "_result")

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:  # the caller's, whatever it is
            self._error = error
        finally:
            self._done.release()

    def wait(self) -> T:
        self._done.acquire()
        if self._error is None:
            return self._result

        try:
            raise self._error
        finally:
            self._error = None  # it holds this frame, which holds it


class _LargeStackThread:
    """The thread and its queue. `process`: the one it was started in; a fork leaves it behind."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._queue: SimpleQueue[_Work[Any]] = SimpleQueue()
        self.thread = threading.Thread(target=self._serve, name="large stack", daemon=True)
        # The size is of all threads that start from now on: for this one alone, so it is restored.
        size = threading.stack_size(LARGE_STACK_BYTES)
        try:
            self.thread.start()
        finally:
            threading.stack_size(size)

    def run(self, call: Callable[[], T]) -> T:
        work = _Work(call)
        self._queue.put(work)
        return work.wait()

    def _serve(self) -> None:
        while True:
            self._queue.get().run()


_starting = threading.Lock()
_thread: _LargeStackThread | None = None


def _forget() -> None:
    """The lock may be held by a thread that the child does not have."""
    global _starting, _thread
    _starting = threading.Lock()
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
