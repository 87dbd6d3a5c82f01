"""A transport that writes what was sent in one turn of the event loop at once.

A commit that opens the output gate lets many small frames go to each reader; to write each by itself is
a system call each, which is most of what a room with many readers costs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from . import limits

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


class Turn:
    """What is to be written at the end of the current turn of one event loop.

    One callback of the loop for all connections: one for each is a good part of what a message costs.
    """

    __slots__ = ("_written",)

    def __init__(self) -> None:
        self._written: list[JoinedWrites] = []

    def add(self, connection: JoinedWrites, loop: AbstractEventLoop) -> None:
        """Flush the connection at the end."""
        if not self._written:
            loop.call_soon(self._end)
        self._written.append(connection)

    def _end(self) -> None:
        written, self._written = self._written, []
        for connection in written:
            connection.flush()


turns: WeakKeyDictionary[AbstractEventLoop, Turn] = WeakKeyDictionary()


class JoinedWrites(asyncio.Transport):
    """Around another transport, in the order of the calls: closing comes after what was written before.

    What waits is bounded by MAX_JOINED_BYTES, then it is written at once; so a peer that does not read
    is felt by who writes no later than without.
    """

    def __init__(self, transport: asyncio.Transport, loop: AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._turn = turns.setdefault(loop, Turn())
        self._waiting: list[bytes | bytearray | memoryview] = []
        self._bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write by the end of this turn. What is written to a closing transport is dropped."""
        if not self._waiting:
            self._turn.add(self, self._loop)
        self._waiting.append(data)
        self._bytes += len(data)
        if self._bytes >= limits.MAX_JOINED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting = self._waiting
        if waiting and not self._transport.is_closing():
            self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        waiting.clear()
        self._bytes = 0

    def close(self) -> None:
        """Close when everything is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what the system took is on its way."""
        self.flush()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        """Read no further."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the other transport says."""
        return self._transport.get_extra_info(name, default)
