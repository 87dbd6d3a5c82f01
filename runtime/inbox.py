"""What has arrived at one end of a WebSocket and was not received: bounded, in order, one reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from . import limits
from .backend import current_backend

if TYPE_CHECKING:
    from .backend import Waiter
    from .close import Close

    Frame: TypeAlias = str | bytes | Close


class Inbox:
    """A queue of frames. It ends with a close frame, which every later `get` returns again."""

    __slots__ = ("_bytes", "_close", "_frames", "_waiter")

    def __init__(self) -> None:
        self._frames: deque[str | bytes] = deque()
        self._bytes = 0
        self._close: Close | None = None
        self._waiter: Waiter | None = None

    @property
    def close(self) -> Close | None:
        """The close frame that ends it, once that has come."""
        return self._close

    def put(self, frame: Frame) -> bool:
        """Add a frame. False: the inbox is full, of bytes or frames; nothing was added."""
        if isinstance(frame, (str, bytes)):
            if (
                len(self._frames) >= limits.MAX_OUTGOING_FRAMES
                or self._bytes + len(frame) > limits.MAX_OUTGOING_BYTES
            ) and self._frames:
                return False

            self._frames.append(frame)
            self._bytes += len(frame)
        elif self._close is None:
            self._close = frame
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        return True

    async def get(self) -> Frame:
        """The next frame, when there is one. RuntimeError: somebody else waits for it already."""
        while not self._frames and self._close is None:
            if self._waiter is not None and not self._waiter.done():
                raise RuntimeError("another task is receiving from this WebSocket already")

            self._waiter = current_backend().waiter()
            await self._waiter
        if self._frames:
            frame = self._frames.popleft()
            self._bytes -= len(frame)
            return frame

        assert self._close is not None
        return self._close

    def drain(self) -> list[Frame]:
        """Everything that waits, which is taken out."""
        frames: list[Frame] = list(self._frames)
        self.clear()
        if self._close is not None:
            frames.append(self._close)
            self._close = None
        return frames

    def clear(self) -> None:
        """Drop the messages that wait."""
        self._frames.clear()
        self._bytes = 0
