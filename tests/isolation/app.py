"""Actors that misbehave in each way that one can, beside one that counts."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
)

LEAKED: list[Any] = []
BLOCK_SECONDS = 0.5
CHUNK_BYTES = 16 * 1024 * 1024


class Good(DurableObject):
    """Counts, durably: by requests and by messages."""

    async def fetch(self, request: Request) -> Response:
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)

        return Response(str(await self.count()))

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Count, and say it."""
        ws.send(str(await self.count()))

    async def count(self) -> int:
        """One more."""
        number: int = await self.ctx.storage.get("number", 0) + 1
        await self.ctx.storage.put("number", number)
        return number


class Bad(DurableObject):
    """Does what it is asked to."""

    async def fetch(self, request: Request) -> Response:
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)

        await self.misbehave(request.url.path.rsplit("/", 1)[-1])
        return Response("done")

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Say something, and misbehave as it says."""
        ws.send("heard")
        await self.misbehave(str(message))

    async def misbehave(self, how: str) -> None:
        """One of `WAYS`."""
        result = WAYS[how.replace("-", " ")]()
        if asyncio.iscoroutine(result):
            LEAKED.append(asyncio.get_running_loop().create_task(result))

    async def elsewhere(self, where: str, how: str) -> None:
        """The same, in a critical section, in the background, or in an alarm."""
        if where == "section":
            await self.ctx.block_concurrency_while(lambda: self.misbehave(how))
        elif where == "background":
            self.ctx.wait_until(self.misbehave(how))
        else:
            await self.ctx.storage.put("how", how)
            await self.ctx.storage.set_alarm(1)

    async def alarm(self, info: AlarmInfo) -> None:
        """Misbehave once, then no more."""
        if info.retry_count == 0:
            await self.misbehave(await self.ctx.storage.get("how"))

    async def nested(self) -> Any:
        """A value that nests deeper than one may."""
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        return value


def raising(kind: Callable[..., BaseException], *arguments: Any) -> Callable[[], None]:
    """Raise a new one of a kind."""

    def way() -> None:
        raise kind(*arguments)

    return way


def recurse() -> None:
    """For ever."""
    recurse()


def allocate() -> None:
    """Without bound, until there is no more."""
    kept: list[bytearray] = []
    while True:
        kept.append(bytearray(CHUNK_BYTES))


def leak_tasks() -> None:
    """Tasks that never end."""
    loop = asyncio.get_running_loop()
    LEAKED.extend(loop.create_task(asyncio.sleep(86_400)) for _ in range(1_000))


def hold_the_interpreter() -> None:
    """In C, where no other thread gets a turn: a regular expression that backtracks."""
    re.match(r"(a|aa)+$", "a" * 34 + "b")


async def exit_later() -> None:
    """In a task of its own."""
    sys.exit(3)


async def interrupt_later() -> None:
    """Likewise."""
    raise KeyboardInterrupt


def block() -> None:
    """Wait, without letting anybody else run."""
    time.sleep(BLOCK_SECONDS)


async def block_later() -> None:
    """Likewise, in a task of its own."""
    block()


# What a handler does, or a task that it starts.
WAYS: dict[str, Callable[[], Any]] = {
    "raise ValueError": raising(ValueError, "no"),
    "raise SystemExit": raising(SystemExit, 3),
    "raise KeyboardInterrupt": raising(KeyboardInterrupt),
    "raise GeneratorExit": raising(GeneratorExit),
    "raise BaseException": raising(BaseException, "no"),
    "raise BaseExceptionGroup": raising(BaseExceptionGroup, "no", [SystemExit(3)]),
    "raise StopIteration": raising(StopIteration, 1),
    "raise CancelledError": raising(asyncio.CancelledError),
    "recurse": recurse,
    "allocate": allocate,
    "leak tasks": leak_tasks,
    "block": block,
    "hold the interpreter": hold_the_interpreter,
    "exit in a task": exit_later,
    "interrupt in a task": interrupt_later,
    "block in a task": block_later,
    "stop the loop": lambda: asyncio.get_running_loop().stop(),
    "close the loop": lambda: asyncio.get_running_loop().close(),
}

app = App(name="isolation", bindings={"GOOD": Good, "BAD": Bad})
