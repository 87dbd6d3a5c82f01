"""What has arrived at one end of a WebSocket and was not received: bounded, in order, one reader."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from . import limits
from .backend import current_backend
from .outgoing_limit import DEFAULT_LIMIT
from .text import size_of

if TYPE_CHECKING:
    from .backend import Waiter
    from .close import Close

    Frame: TypeAlias = str | bytes | Close


class Inbox:
    """A queue of frames. It ends with a close frame, which every later `get` returns again."""

    __slots__ = ("_bytes", "_close", "_frames", "_taken", "_waiter", "limit")

    def __init__(self) -> None:
        # None before the first one: an empty deque has 700 bytes, which most ends never need.
        self._frames: deque[str | bytes] | None = None
        self._bytes = 0
        self._close: Close | None = None
        self._waiter: Waiter | None = None
        self._taken: Waiter | None = None  # of who puts frames in, and waits for their reader
        self.limit = DEFAULT_LIMIT

    @property
    def size(self) -> int:
        """The bytes that wait, a text's in UTF-8."""
        return self._bytes

    @property
    def holds_messages(self) -> bool:
        """Whether a message waits."""
        return bool(self._frames)

    @property
    def crowded(self) -> bool:
        """Whether the reader should take something before more comes from another process."""
        overhead = len(self._frames or ()) * limits.REMOTE_MESSAGE_OVERHEAD_BYTES
        return self._close is None and self._bytes + overhead > limits.REMOTE_WINDOW_BYTES

    @property
    def close(self) -> Close | None:
        """The close frame that ends it, once that has come."""
        return self._close

    def put(self, frame: Frame) -> bool:
        """Add a frame. False: the inbox is full, of bytes or frames; nothing was added."""
        if isinstance(frame, (str, bytes)):
            size, limit, frames = size_of(frame), self.limit, self._frames
            if frames and (len(frames) >= limit.max_frames or self._bytes + size > limit.max_bytes):
                return False

            if frames is None:
                frames = self._frames = deque()
            frames.append(frame)
            self._bytes += size
        elif self._close is None:
            self._close = frame
            self.wake()
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
        frame = self.take()
        assert frame is not None
        return frame

    def take(self) -> Frame | None:
        """The next frame; None: there is none yet."""
        if not self._frames:
            return self._close

        frame = self._frames.popleft()
        self._bytes -= size_of(frame)
        self.wake()
        return frame

    async def taken(self) -> None:
        """Return when a frame was taken, or none will come any more."""
        self._taken = current_backend().waiter()
        await self._taken

    def wake(self) -> None:
        """Whoever waits in `taken` looks again."""
        taken = self._taken
        if taken is not None and not taken.done():
            taken.set_result(None)

    def drain(self) -> list[Frame]:
        """Everything that waits, which is taken out."""
        frames: list[Frame] = list(self._frames or ())
        self.clear()
        if self._close is not None:
            frames.append(self._close)
            self._close = None
        return frames

    def clear(self) -> None:
        """Drop the messages that wait."""
        self._frames = None
        self._bytes = 0
        self.wake()
