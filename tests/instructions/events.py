"""The events that are counted: what each kind prepares, and what one step of it is.

No network, and no disk that anybody waits for: instructions are counted, whatever they wait for.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pycrdt

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    Host,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
)
from roomhost.runtime.testing import ManualClock

VALUE = b"x" * 100
AT_ONCE = 16  # callers, or alarms
SOCKETS = 20
KEYS = 10
CALIBRATION = "calibration"  # the kind that is Python alone

Step = Callable[[], Coroutine[Any, Any, object]]
Prepare = Callable[[Host, ManualClock], Awaitable[Step]]


class Room(DurableObject):
    """Does one thing for each kind of event."""

    count = 0

    async def increment(self) -> int:
        """A call without storage."""
        self.count += 1
        return self.count

    async def store(self, number: int) -> None:
        """A durable put."""
        await self.ctx.storage.put(f"key-{number % KEYS}", VALUE)

    async def read(self, key: str) -> Any:
        """A get."""
        return await self.ctx.storage.get(key)

    async def page(self) -> dict[str, Any]:
        """A list."""
        return await self.ctx.storage.list(prefix="key-", limit=KEYS)

    async def move(self) -> None:
        """A transaction of a get and two puts."""

        async def moved(transaction: Any) -> None:
            left = await transaction.get("left", 0)
            await transaction.put("left", left - 1)
            await transaction.put("right", left + 1)

        await self.ctx.storage.transaction(moved)

    async def wake_at(self, when_ms: int) -> None:
        """An alarm."""
        await self.ctx.storage.set_alarm(when_ms)

    async def alarm(self, info: AlarmInfo) -> None:
        self.count += 1

    async def fetch(self, request: Request) -> Response:
        if not request.is_upgrade:
            return Response("hello")

        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        for other in self.ctx.get_web_sockets():
            other.send(message)


app = App(name="counted", bindings={"ROOM": Room, "COLLAB": realtime(name="collab")})


async def calibration(host: Host, clock: ManualClock) -> Step:
    """Nothing of ours: what a build of Python takes for objects, calls, dictionaries, and hand-overs
    between tasks."""
    loop = asyncio.get_running_loop()
    answers: dict[str, Answer] = {}

    async def ask(number: int) -> int:
        answer = answers[f"answer-{number}"] = Answer(number, future=loop.create_future())
        loop.call_soon(answer.give)
        try:
            return await answer.future
        finally:
            del answers[f"answer-{number}"]

    async def step() -> None:
        for number in range(AT_ONCE):
            assert await ask(number) == number

    return step


class Answer:
    """To one question of the calibration."""

    __slots__ = ("future", "number")

    def __init__(self, number: int, *, future: asyncio.Future[int]) -> None:
        self.number = number
        self.future = future

    def give(self) -> None:
        """Now."""
        if not self.future.done():
            self.future.set_result(self.number)


async def call(host: Host, clock: ManualClock) -> Step:
    """One caller."""
    stub = host.env.ROOM.get_by_name("call")
    return lambda: stub.increment()


async def calls(host: Host, clock: ManualClock) -> Step:
    """Several callers of one object."""
    stub = host.env.ROOM.get_by_name("calls")
    return partial(together, lambda: stub.increment())


async def put(host: Host, clock: ManualClock) -> Step:
    """Calls with a durable put, one after the other."""
    stub, numbers = host.env.ROOM.get_by_name("put"), itertools.count()
    return lambda: stub.store(next(numbers))


async def puts(host: Host, clock: ManualClock) -> Step:
    """Several at once, in one room."""
    stub, numbers = host.env.ROOM.get_by_name("puts"), itertools.count()
    return partial(together, lambda: stub.store(next(numbers)))


async def get(host: Host, clock: ManualClock) -> Step:
    """Calls with a get."""
    stub = await stored(host, "get")
    return lambda: stub.read("key-1")


async def listed(host: Host, clock: ManualClock) -> Step:
    """Calls with a list of ten entries."""
    stub = await stored(host, "list")
    return lambda: stub.page()


async def transaction(host: Host, clock: ManualClock) -> Step:
    """Calls with a transaction."""
    stub = await stored(host, "transaction")
    return lambda: stub.move()


async def activation(host: Host, clock: ManualClock) -> Step:
    """An object leaves memory, and reads something when it is called again."""
    stub = await stored(host, "activation")

    async def step() -> None:
        await host.evict(stub)
        await stub.read("key-1")

    return step


async def request(host: Host, clock: ManualClock) -> Step:
    """An HTTP request, without the server that would have read it."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/room/request",
        "raw_path": b"/room/request",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*")],
        "scheme": "http",
        "server": ("127.0.0.1", 8787),
        "client": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        return None

    async def step() -> None:
        await host.asgi(dict(scope), receive, send)

    return step


async def echo(host: Host, clock: ManualClock) -> Step:
    """A message of a socket, and its answer."""
    sockets = await opened(host, "echo", 1)
    return partial(said, sockets, "hello")


async def fan_out(host: Host, clock: ManualClock) -> Step:
    """A message of a socket to all sockets of its room."""
    sockets = await opened(host, "fan-out", SOCKETS)
    return partial(said, sockets, "hello")


async def alarms(host: Host, clock: ManualClock) -> Step:
    """Alarms of several objects that are set, and fire."""
    stubs = [host.env.ROOM.get_by_name(f"alarm-{number}") for number in range(AT_ONCE)]

    async def step() -> None:
        for stub in stubs:
            await stub.wake_at(clock.now_ms() + 1_000)
        await clock.advance(1)

    return step


async def publish(host: Host, clock: ManualClock) -> Step:
    """A message of a realtime room to its subscribers."""
    room = host.env.COLLAB.room("publish")
    opener = room.connect()
    sockets = [await opener._open_socket(None, 0) for _ in range(SOCKETS)]
    for ws in sockets:
        await ws.receive()

    async def step() -> None:
        await room.publish(type="chat", data={"text": "hello"})
        for ws in sockets:
            await ws.receive()

    return step


async def edit(host: Host, clock: ManualClock) -> Step:
    """A Yjs update of one character."""
    room = host.env.COLLAB.crdt_room("edit")
    document: Any = pycrdt.Doc(client_id=1)
    text = document.get("text", type=pycrdt.Text)
    made: list[bytes] = []
    document.observe(lambda event: made.append(event.update))

    async def step() -> None:
        text.insert(0, "a")
        await room.apply_yjs_update(update_base64=base64.b64encode(made.pop()).decode())

    return step


async def together(one: Step) -> None:
    """Several at once."""
    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(one)


async def stored(host: Host, name: str) -> Any:
    """An object with a few entries on disk."""
    stub = host.env.ROOM.get_by_name(name)
    for number in range(KEYS):
        await stub.store(number)
    return stub


async def opened(host: Host, name: str, count: int) -> list[WebSocket]:
    """Sockets of an object."""
    stub = host.env.ROOM.get_by_name(name)
    sockets: list[WebSocket] = []
    for _ in range(count):
        response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        response.web_socket.accept()
        sockets.append(response.web_socket)
    return sockets


async def said(sockets: list[WebSocket], message: str) -> None:
    """The first one says something, all hear it."""
    sockets[0].send(message)
    for ws in sockets:
        await ws.receive()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: `steps` of it are counted, each of so many `events`."""

    prepare: Prepare
    steps: int
    events: int = 1


KINDS: dict[str, Kind] = {
    CALIBRATION: Kind(calibration, 20, AT_ONCE),
    "call": Kind(call, 100),
    "calls at once": Kind(calls, 6, AT_ONCE),
    "durable put": Kind(put, 60),
    "durable puts at once": Kind(puts, 6, AT_ONCE),
    "get": Kind(get, 100),
    "list": Kind(listed, 60),
    "transaction": Kind(transaction, 60),
    "activation": Kind(activation, 60),
    "request": Kind(request, 60),
    "echo": Kind(echo, 100),
    "fan-out": Kind(fan_out, 20),
    "alarm": Kind(alarms, 4, AT_ONCE),
    "publish": Kind(publish, 20),
    "edit": Kind(edit, 30),
}
