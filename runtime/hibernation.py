"""The sockets of one object that outlive its instances: tags, order, auto-response, events."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..storage import StorageError
from . import limits
from .close import LOST, LOST_REASON, RESTART, TOO_BIG, TRY_AGAIN_LATER, Close
from .errors import DurableObjectError, LimitError
from .event_kind import EventKind, ResetCause
from .events import Event
from .leaving import Leaving
from .ownership import check_owner
from .socket_tags import check_tags
from .text import size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .auto_response import WebSocketRequestResponsePair
    from .output_gate import OutputGate
    from .slot import Slot
    from .timers import Timer
    from .web_socket import WebSocket

logger = logging.getLogger("roomhost.runtime")


class HibernationManager:
    """What `ctx.accept_web_socket` and its relatives work on. Dropped whole when the object resets."""

    __slots__ = (
        "_by_tag",
        "_leaving",
        "_sockets",
        "_standard",
        "auto_response",
        "event_timeout_ms",
        "slot",
    )

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._sockets: dict[WebSocket, None] = {}  # in order of acceptance
        self._by_tag: dict[str, dict[WebSocket, None]] = {}
        self._standard: dict[WebSocket, None] = {}  # not listed: they end with the instance
        self._leaving: Leaving | None = None  # what waits for the gate, and may be joined
        self.auto_response: WebSocketRequestResponsePair | None = None
        self.event_timeout_ms: int | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    @property
    def empty(self) -> bool:
        """Whether there is no socket."""
        return not self._sockets

    @property
    def output_gate(self) -> OutputGate | None:
        """The gate that frames to the clients leave through: the running instance's."""
        activation = self.slot.activation
        if activation is None:
            activation = self.slot.running
        return None if activation is None else activation.commits.gate

    def gate_of_caller(self) -> OutputGate | None:
        """As `output_gate`, for code that uses a socket. DurableObjectError: it is another object's."""
        activation = self.slot.activation
        if activation is not None and activation.turn is not None:
            return activation.commits.gate

        check_owner(self.slot, "this WebSocket")
        return self.output_gate

    def accept(self, ws: WebSocket, tags: Iterable[str]) -> None:
        """Take a socket; semantics.md 7.2 says what is refused."""
        checked = check_tags(tags)
        if len(self._sockets) >= limits.MAX_SOCKETS:
            raise LimitError(
                f"only {limits.MAX_SOCKETS} websockets can be accepted on a single Durable Object instance"
            )

        ws.claim(self, checked)
        self._sockets[ws] = None
        self.slot.meter.sockets += 1
        for tag in checked:
            self._by_tag.setdefault(tag, {})[ws] = None
        ws.opened()

    def remove(self, ws: WebSocket) -> None:
        """The socket is closed: it is listed no more."""
        if ws in self._sockets:
            del self._sockets[ws]
            self.slot.meter.sockets -= 1
            for tag in ws.tags:
                tagged = self._by_tag[tag]
                del tagged[ws]
                if not tagged:
                    del self._by_tag[tag]
            self.slot.release()

    def cut_short(self, ws: WebSocket) -> None:
        """Something of the socket will not come to its end: the client is told to come back."""
        self.remove(ws)
        ws.end(Close(RESTART, "Service Restart"))

    def pinned(self, ws: WebSocket) -> None:
        """The object's code took an end by `accept()`: it drops when the object is reset."""
        self._standard[ws] = None

    def unpinned(self, ws: WebSocket) -> None:
        """That end is closed."""
        self._standard.pop(ws, None)

    def select(self, tag: str | None) -> list[WebSocket]:
        """All sockets, newest first; or those with the tag, oldest first."""
        if tag is None:
            return list(reversed(self._sockets))

        return list(self._by_tag.get(tag, ()))

    def set_event_timeout(self, ms: int | None) -> None:
        """The longest one run of a handler may take; 0 and None: no limit."""
        if ms is not None and ms < 0:
            raise TypeError(f"Event timeout must not be negative, it is {ms} ms.")

        if ms is not None and ms > limits.MAX_EVENT_TIMEOUT_MS:
            raise LimitError(f"Event timeout should not exceed {limits.MAX_EVENT_TIMEOUT_MS} ms.")

        self.event_timeout_ms = ms or None

    def emit(
        self,
        gate: OutputGate,
        sockets: Sequence[WebSocket],
        size: int,
        frame: str | bytes | Close,
    ) -> None:
        """Have a frame of each of `sockets` leave when the gate lets out what is emitted now."""
        leaving = self._leaving
        if leaving is not None and leaving.takes(gate):
            leaving.add(sockets, size, frame)
            return

        self._leaving = leaving = Leaving(gate)
        leaving.add(sockets, size, frame)
        gate.when_open(leaving, leaving)

    def arrived(self, ws: WebSocket, message: str | bytes) -> None:
        """A message from a client: answered here, or an event for the object."""
        slot = self.slot
        if slot.engine.refusal is not None:
            return

        pair = self.auto_response
        if pair is not None and type(message) is str and message == pair.request:
            ws.auto_response_at = datetime.fromtimestamp(slot.engine.clock.now_ms() / 1000, UTC)
            ws.bypass(pair.response)
            return

        # Four bytes a character at most: only a huge message has to be measured.
        most = limits.MAX_MESSAGE_BYTES
        if len(message) * 4 > most and size_of(message) > most:
            self.failed(ws, Close(TOO_BIG, "Message is too large"))
            return

        ws.unstarted += 1
        slot.deliver(MessageEvent(self, ws, message))

    def closed(self, ws: WebSocket, close: Close) -> None:
        """A close from a client, or its loss: an event for the object."""
        if self.slot.engine.refusal is not None:
            ws.answer_close(close)
            return

        self.slot.deliver(CloseEvent(self, ws, close))

    def failed(self, ws: WebSocket, close: Close) -> None:
        """A client broke the protocol: an error for the object, the end of the connection."""
        if self.slot.engine.refusal is None:
            self.slot.deliver(ErrorEvent(self, ws, DurableObjectError(close.reason)))
        self.remove(ws)
        ws.end(close)

    def drop(self) -> None:
        """The object was reset: every client sees its connection lost."""
        self._end_all(Close(LOST, LOST_REASON, was_clean=False))

    def restart(self) -> None:
        """The host stops: every client is told to come back."""
        self._end_all(Close(RESTART, "Service Restart"))

    def restart_standard(self) -> None:
        """The instance is to leave memory: so is the other end of what cannot hibernate."""
        for ws in list(self._standard):
            ws.end(Close(RESTART, "Service Restart"))

    def _end_all(self, close: Close) -> None:
        sockets = [*self._sockets, *self._standard]
        self.slot.meter.sockets -= len(self._sockets)
        self._standard.clear()
        self._sockets.clear()
        self._by_tag.clear()
        for ws in sockets:
            ws.end(close)


class SocketEvent(Event):
    """A handler run for a socket. Nobody waits for it: an error is logged, the socket lives on."""

    _timer: Timer | None = None

    def __init__(self, manager: HibernationManager, ws: WebSocket) -> None:
        self.ws = ws
        self._manager = manager

    def invoke(self) -> Any:
        timeout_ms = self._manager.event_timeout_ms
        if timeout_ms is not None:
            self._timer = self.activation.call_later(timeout_ms / 1000, self._expire)
        return self.handle(self.activation.instance)

    def handle(self, actor: Any) -> Any:
        """Call the actor's handler, if it has one."""
        raise NotImplementedError

    def succeed(self, result: Any) -> None:
        self._end()

    def fail(self, error: BaseException) -> None:
        # What the host does to an object, and that storage fails, is told by the host, once.
        of_host = getattr(error, "durable_object_reset", False) or isinstance(error, StorageError)
        if not (self.finished or of_host):
            again = getattr(error, "retryable", False)  # the host stops, or another object does
            logger.log(
                logging.WARNING if again else logging.ERROR,
                "a WebSocket handler of %r failed: %r",
                self._manager,
                error,
                exc_info=None if again else error,
            )
        self._end()

    def _end(self) -> None:
        if not self.finished:
            self.finished = True
            if self._timer is not None:
                self._timer.cancel()
            self.ended()

    def ended(self) -> None:
        """The event is over, well or not."""

    def _expire(self) -> None:
        self.activation.reset(
            DurableObjectError("Actor exceeded event execution time and was disconnected."),
            ResetCause.EVENT_TIMEOUT,
        )


class MessageEvent(SocketEvent):
    """`web_socket_message`."""

    kind = EventKind.MESSAGE
    refusable = True

    def __init__(self, manager: HibernationManager, ws: WebSocket, message: str | bytes) -> None:
        self.ws = ws
        self._manager = manager
        self.size = len(message)
        self._message = message
        self._started = False

    def handle(self, actor: Any) -> Any:
        self._begin()
        if self.activation.actor_class.defines("web_socket_message"):
            return actor.web_socket_message(self.ws, self._message)

        return None

    def fail(self, error: BaseException) -> None:
        if not self._started and getattr(error, "overloaded", False):
            # A message that cannot be queued must not be skipped silently: the client reconnects.
            self._manager.remove(self.ws)
            self.ws.end(Close(TRY_AGAIN_LATER, "overloaded"))
            logger.debug("a message to %r could not wait: %s", self._manager, error)
            self._end()
        else:
            super().fail(error)

    def ended(self) -> None:
        self._begin()

    def _begin(self) -> None:
        if not self._started:
            self._started = True
            self.ws.message_started()


class CloseEvent(SocketEvent):
    """`web_socket_close`; afterwards the close is answered and the socket is no longer listed."""

    kind = EventKind.CLOSE

    def __init__(self, manager: HibernationManager, ws: WebSocket, close: Close) -> None:
        super().__init__(manager, ws)
        self._close = close

    def handle(self, actor: Any) -> Any:
        self.ws.close_heard()
        # semantics.md 7.2: listed during the synchronous part of the handler, gone afterwards.
        self.after_turn = self._unlist
        close = self._close
        if self.activation.actor_class.defines("web_socket_close"):
            return actor.web_socket_close(self.ws, close.code, close.reason, close.was_clean)

        return None

    def _unlist(self) -> None:
        self._manager.remove(self.ws)

    def ended(self) -> None:
        self.ws.answer_close(self._close)


class ErrorEvent(SocketEvent):
    """`web_socket_error`."""

    kind = EventKind.ERROR

    def __init__(self, manager: HibernationManager, ws: WebSocket, error: Exception) -> None:
        super().__init__(manager, ws)
        self._error = error

    def handle(self, actor: Any) -> Any:
        if self.activation.actor_class.defines("web_socket_error"):
            return actor.web_socket_error(self.ws, self._error)

        return None
