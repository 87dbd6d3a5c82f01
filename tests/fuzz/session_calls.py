"""A process that calls, and says what none of ours would: frames of calls in any order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import anyio

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Host, Request, Response, WebSocketPair, limits
from roomhost.runtime import remote_frames as frames
from roomhost.runtime.remote_connection import RemoteConnection
from roomhost.runtime.remote_frames import LAST, Assembler, decode_host_frame, encode_frame
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import encode

from .changes import changed
from .target import demand

CLOSES = (1002,)
GOOD_SHARE = 0.9


class Station(DurableObject):
    """What is called."""

    async def echo(self, *values: Any, **named: Any) -> Any:
        return [values, named]

    async def increment(self, by: int = 1) -> int:
        n: int = await self.ctx.storage.get("n", 0) + by
        await self.ctx.storage.put("n", n)
        return n

    @property
    def title(self) -> str:
        return "a station"

    async def fetch(self, request: Request) -> Response:
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)

        if request.method == "PUT":
            return Response(self._parts())

        return Response(await request.body())

    async def web_socket_message(self, ws: Any, message: str | bytes) -> None:
        ws.send(message)

    async def _parts(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1_000


class Caller:
    """A client that sends frames as they are. `answers`: by the number of a call, how often it was
    answered. `end`: the code that the host closed with."""

    def __init__(self, host: Host) -> None:
        self._to_host: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._assembler = Assembler()
        self.answers: Counter[int] = Counter()
        self.end: int | None = None
        self.connection = RemoteConnection(host, self._to_host.get, self._hear)

    def say(self, data: bytes) -> None:
        """Send one message."""
        self._to_host.put_nowait({"type": "websocket.receive", "bytes": data})

    def leave(self) -> None:
        """The connection is lost."""
        self._to_host.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def _hear(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.end = message["code"]
            reason = message["reason"]
            demand(len(reason.encode()) <= limits.MAX_CLOSE_REASON_BYTES, "a long reason", reason)
            return

        data = self._assembler.feed(message["bytes"])
        if data is not None:
            frame = decode_host_frame(data)
            if isinstance(frame, frames.Result | frames.Raised | frames.Responded):
                self.answers[frame.call] += 1


def _seeds(host: Host) -> tuple[bytes, ...]:
    """Frames for one stub of the host, that is open under number 1."""
    upgrade = [(b"upgrade", b"websocket")]
    said: tuple[frames.ClientFrame, ...] = (
        frames.Call(2, 1, "echo", [encode((1, "x"))], {"at": encode(None)}),
        frames.Call(3, 1, "increment", [], {}),
        frames.Call(4, 1, "nothing", [], {}),
        frames.Get(5, 1, "title"),
        frames.Fetch(6, 1, "POST", "http://x/path", [(b"a", b"b")], b"body"),
        frames.Fetch(7, 1, "POST", "http://x/path", [], 8),
        frames.Fetch(9, 1, "PUT", "http://x/path", [], b""),
        frames.Fetch(10, 1, "GET", "http://x/path", upgrade, b""),
        frames.Credit(9, 1_000),
        frames.Credit(8, 1),
        frames.Chunk(8, b"bytes"),
        frames.Chunk(8, b""),
        frames.End(8, None),
        frames.Stop(9),
        frames.Text(10, "hello"),
        frames.Binary(10, b"hello"),
        frames.Closed(10, 1000, "bye", True),
        frames.Closed(10, 1006, "", False),
        frames.Release([1]),
    )
    return tuple(LAST + encode_frame(frame) for frame in said)


async def play_calls(random: Random, directory: Path, count: int, outcomes: Counter[str]) -> None:
    """Over one connection; every call that came through is answered once, or the connection is over."""
    app = App(name="calls", bindings={"STATION": Station})
    async with host_for(app, clock=ManualClock(), data_dir=directory) as host:
        stub = host.env.STATION.get_by_name("a")
        caller = Caller(host)
        async with anyio.create_task_group() as group:
            group.start_soon(caller.connection.run)
            opened = frames.Open(1, "STATION", bytes(stub.id), "a", None)
            caller.say(LAST + encode_frame(opened))
            seeds = _seeds(host)
            asked: Counter[int] = Counter()
            for _ in range(count):
                # What is malformed ends the connection: most of it is said right, in a wrong order.
                good = random.random() < GOOD_SHARE
                data = random.choice(seeds) if good else changed(random, seeds)
                number = _call_of(data)
                asked[number] += number > 0
                caller.say(data)
                await _settle(host)
                if caller.end is not None:
                    break
            await _check_answers(caller, asked, outcomes)
            caller.leave()
            await _settle(host)
        demand(not caller.connection._streams, "a stream is left")
        with anyio.fail_after(20):
            demand(await stub.increment() > 0, "the object does not go on")
            await host.evict(stub)


async def _check_answers(caller: Caller, asked: Counter[int], outcomes: Counter[str]) -> None:
    outcomes["answers"] += caller.answers.total()
    if caller.end is not None:
        demand(caller.end in CLOSES, "a close that nobody documents", caller.end)
        outcomes[f"closed {caller.end}"] += 1
        return

    waiting = caller.connection._calls
    for number, times in asked.items():
        answered = caller.answers[number] + (number in waiting)
        demand(number == 0 or answered == times, "a call has one answer", number, answered, times)


def _call_of(message: bytes) -> int:
    """The number of the call that a message makes; 0: it makes none."""
    if message[:1] != LAST:
        return 0

    try:
        frame = frames.decode_client_frame(message[1:])
    except frames.ProtocolError:
        return 0

    return frame.call if isinstance(frame, frames.Call | frames.Get | frames.Fetch) else 0


async def _settle(host: Host) -> None:
    for _ in range(3):
        await anyio.wait_all_tasks_blocked()
        await host.settle()
