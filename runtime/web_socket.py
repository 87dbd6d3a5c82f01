"""WebSockets as actors see them: two ends, joined in process, each with a mode and a state.

An end is accepted in one of two ways (semantics.md 7). `accept()`: its messages wait in an inbox
for `receive()`; this is what clients and tests do, and what keeps an instance in memory when an
actor does it. `ctx.accept_web_socket(ws)`: its messages become events of the object, which can
hibernate meanwhile.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self

from . import limits
from .attachment import Attachment
from .backend import current_backend
from .close import LOST, LOST_REASON, NO_CODE, TRY_AGAIN_LATER, Close, check_close
from .errors import DurableObjectError, WebSocketClosed
from .events import CURRENT
from .inbox import Inbox
from .leaving import Leaving
from .outgoing_limit import REASON, outgoing_limit
from .ownership import check_socket
from .remote_outbox import wake
from .socket_states import CLOSED, OPEN, UNACCEPTED, Mode
from .socket_states import ReadyState as ReadyState
from .text import as_message, size_of, well_formed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .activation import Activation
    from .hibernation import HibernationManager
    from .output_gate import OutputGate


class WebSocket(Attachment):
    """One end of a connection.

    `url` and `protocol` are those of the request that opened it. An accepted end is an async
    iterator of its messages.
    """

    __slots__ = (
        "_carried",
        "_close_sent",
        "_gated",
        "_gated_bytes",
        "_inbox",
        "_manager",
        "_mode",
        "_on_close",
        "_peer",
        "_pinned",
        "_room",
        "_write",
        "auto_response_at",
        "on_overflow",
        "protocol",
        "ready_state",
        "tags",
        "unstarted",
        "url",
    )

    _peer: WebSocket

    def __init__(self) -> None:
        self.ready_state = ReadyState.CONNECTING
        self.url: str | None = None
        self.protocol: str | None = None
        self.tags: tuple[str, ...] = ()
        self.auto_response_at: datetime | None = None
        self.unstarted = 0  # messages that no handler has begun
        self.on_overflow: Callable[[], object] | None = None  # what waited here was dropped
        self._mode = Mode.NEW
        self._inbox = Inbox()
        self._manager: HibernationManager | None = None
        super().__init__()
        self._close_sent = False
        self._carried = False
        self._gated = 0  # frames that wait for the output gate
        self._gated_bytes = 0
        self._pinned: Activation | None = None  # the instance whose code accepted this end
        self._room: Callable[[], object] | None = None  # of the other end, which waits to send more
        self._write: Callable[[str | bytes], bool] | None = None  # see `carry_out`
        self._on_close: Callable[[], object] | None = None  # likewise

    def __repr__(self) -> str:
        return f"<WebSocket {self._mode.value}, {self.ready_state.name}>"

    def join(self, other: WebSocket) -> None:
        """Make two new ends those of one connection."""
        self._peer = other
        other._peer = self

    def accept(self) -> None:
        """Take this end: `receive()` gets its messages, those that came before too.

        A second call does nothing. TypeError: it is an object's already.
        """
        if self._mode is Mode.HIBERNATABLE:
            raise TypeError("Can't accept() WebSocket after enabling hibernation.")

        if self._mode is Mode.STANDARD:
            return

        self._mode = Mode.STANDARD
        self.opened()
        close = self._inbox.close
        if close is not None:
            self._echo(close)  # it came before this end was taken
            return

        frame = CURRENT.get()
        if frame is not None and self._peer._mode is not Mode.HIBERNATABLE:
            self._pinned = frame.activation
            self._pinned.pin(1)
            self._pinned.slot.sockets_of_object().pinned(self)

    def carry(self) -> None:
        """As `accept()`, for what joins this end to one in another process: a close of the other end
        is not answered here, the answer comes from there. TypeError: this end is taken."""
        if self._mode in (Mode.STANDARD, Mode.HIBERNATABLE):
            raise TypeError(f"Can't carry a WebSocket that is {self._mode.value} already.")

        self._mode = Mode.STANDARD
        self._carried = True
        self.opened()

    def carry_out(self, write: Callable[[str | bytes], bool], closed: Callable[[], object]) -> None:
        """As `accept()`, for a connection that takes what arrives at once. `write(message)` is False
        when it cannot: then the message waits. `closed()`: a close waits, behind what does."""
        self.accept()
        self._write = write
        self._on_close = closed

    def let_go(self) -> None:
        """The connection that this end was carried out by is over, which the other end is told."""
        self._write = self._on_close = None
        self.terminate()
        self._peer = GONE  # no circle keeps both ends for a collection

    @property
    def manager_of_peer(self) -> HibernationManager | None:
        """The sockets of the object that has taken the other end, if one has."""
        return self._peer._manager

    @property
    def holds_messages(self) -> bool:
        """Whether a message waits here."""
        return self._inbox.holds_messages

    def take(self) -> str | bytes | Close | None:
        """What waits longest. None: nothing does."""
        return self._inbox.take()

    def claim(self, manager: HibernationManager, tags: tuple[str, ...]) -> None:
        """Take this end for an object, which calls `opened` next. DurableObjectError: it is taken."""
        if self._mode is Mode.STANDARD:
            raise DurableObjectError(
                "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`"
            )

        if self._mode is not Mode.NEW or self._peer._mode is not Mode.NEW:
            raise DurableObjectError(
                "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been "
                "accepted or used in a Response."
            )

        self._mode = Mode.HIBERNATABLE
        self._manager = manager
        self.tags = tags

    def opened(self) -> None:
        """This end is taken: what came before arrives now."""
        if self.ready_state is ReadyState.CONNECTING:
            self.ready_state = ReadyState.OPEN
        if self._manager is not None:
            for frame in self._inbox.drain():
                self.arrive(frame)

    def use_in_response(self) -> None:
        """This end leaves in a response; its receiver accepts it. TypeError: it is taken."""
        if self._mode is not Mode.NEW:
            raise TypeError(
                f"Can't use a WebSocket in a Response that is {self._mode.value} already."
            )

        self._mode = Mode.USED

    def opened_by(self, url: str, protocol: str | None) -> None:
        """Both ends learn what opened them: the request's URL, the subprotocol of the response."""
        for end in (self, self._peer):
            end.url = url
            end.protocol = protocol

    def send(self, message: str | bytes) -> None:
        """Send a message to the other end, once every write before it is on disk.

        A peer that is gone is ignored. Text is sent as UTF-8, in which half of a surrogate pair is
        U+FFFD, as in JavaScript. TypeError: not str or bytes, this end is not accepted, or it was
        closed.
        """
        if type(message) is str:
            if not message.isascii():
                message = well_formed(message)
        elif type(message) is not bytes:
            message = as_message(message)
        if self.ready_state is not OPEN and not self._may_send():
            return
        if self._manager is None or self._gated:
            check_socket(self._manager, self._pinned)
            return self._emit(message)

        # As `_emit`, without its calls: an object may send each message to thousands.
        gate = self._manager.gate_of_caller()
        if gate is None or gate.is_open:
            self._peer.arrive(message)
        else:
            self._wait(gate, message)

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection; a second call does nothing (semantics.md 7.7).

        ValueError: a code that may not be sent, a reason without a code or over 123 UTF-8 bytes.
        """
        self._check_accepted()
        if isinstance(reason, str):
            reason = well_formed(reason)
        check_close(code, reason)
        if self._close_sent or self.ready_state is ReadyState.CLOSED:
            return

        check_socket(self._manager, self._pinned)
        self._close_sent = True
        self._inbox.wake()
        answers = self.ready_state is ReadyState.CLOSING
        self.ready_state = ReadyState.CLOSED if answers else ReadyState.CLOSING
        self._emit(Close(NO_CODE if code is None else code, reason or ""))
        self._unpin()
        if answers:
            self.forget()

    def terminate(self) -> None:
        """Drop the connection without a close frame: the other end sees code 1006."""
        if self.ready_state is not ReadyState.CLOSED:
            self.ready_state = ReadyState.CLOSED
            self._peer.arrive(Close(LOST, LOST_REASON, was_clean=False))
            self._ended(Close(LOST, LOST_REASON, was_clean=False))

    def forward(self, message: str | bytes) -> bool:
        """A message came from a client out in the network; its text is valid. Whether there is room
        for more."""
        if self.ready_state is not CLOSED and not self._close_sent:
            self._peer.arrive(message)
        return self._peer.unstarted < limits.MAX_UNSTARTED_MESSAGES

    def closed_by_peer(self, code: int, reason: str) -> None:
        """A client out in the network closed, with a code that a frame may have: tell the object."""
        if self.ready_state is not ReadyState.CLOSED and not self._close_sent:
            self._close_sent = True
            self.ready_state = ReadyState.CLOSING
            self._peer.arrive(Close(code, reason))

    def failed(self, code: int, reason: str) -> None:
        """A client out in the network broke the protocol, and is disconnected: tell the object."""
        if self.ready_state is not ReadyState.CLOSED:
            self.ready_state = ReadyState.CLOSED
            close = Close(code, reason, was_clean=False)
            peer = self._peer
            if peer._manager is not None and peer.ready_state is not ReadyState.CLOSED:
                peer._manager.failed(peer, close)
            else:
                peer.arrive(close)
            self._ended(close)

    @property
    def buffered_amount(self) -> int:
        """The bytes that were sent and still wait: for the output gate, and for the other end to
        take them.

        A text counts in UTF-8. What has gone into the network connection counts no more, be it on
        its way; what an object's handlers have yet to begin does not count either.
        """
        return self._gated_bytes + self._peer._inbox.size

    def set_outgoing_limit(
        self, *, max_bytes: int, max_frames: int, code: int = TRY_AGAIN_LATER, reason: str = REASON
    ) -> None:
        """Bound what waits for the other end to read, from the next message on: what is sent beyond
        it drops all that waits, and closes the connection with `code`.

        The object then gets `web_socket_close(ws, code, reason, was_clean=False)`. The limit lives as
        long as the connection, across hibernation. A single message may be larger than `max_bytes`:
        it waits alone. What has gone into the network connection does not count, be it on its way:
        64 KiB and a message, to another process 512 KiB. Beyond Cloudflare's API.

        ValueError: a limit below 1 or above the default, which is 16 MiB and 65,536 messages; a code
        or reason that may not be sent. TypeError: this end is not accepted.
        """
        self._check_accepted()
        self._peer._inbox.limit = outgoing_limit(max_bytes, max_frames, code, reason)

    async def receive(self) -> str | bytes:
        """The next message. WebSocketClosed: the connection ended. TypeError: not accepted with
        `accept()`."""
        if self._mode is not Mode.STANDARD:
            raise TypeError("receive() needs a WebSocket that was accepted with accept().")

        frame = await self._inbox.get()
        if isinstance(frame, Close):
            raise WebSocketClosed(frame.code, frame.reason, frame.was_clean)

        return frame

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    def arrive(self, frame: str | bytes | Close) -> None:
        """Something came from the other end. It is the object's, the connection's, or waits."""
        if self.ready_state is CLOSED:
            return

        if isinstance(frame, Close):
            self._arrive_close(frame)
        elif self._write is not None and self._write(frame):
            return
        elif self._manager is not None:
            self._manager.arrived(self, frame)
        elif not self._inbox.put(frame):
            self._overflow()

    async def room(self) -> None:
        """Return when the other end may get more: its object has begun most of what came."""
        while self._peer.unstarted >= limits.MAX_UNSTARTED_MESSAGES:
            waiter = current_backend().waiter()
            self.when_room(partial(wake, waiter))
            await waiter

    def when_room(self, callback: Callable[[], object]) -> None:
        """Call `callback()` once, when the other end may get more."""
        self._peer._room = callback

    async def read(self) -> None:
        """Return when a reader of the other end has taken most of what came, or closed."""
        peer = self._peer
        while not peer._close_sent and peer._inbox.crowded:
            await peer._inbox.taken()

    def message_started(self) -> None:
        """A handler began with a message of this end, or never will."""
        self.unstarted -= 1
        room = self._room
        if room is not None and self.unstarted < limits.MAX_UNSTARTED_MESSAGES:
            self._room = None
            room()

    def bypass(self, message: str) -> None:
        """Send an auto-response: past the output gate, but behind what waits there already."""
        if self._gated:
            self._emit(message)
        else:
            self._peer.arrive(message)

    def end(self, close: Close, tells_peer: bool = True) -> None:
        """The host ends the connection, without a handler: a reset, or a restart."""
        if self.ready_state is not ReadyState.CLOSED:
            self.ready_state = ReadyState.CLOSED
            if tells_peer:
                self._peer.arrive(close)
            self._ended(close)

    def close_heard(self) -> None:
        """The object's close handler starts: if the object closed first, that was the answer."""
        if self._close_sent:
            self.ready_state = ReadyState.CLOSED
            self.forget()

    def answer_close(self, close: Close) -> None:
        """The object's close handler ended: echo the code if it did not close (7.7)."""
        if close.was_clean and not self._close_sent and self.ready_state is ReadyState.CLOSING:
            self._close_sent = True
            self._emit(close)
        self.ready_state = ReadyState.CLOSED
        self.forget()

    def forget(self) -> None:
        """The object no longer lists this end."""
        if self._manager is not None:
            self._manager.remove(self)

    def _check_accepted(self) -> None:
        if self._mode in UNACCEPTED:
            raise TypeError(
                "You must call one of accept() or state.acceptWebSocket() on this WebSocket before "
                "sending messages."
            )

    def _may_send(self) -> bool:
        """Whether the connection is there. TypeError: this end is not accepted, or was closed."""
        self._check_accepted()
        if self._close_sent:
            raise TypeError("Can't call WebSocket send() after close().")

        return self.ready_state is not CLOSED

    def _emit(self, frame: str | bytes | Close) -> None:
        gate = self._output_gate()
        if gate is None or (gate.is_open and not self._gated):
            self._peer.arrive(frame)
        else:
            self._wait(gate, frame)

    def _wait(self, gate: OutputGate, frame: str | bytes | Close) -> None:
        size = 0 if isinstance(frame, Close) else size_of(frame)
        self._gated += 1
        self._gated_bytes += size
        if self._manager is not None:
            self._manager.emit(gate, (self,), size, frame)
            return

        leaving = Leaving(gate)
        leaving.add((self,), size, frame)
        gate.when_open(leaving, leaving)

    def _output_gate(self) -> OutputGate | None:
        """The gate of the object that speaks: the one this end belongs to, or whose code runs."""
        if self._manager is not None:
            return self._manager.output_gate

        frame = CURRENT.get()
        return None if frame is None else frame.activation.commits.gate

    def _arrive_close(self, close: Close) -> None:
        if self._manager is not None and self._close_sent and close.was_clean:
            # The answer to the object's own close: over when its handler is told, not before.
            self._manager.closed(self, close)
            return

        answered = self._close_sent or not close.was_clean
        self.ready_state = ReadyState.CLOSED if answered else ReadyState.CLOSING
        if self._manager is not None:
            if answered:
                self.forget()
            self._manager.closed(self, close)
            return

        if self._mode is Mode.STANDARD and not self._carried:
            self._echo(close)
        self._ended(close)

    def _echo(self, close: Close) -> None:
        """Answer a close, unless that is done; the standard API does it by itself (semantics.md,
        web_socket_auto_reply_to_close). Not within the call that closed, which still finds its end
        CLOSING."""
        if self.ready_state is ReadyState.CLOSING:
            self._close_sent = True
            self.ready_state = ReadyState.CLOSED
            current_backend().call_soon(partial(self._peer.arrive, close))

    def _overflow(self) -> None:
        """Nobody reads this end: drop what waits, and the connection with it."""
        close = self._inbox.limit.close
        self._inbox.clear()
        if self._peer._manager is not None:
            self._peer._manager.slot.meter.slow_readers += 1
        self.ready_state = ReadyState.CLOSED
        self._peer.arrive(close)
        self._ended(close)
        if self.on_overflow is not None:
            self.on_overflow()

    def _ended(self, close: Close) -> None:
        self._inbox.put(close)
        if self._on_close is not None:
            self._on_close()
        self._unpin()

    def _unpin(self) -> None:
        """This end no longer keeps the instance that accepted it in memory."""
        pinned, self._pinned = self._pinned, None
        if pinned is not None:
            pinned.slot.sockets_of_object().unpinned(self)
            pinned.pin(-1)


# The other end of one that was let go: closed, and nothing waits for it or in it.
GONE = WebSocket()
GONE.join(GONE)
GONE.ready_state = ReadyState.CLOSED
