"""Frames on their way to another process: put without waiting, sent in order by one task."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from . import limits
from .remote_frames import encode_frame, fragments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .backend import Backend, Waiter
    from .remote_frames import Frame


class Outbox:
    """A queue of encoded frames. Whoever can wait looks at `full`; streams are bounded by credit."""

    __slots__ = ("_backend", "_bytes", "_data", "_drained", "_frames")

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._data: Waiter | None = None
        self._drained: list[tuple[int, Waiter]] = []

    @property
    def size(self) -> int:
        """How many bytes are not sent yet."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether more waits than should."""
        return self._bytes >= limits.MAX_REMOTE_OUTBOX_BYTES

    def put(self, frame: Frame) -> None:
        """Add a frame. ValueError: it is too long, or holds a text that is no UTF-8."""
        data = encode_frame(frame)
        self._frames.append(data)
        self._bytes += len(data)
        wake(self._data)

    async def run(self, send: Callable[[bytes], Awaitable[object]]) -> None:
        """Send what comes, until cancelled or `send` raises."""
        while True:
            while self._frames:
                data = self._frames[0]
                for message in fragments(data):
                    await send(message)
                self._frames.popleft()
                self._sent(len(data))
            self._data = self._backend.waiter()
            await self._data

    async def wait_until(self, size: int) -> None:
        """Return when at most `size` bytes are not sent yet."""
        if self._bytes > size:
            waiter = self._backend.waiter()
            self._drained.append((size, waiter))
            await waiter

    def _sent(self, size: int) -> None:
        self._bytes -= size
        for entry in [entry for entry in self._drained if self._bytes <= entry[0]]:
            self._drained.remove(entry)
            wake(entry[1])


def wake(waiter: Waiter | None) -> None:
    """Wake whoever waits for `waiter`, if anybody does."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
