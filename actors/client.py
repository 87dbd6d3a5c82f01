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
import msgspec

from ..runtime import DurableObjectError, WebSocketClosed
from . import limits
from .errors import RealtimeError, error_of
from .events import RealtimeEvent, Wire, event_of, message_of, read_wire
from .frames import UNDER_MESSAGE
from .inputs import NOTHING, plain_json
from .operations import OPERATIONS
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

# Not answered twice the same: after a loss nobody knows whether they have happened.
NOT_AGAIN = frozenset(("snapshot", "restore"))


class Waiting:
    """A frame that is not answered yet."""

    __slots__ = ("answered", "failure", "frame", "name", "result")

    def __init__(self, name: str, frame: str) -> None:
        self.name = name
        self.frame = frame
        self.answered = anyio.Event()
        self.result: msgspec.Raw | None = None
        self.failure: Exception | None = None

    def fail(self, failure: Exception) -> None:
        """It will not be answered."""
        self.failure = failure
        self.answered.set()


class RealtimeConnection:
    """What `handle.connect()` returns: an async context, and inside it an async iterator of events.

    One task iterates. RealtimeError: the room refuses the connection, for good; what still waits for
    an answer gets it too. An iterator that lets 10,000 events wait ends with `slow_consumer`.
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
        self._events: deque[RealtimeEvent] = deque()
        self._changed = anyio.Event()
        self._ended: Exception | None = None
        self._waiting: dict[int, Waiting] = {}
        self._number = 0
        self._epoch: str | None = None
        self._seq = 0

    async def __aenter__(self) -> Self:
        self._ws = await self._open_socket(None, 0)
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
        ws, self._ws = self._ws, None
        if ws is not None:
            with suppress(TypeError):
                ws.close(limits.GOING_AWAY, "going away")
        await self._group.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RealtimeEvent:
        while not self._events:
            if self._ended is not None:
                if isinstance(self._ended, RealtimeError):
                    raise self._ended
                raise StopAsyncIteration

            self._changed = anyio.Event()
            await self._changed.wait()
        return self._events.popleft()

    async def publish(
        self, *, type: str, data: Any = msgspec.UNSET, metadata: dict[str, Any] | None = None
    ) -> RealtimePublishResult:
        """Record a message and deliver it to everyone, this connection too."""
        return await self._send_message("publish", type, data, metadata)

    async def broadcast(
        self, *, type: str, data: Any = msgspec.UNSET, metadata: dict[str, Any] | None = None
    ) -> RealtimePublishResult:
        """Record a message and deliver it to every other connection."""
        return await self._send_message("broadcast", type, data, metadata)

    async def join(self, **fields: Any) -> RealtimeMember:
        """Be a member again, after `leave`; or change the member's metadata and presence."""
        return await self._request(RealtimeMember, "join", **fields)

    async def leave(self) -> RealtimeLeaveResult:
        """Leave now; the connection stays, and hears on."""
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
        body = plain_json(given)
        operation.input.parse(body)
        result = await self._ask(name, body)
        return msgspec.json.decode(result, type=kind)

    async def _send_message(
        self, name: str, type: str, data: Any, metadata: dict[str, Any] | None
    ) -> RealtimePublishResult:
        key = uuid.uuid4().hex
        return await self._request(
            RealtimePublishResult,
            name,
            type=type,
            data=data,
            metadata=metadata,
            idempotency_key=key,
        )

    async def _ask(self, name: str, body: bytes) -> msgspec.Raw:
        if self._ended is not None:
            raise self._ended

        self._number += 1
        number = self._number
        fields = body.decode()
        if name in UNDER_MESSAGE:
            frame = f'{{"type":"{name}","id":{number},"message":{fields}}}'
        else:
            rest = "" if fields == "{}" else f",{fields[1:-1]}"
            frame = f'{{"type":"{name}","id":{number}{rest}}}'
        waiting = self._waiting[number] = Waiting(name, frame)
        self._send(frame)
        try:
            await waiting.answered.wait()
        finally:
            self._waiting.pop(number, None)
        if waiting.failure is not None:
            raise waiting.failure

        assert waiting.result is not None
        return waiting.result

    def _send(self, frame: str) -> None:
        if self._ws is not None:
            with suppress(TypeError):  # it has closed; the frame goes again with the next one
                self._ws.send(frame)

    async def _run(self) -> None:
        failures = 0
        try:
            while True:
                try:
                    if self._ws is None:
                        self._ws = await self._open_socket(self._epoch, self._seq)
                        for waiting in list(self._waiting.values()):
                            self._send(waiting.frame)
                    while True:
                        self._received(await self._ws.receive())
                        failures = 0
                except (WebSocketClosed, DurableObjectError, RealtimeError) as error:
                    self._lost(error)
                    failures += 1
                    most = min(limits.RECONNECT_SECONDS * 2**failures, limits.MAX_RECONNECT_SECONDS)
                    await self._sleep(most * self._jitter())
        except RealtimeError as error:
            self._end(error)

    def _lost(self, error: Exception) -> None:
        """The connection is gone: for now, or, by what it was told, for good."""
        self._ws = None
        for number, waiting in list(self._waiting.items()):
            if waiting.name in NOT_AGAIN:
                del self._waiting[number]
                waiting.fail(RealtimeError("the connection was lost before the answer came"))
        if isinstance(error, WebSocketClosed) and 4400 <= error.code <= 4499:
            raise error_of(error.reason, f"the room closed the connection: {error.reason}")

        if isinstance(error, RealtimeError) and not error.retryable:
            raise error

    def _end(self, error: Exception) -> None:
        self._ended = error
        for waiting in self._waiting.values():
            waiting.fail(error)
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
        elif wire.type not in ("pong", "resumed"):
            self._heard(event_of(wire, text))

    def _answered(self, wire: Wire) -> None:
        waiting = self._waiting.get(wire.id) if wire.id is not None else None
        if waiting is None:
            return

        if wire.type == "ack":
            waiting.result = wire.result
            waiting.answered.set()
        else:
            failure = error_of(wire.code, message_of(wire))
            failure.field = wire.field
            failure.retry_after_ms = wire.retry_after_ms
            waiting.fail(failure)

    def _welcomed(self, wire: Wire, text: str | bytes) -> None:
        assert wire.seq is not None
        if not wire.recovered:
            if self._epoch is not None:
                gap = {"epoch": wire.epoch, "seq": wire.seq}
                self._heard(RealtimeEvent(type="gap", fields=gap))
            self._seq = wire.seq
        self._epoch = wire.epoch
        fields = event_of(wire, text).fields
        self._heard(RealtimeEvent(type="connected", fields=fields))

    def _heard(self, event: RealtimeEvent) -> None:
        if len(self._events) >= limits.MAX_UNREAD_EVENTS:
            raise RealtimeError(
                f"{limits.MAX_UNREAD_EVENTS} events wait: iterate faster", code="slow_consumer"
            )

        self._events.append(event)
        self._changed.set()
