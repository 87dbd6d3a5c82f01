"""One document of a client of Hocuspocus: what came before it is open, then its room's socket."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import anyio

from ..runtime.close import NO_CODE
from .connection import send_frame
from .hocuspocus_protocol import name_of, prefix_of

if TYPE_CHECKING:
    from ..runtime import WebSocket
    from ..runtime.errors import WebSocketClosed
    from .caller import Caller, Capability


class State(Enum):
    """How far a document is."""

    WAITING = "waiting for a token"  # Next: OPENING, CLOSED.
    OPENING = "admitted, its room is asked"  # Next: OPEN, CLOSED.
    OPEN = "open"  # Next: CLOSED.
    CLOSED = "closed"  # No next: the client may open another of the name.


class RelayedDocument:
    """`key`: the name as the client writes it, with the id of its session if it has one; `prefix`:
    what each frame of it begins with. `scope`: of the task that serves it."""

    __slots__ = ("_socket", "caller", "key", "prefix", "scope", "state", "waiting")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.prefix = prefix_of(key)
        self.state = State.WAITING
        self.caller: Caller | None = None
        self.waiting: list[bytes] = []
        self.scope = anyio.CancelScope()
        self._socket: WebSocket | None = None

    def __repr__(self) -> str:
        return f"<RelayedDocument {self.key!r:.60}, {self.state.value}>"

    @property
    def name(self) -> str:
        """The name of its room. InvalidArgument: it is not UTF-8."""
        return name_of(self.key)

    @property
    def expires_ms(self) -> int | None:
        """When the token is over, by which it is open."""
        return None if self.caller is None else self.caller.expires_at_ms

    def may(self, capability: Capability) -> bool:
        """Whether its client may do something in it."""
        return self.caller is not None and self.caller.may(capability)

    def opened(self, socket: WebSocket) -> None:
        """Its room is there, and gets what waited."""
        assert self.state is State.OPENING, self
        self.state = State.OPEN
        self._socket = socket
        waiting, self.waiting = self.waiting, []
        for frame in waiting:
            send_frame(socket, frame)

    def send(self, frame: bytes) -> None:
        """Send a frame to the room, or have it wait for that."""
        if self._socket is None:
            self.waiting.append(frame)
        else:
            send_frame(self._socket, frame)

    async def room(self) -> None:
        """Return when its room has begun most of what was sent."""
        if self._socket is not None:
            await self._socket.room()

    def leave(self, end: WebSocketClosed | None) -> None:
        """Close the room's socket as the client closed its own; None: it was lost, or cut off."""
        self.state = State.CLOSED
        self.waiting.clear()
        self.scope.cancel()
        if self._socket is None:
            return

        if end is None or not end.was_clean:
            self._socket.terminate()
        elif end.code == NO_CODE:
            self._socket.close()
        else:
            self._socket.close(end.code, end.reason)
