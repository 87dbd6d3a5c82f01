"""`ctx`: what an actor knows about itself and can ask of its host."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, NoReturn

from .durable_storage import DurableObjectStorage
from .errors import Aborted, DurableObjectError, annotate
from .event_kind import ResetCause
from .events import RunEvent
from .object_id import DurableObjectId, visible_name
from .sections import current_event, run_section
from .socket_tags import tags_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime

    from .activation import Activation
    from .auto_response import WebSocketRequestResponsePair
    from .web_socket import WebSocket

logger = logging.getLogger("roomhost.runtime")


class DurableObjectState:
    """The first argument of an actor's constructor, kept as `self.ctx`."""

    __slots__ = ("_activation", "_id", "_storage")

    def __init__(self, activation: Activation, object_id: DurableObjectId) -> None:
        name = visible_name(object_id.name)
        if name != object_id.name:
            object_id = DurableObjectId(bytes(object_id), name, object_id.jurisdiction)
        self._activation = activation
        self._id = object_id
        self._storage = DurableObjectStorage(activation, activation.commits)

    @property
    def id(self) -> DurableObjectId:
        """The object's id; `id.name` is the name it was started by, if any (semantics.md 1.3)."""
        return self._id

    @property
    def storage(self) -> DurableObjectStorage:
        """The object's own storage."""
        return self._storage

    def block_concurrency_while(self, callback: Callable[[], Any]) -> Awaitable[Any]:
        """Run `callback()`, sync or async, while nothing else is delivered to the object.

        It starts after the caller's own synchronous code, so a constructor can call it and return.
        Await the result, or not. When the callback raises, or takes over 30 s, the object is reset
        (semantics.md 3.2). DurableObjectError: 64 calls are around this one already.
        """
        return run_section(self._activation, callback, resets=True)

    def wait_until(self, awaitable: Awaitable[Any]) -> None:
        """Keep the object in memory until `awaitable` is done; an error of it is logged (3.3)."""
        if not inspect.isawaitable(awaitable):
            raise TypeError(f"wait_until() takes an awaitable, not {type(awaitable).__name__}")

        activation = self._activation

        def failed(error: BaseException) -> None:
            if inspect.iscoroutine(awaitable):
                # Reset before it began: nobody is to be warned that it was not awaited.
                if inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED:
                    awaitable.close()
            if not isinstance(error, Aborted) and activation.broken is None:
                logger.error("wait_until() of %r failed", activation, exc_info=error)

        # Inside a critical section it is part of that, as long as the section lasts (3.2).
        asker = current_event(activation)
        gate = activation.input_gate if asker is None else asker.gate.live()
        activation.run_soon(RunEvent(lambda: awaitable, _ignore, failed), gate)

    def abort(
        self, reason: str | BaseException | None = None, *, retry_alarm: bool = True
    ) -> NoReturn:
        """Reset the object at once: this code goes no further, writes of this turn are dropped,
        every caller in flight gets the reason, its sockets drop (3.4).

        In an alarm handler it counts as a failed run, which is retried unless `retry_alarm` is
        False.
        """
        if isinstance(reason, BaseException):
            cause = reason
        else:
            cause = DurableObjectError(
                reason or "Application called abort() to reset Durable Object."
            )
        annotate(cause, abandons_alarm=not retry_alarm)
        self._activation.reset(cause, ResetCause.ABORT)
        raise Aborted(str(cause))

    def accept_web_socket(self, ws: WebSocket, tags: Iterable[str] = ()) -> None:
        """Serve one end of a pair by this object's `web_socket_*` handlers. It survives the
        instance: while no event is in flight the object can hibernate (7.2, 7.9).

        LimitError: over 10 tags, a tag over 256 bytes, or the 32,769th socket. DurableObjectError:
        this end or the other one is accepted or used already.
        """
        self._activation.slot.accept(ws, tags)

    def get_web_sockets(self, tag: str | None = None) -> list[WebSocket]:
        """The accepted sockets that are not closed: all of them, newest first, or those with `tag`,
        oldest first (7.2)."""
        sockets = self._activation.slot.sockets
        return [] if sockets is None else sockets.select(tag)

    def get_tags(self, ws: WebSocket) -> list[str]:
        """The tags that `ws` was accepted with. DurableObjectError: it was not (7.2)."""
        return tags_of(ws)

    def set_web_socket_auto_response(
        self, pair: WebSocketRequestResponsePair | None = None
    ) -> None:
        """Answer every text message equal to `pair.request` with `pair.response`, without waking
        the object; without a pair, stop (7.4)."""
        self._activation.slot.sockets_of_object().auto_response = pair

    def get_web_socket_auto_response(self) -> WebSocketRequestResponsePair | None:
        """The pair in force, if any."""
        sockets = self._activation.slot.sockets
        return None if sockets is None else sockets.auto_response

    def get_web_socket_auto_response_timestamp(self, ws: WebSocket) -> datetime | None:
        """When `ws` last got an auto-response, in UTC; None when it never did (7.4)."""
        return ws.auto_response_at

    def set_hibernatable_web_socket_event_timeout(self, ms: int | None = None) -> None:
        """Reset the object when one run of a socket handler takes longer than `ms` milliseconds;
        0 or nothing: no limit (7.5). LimitError: over 604,800,000. TypeError: negative.
        """
        self._activation.slot.sockets_of_object().set_event_timeout(ms)

    def get_hibernatable_web_socket_event_timeout(self) -> int | None:
        """The limit in force, milliseconds, or None."""
        sockets = self._activation.slot.sockets
        return None if sockets is None else sockets.event_timeout_ms


def _ignore(_result: object) -> None:
    """A result nobody asked for."""
