"""A connection to a room or channel from code: operations over one socket, and its events in order.

    async with room.connect(member_id="bot") as connection:
        await connection.publish(type="hello")
        async for event in connection:
            ...

It comes back by itself when it is lost, and asks for what it missed; what was published and not yet
acknowledged is sent again with the same idempotency key, so nothing is lost and nothing doubled.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.lowlevel
import msgspec

from ..runtime import DurableObjectError, HostError, WebSocketClosed
from . import limits
from .errors import RateLimited, RealtimeError, error_of
from .events import RealtimeEvent, Wire, event_of, read_wire, refusal_of
from .inputs import NOTHING
from .operations import OPERATIONS
from .pending import Pending, pause_seconds
from .types import (
    RealtimeHistoryResult,
    RealtimeLeaveResult,
    RealtimeLifecycleResult,
    RealtimeMember,
    RealtimePresenceResult,
    RealtimePublishResult,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from anyio.abc import TaskGroup

    from ..runtime import WebSocket

    OpenSocket = Callable[[str | None, int], Awaitable[WebSocket]]

T = TypeVar("T")

CLOSED = "the connection is closed: use it inside `async with room.connect(...)`"


class RealtimeConnection:
    """What `handle.connect()` returns: an async context, once, and inside it an async iterator of
    events.

    It raises a RealtimeError when the room refuses the connection for good, or 10,000 events wait
    for the iterator (`slow_consumer`): from then on every call does, and what still waits for an
    answer; the iterator does after the events it has. The first connection is tried once. HostError:
    it is used outside of its context.
    """

    def __init__(
        self,
        open_socket: OpenSocket,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._open_socket = open_socket
        self._sleep = sleep
        self._jitter = jitter
        self._ws: WebSocket | None = None
        self._group: TaskGroup | None = None
        self._left = False
        self._events: deque[RealtimeEvent] = deque()
        self._changed = anyio.Event()
        self._ended: Exception | None = HostError(CLOSED)
        self._refusal: RealtimeError | None = None  # what the room said before it closed
        self._pending: dict[int, Pending] = {}
        self._number = 0
        self._failures = 0  # since it last heard something
        self._epoch: str | None = None
        self._seq = 0

    async def __aenter__(self) -> Self:
        if self._group is not None:
            raise HostError("a connection is entered once: call connect() again")

        self._ws = await self._open_socket(None, 0)
        self._ended = None
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._group is not None
        self._group.cancel_scope.cancel()
        self._left = True
        if self._ended is None:
            self._end(HostError(CLOSED))
        self._drop()
        await self._group.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RealtimeEvent:
        while not self._events:
            if self._left:
                raise StopAsyncIteration

            if self._ended is not None:
                raise self._ended

            if self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()
        return self._events.popleft()

    async def publish(
        self,
        *,
        type: str,
        data: Any = msgspec.UNSET,
        metadata: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> RealtimePublishResult:
        """Record a message and deliver it to everyone, this connection too. Without an
        `idempotency_key` it gets a random one."""
        return await self._send_message("publish", type, data, metadata, idempotency_key)

    async def broadcast(
        self,
        *,
        type: str,
        data: Any = msgspec.UNSET,
        metadata: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> RealtimePublishResult:
        """Record a message and deliver it to every other connection; to this one only as something
        it has missed, if it is lost and comes back."""
        return await self._send_message("broadcast", type, data, metadata, idempotency_key)

    async def join(self, **fields: Any) -> RealtimeMember:
        """Be a member again, after `leave`; or change the member's metadata and presence."""
        return await self._request(RealtimeMember, "join", **fields)

    async def leave(self) -> RealtimeLeaveResult:
        """Leave now; the connection stays, and hears on. If it is lost and comes back, so does the
        member."""
        return await self._request(RealtimeLeaveResult, "leave")

    async def presence(self, presence: dict[str, Any] | None = None) -> RealtimePresenceResult:
        """Replace the member's presence."""
        return await self._request(RealtimePresenceResult, "presence", presence=presence)

    async def members(self, **fields: Any) -> list[RealtimeMember]:
        """Who is here."""
        return await self._request(list[RealtimeMember], "members", **fields)

    async def history(self, **fields: Any) -> RealtimeHistoryResult:
        """A page of messages, newest first."""
        return await self._request(RealtimeHistoryResult, "history", **fields)

    async def lifecycle(self) -> RealtimeLifecycleResult:
        """Whether the room is active."""
        return await self._request(RealtimeLifecycleResult, "lifecycle")

    async def request(self, name: str, /, **fields: Any) -> Any:
        """Any operation that is a frame, by its name in Python and its fields; its result."""
        return await self._request(OPERATIONS[name].result, name, **fields)

    async def _request(self, kind: type[T], name: str, /, **fields: Any) -> T:
        operation = OPERATIONS[name]
        given = operation.input.kind(**fields) if fields else NOTHING
        body, _ = operation.input.take(given)
        result = await self._ask(operation.frame_type, body)
        return msgspec.json.decode(result, type=kind)

    async def _send_message(
        self,
        name: str,
        type: str,
        data: Any,
        metadata: dict[str, Any] | None,
        idempotency_key: str | None,
    ) -> RealtimePublishResult:
        return await self._request(
            RealtimePublishResult,
            name,
            type=type,
            data=data,
            metadata=metadata,
            idempotency_key=uuid.uuid4().hex if idempotency_key is None else idempotency_key,
        )

    async def _ask(self, name: str, body: bytes) -> msgspec.Raw:
        if self._ended is not None:
            raise self._ended

        self._number += 1
        number = self._number
        pending = self._pending[number] = Pending(name, number, body)
        self._send(pending)
        try:
            await pending.answered.wait()
        finally:
            self._pending.pop(number, None)
        if pending.failure is not None:
            raise pending.failure

        assert pending.result is not None
        return pending.result

    def _send(self, pending: Pending) -> None:
        if self._ws is not None:
            pending.sent = True
            with suppress(TypeError):  # it has closed; the frame goes again over the next one
                self._ws.send(pending.frame)

    async def _run(self) -> None:
        try:
            while True:
                try:
                    await self._listen()
                except (DurableObjectError, RealtimeError) as error:
                    self._lost(error)
                    self._failures += 1
                    await self._sleep(pause_seconds(self._failures, self._jitter(), error))
        except Exception as error:  # what goes wrong here is told to those who wait
            self._end(error)

    async def _listen(self) -> None:
        if self._ws is None:
            await anyio.lowlevel.checkpoint()  # nothing is opened once the block was left
            self._ws = await self._open_socket(self._epoch, self._seq)
            for pending in self._pending.values():
                pending.again = True
                self._send(pending)
        while True:
            text = await self._ws.receive()
            self._failures = 0
            self._received(text)

    def _lost(self, error: DurableObjectError | RealtimeError) -> None:
        """The connection is gone: for now, or, by what it was told, for good."""
        self._drop()
        for pending in self._pending.values():
            if pending.is_lost:
                lost = f"the connection was lost: look whether the {pending.name} has happened"
                pending.fail(RealtimeError(lost))
        if isinstance(error, WebSocketClosed) and 4400 <= error.code <= 4499:
            if self._refusal is not None and self._refusal.code == error.reason:
                raise self._refusal
            raise error_of(error.reason, f"the room closed the connection: {error.reason}")

        self._refusal = None
        if isinstance(error, RealtimeError) and not error.retryable:
            raise error

    def _drop(self) -> None:
        ws, self._ws = self._ws, None
        if ws is not None:
            with suppress(TypeError):  # it has closed
                ws.close(limits.GOING_AWAY, "going away")

    def _end(self, error: Exception) -> None:
        self._ended = error
        self._drop()
        for pending in self._pending.values():
            pending.fail(error)
        self._changed.set()

    def _received(self, text: str | bytes) -> None:
        wire = read_wire(text)
        if wire.type in ("ack", "error"):
            self._answered(wire)
        elif wire.type == "welcome":
            self._welcomed(wire, text)
        elif wire.type == "message":
            assert wire.seq is not None
            if wire.seq > self._seq:
                self._seq = wire.seq
                self._heard(event_of(wire, text))
        elif wire.type == "resumed":
            if not wire.recovered:
                gap = {"epoch": wire.epoch, "seq": wire.seq, "reason": wire.reason}
                self._heard(RealtimeEvent(type="gap", fields=gap))
        elif wire.type != "pong":
            self._heard(event_of(wire, text))

    def _answered(self, wire: Wire) -> None:
        failure = refusal_of(wire) if wire.type == "error" else None
        if wire.id is None:
            self._refusal = failure
            return

        pending = self._pending.get(wire.id)
        if pending is None:
            return

        if failure is None:
            pending.succeed(wire.result)
        elif isinstance(failure, RateLimited) and pending.again:
            # It was this class that sent so many at once; and it may have happened the first time.
            assert self._group is not None
            self._group.start_soon(self._send_later, pending, failure)
        else:
            pending.fail(failure)

    async def _send_later(self, pending: Pending, failure: RateLimited) -> None:
        await self._sleep(pause_seconds(1, self._jitter(), failure))
        if not pending.answered.is_set() and pending in self._pending.values():
            self._send(pending)

    def _welcomed(self, wire: Wire, text: str | bytes) -> None:
        assert wire.seq is not None
        if not wire.recovered:
            self._seq = wire.seq
        self._epoch = wire.epoch
        self._heard(event_of(wire, text))

    def _heard(self, event: RealtimeEvent) -> None:
        if len(self._events) >= limits.MAX_UNREAD_EVENTS:
            raise RealtimeError(
                f"{limits.MAX_UNREAD_EVENTS} events wait: iterate faster", code="slow_consumer"
            )

        self._events.append(event)
        self._changed.set()
