"""The few primitives below anyio that the event path needs: a one-shot waiter and a wake-up.

anyio's own `Event` costs several microseconds and its `start_soon` tens; handing an event to a
waiting task through a bare future is what makes the path fast on asyncio and on trio alike.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import trio


class Waiter(Protocol):
    """A result that comes once. Awaited by one task; whoever sets it looks at `done()` first.

    A cancelled wait leaves it done, so that a late result is dropped, not raised.
    """

    def done(self) -> bool: ...

    def set_result(self, result: Any, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...

    def __await__(self) -> Generator[Any, None, Any]: ...


class Backend(Protocol):
    """One running event loop, as the host needs it."""

    def waiter(self) -> Waiter:
        """A new waiter, for a task of this loop."""
        ...

    def call_soon(self, function: Callable[[], object], /) -> object:
        """Call `function` from the loop, after what is running now."""
        ...

    def call_from_thread(self, function: Callable[[], object], /) -> object:
        """Likewise, from any thread. RuntimeError: the loop has ended."""
        ...

    async def cancelled_late(self) -> None:
        """For a task that was cancelled after it was woken: raise the cancellation all the same,
        where the code it was woken in expects that."""
        ...


def current_backend() -> Backend:
    """The backend of the loop that is running. RuntimeError: none is."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return TrioBackend()

    return AsyncioBackend(loop)


class AsyncioBackend:
    """asyncio, with any event loop: its futures are the waiters as they stand."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiter: Callable[[], Waiter] = loop.create_future
        self.call_soon: Callable[[Callable[[], object]], object] = loop.call_soon
        self.call_from_thread: Callable[[Callable[[], object]], object] = loop.call_soon_threadsafe

    async def cancelled_late(self) -> None:
        """asyncio cancels a task whose future is done already, and its libraries expect that."""
        await anyio.lowlevel.checkpoint_if_cancelled()


class TrioBackend:
    """trio, by its scheduling primitives."""

    def __init__(self) -> None:
        import trio.lowlevel

        token = trio.lowlevel.current_trio_token()
        self.waiter: Callable[[], Waiter] = TrioWaiter
        self.call_soon: Callable[[Callable[[], object]], object] = token.run_sync_soon
        self.call_from_thread: Callable[[Callable[[], object]], object] = token.run_sync_soon

    async def cancelled_late(self) -> None:
        """trio never does: a lock that was handed over, a nursery that is left, would be lost."""


class TrioWaiter:
    """`asyncio.Future`, as far as `Waiter` goes, for one trio task."""

    __slots__ = ("_cancelled", "_exception", "_result", "_set", "_task")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None
        self._set = False
        self._cancelled = False
        self._result: Any = None
        self._exception: BaseException | None = None

    def done(self) -> bool:
        return self._set or self._cancelled

    def set_result(self, result: Any, /) -> None:
        self._result = result
        self._wake()

    def set_exception(self, exception: BaseException, /) -> None:
        self._exception = exception
        self._wake()

    def _wake(self) -> None:
        if self.done():
            raise RuntimeError("this waiter is done already")

        self._set = True
        if self._task is not None:
            import trio.lowlevel

            trio.lowlevel.reschedule(self._task)
            self._task = None

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.done():
            yield from self._wait().__await__()
        if self._exception is not None:
            raise self._exception

        return self._result

    async def _wait(self) -> None:
        import trio.lowlevel

        self._task = trio.lowlevel.current_task()

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._task = None
            self._cancelled = True
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
