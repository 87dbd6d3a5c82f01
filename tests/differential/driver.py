"""Runs programs against roomhost from outside the object; driver.mjs is its twin."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal, start_blocking_portal

from roomhost.runtime import Host, WebSocket, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for

from .interpreter import Interpreter, Steps, World, app
from .mapping import failed
from .process import MEMORY
from .turnstile import Turnstile

RECEIVE_SECONDS = 0.25
PROGRAM_SECONDS = 15


class Client:
    """The client end of a socket, and what has come to it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.events: deque[list[Any]] = deque()
        self.ended = False
        self._came = anyio.Event()

    async def read(self) -> None:
        """Collect what comes, until the end."""
        try:
            while True:
                self._add("message", await self.socket.receive())
        except WebSocketClosed as closed:
            self.ended = True
            self._add("close", closed.code, closed.reason, closed.was_clean)

    async def next(self) -> list[Any]:
        """The next thing that came."""
        with anyio.move_on_after(RECEIVE_SECONDS):
            while not self.events:
                await self._came.wait()
        return self.events.popleft() if self.events else ["nothing"]

    def _add(self, *event: Any) -> None:
        self.events.append(list(event))
        self._came.set()
        self._came = anyio.Event()


class Driver:
    """One program, on an object of its own. The steps of a program are methods of this class."""

    def __init__(
        self, host: Host, clock: ManualClock, group: TaskGroup, name: str, program: dict[str, Any]
    ) -> None:
        self._host = host
        self._group = group
        self._name = name
        self._program = program
        self._calls: dict[str, Outcome] = {}
        self._clients: dict[str, Client] = {}
        self._turnstile = Turnstile(host.engine)
        self.world = World(program, clock, self._turnstile)
        self.transcript: list[Any] = []
        Interpreter.worlds[name] = self.world
        self._new_stub()

    async def run(self) -> None:
        """Run every step."""
        self._group.start_soon(self._turnstile.run)
        for name, *rest in self._program["steps"]:
            await getattr(self, f"step_{name}")(*rest)
        await self._turnstile.settle()

    def _new_stub(self) -> None:
        self._stub: Any = self._host.env.OBJECT.get_by_name(self._name)

    async def step_call(self, steps: Steps) -> None:
        self.transcript.append(["call", await outcome(self._stub.run("call", steps))])

    async def step_start(self, strand: str, steps: Steps) -> None:
        self._calls[strand] = Outcome(self._stub.run(strand, steps))
        self._group.start_soon(self._calls[strand].wait_for)
        await self._turnstile.settle()

    async def step_join(self, strand: str) -> None:
        await self._calls[strand].came.wait()
        self.transcript.append(["join", strand, self._calls[strand].value])

    async def step_settle(self) -> None:
        await self._turnstile.settle()

    async def step_new_stub(self) -> None:
        self._new_stub()

    async def step_evict(self) -> None:
        await self._host.evict(self._stub)

    async def step_alarms(self, count: int) -> None:
        while self.world.alarms_ended < count:
            if not await self._host.run_due_alarms():
                await self.world.clock.advance(0.001)
        await self._turnstile.settle()

    async def step_fetch(self, steps: Steps) -> None:
        self.transcript.append(["fetch", await outcome(self._fetch(steps))])

    async def _fetch(self, steps: Steps) -> Any:
        response = await self._stub.fetch(url(steps))
        return json.loads(await response.text())

    async def step_connect(self, name: str, steps: Steps) -> None:
        self.transcript.append(["connect", name, await outcome(self._connect(name, steps))])

    async def _connect(self, name: str, steps: Steps) -> str:
        response = await self._stub.fetch(url(steps), headers={"upgrade": "websocket"})
        response.web_socket.accept()
        self._clients[name] = Client(response.web_socket)
        self._group.start_soon(self._clients[name].read)
        return "opened"

    async def step_send(self, name: str, message: str | Steps) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        client = self._clients.get(name)
        if client is not None and not client.ended:
            client.socket.send(text)
        await self._turnstile.settle()

    async def step_receive(self, name: str) -> None:
        self.transcript.append(["receive", name, *await self._clients[name].next()])

    async def step_close(
        self, name: str, code: int | None = None, reason: str | None = None
    ) -> None:
        client = self._clients.get(name)
        if client is not None and not client.ended:
            client.socket.close(code, reason)
        await self._turnstile.settle()

    async def step_received(self, name: str) -> None:
        client = self._clients.get(name)
        events = [] if client is None else list(client.events)
        if client is not None:
            client.events.clear()
        self.transcript.append(["received", name, events])


class Outcome:
    """What a call that was started gives, once it has come."""

    def __init__(self, calling: Any) -> None:
        self._calling = calling
        self.came = anyio.Event()
        self.value: Any = None

    async def wait_for(self) -> None:
        """Wait for it."""
        self.value = await outcome(self._calling)
        self.came.set()


async def outcome(calling: Any) -> dict[str, Any]:
    """What a call returns or raises, as JSON."""
    try:
        return {"returned": await calling}
    except Exception as error:
        return failed(error)


def url(steps: Steps) -> str:
    """The steps of a request travel in its URL."""
    return f"http://object/?{quote(json.dumps(steps), safe='')}"


class Roomhost:
    """One host that runs programs, for tests that are not in its event loop."""

    def __init__(self, portal: BlockingPortal, host: Host, clock: ManualClock) -> None:
        self._portal = portal
        self._host = host
        self._clock = clock
        self._numbers = itertools.count()

    def run(self, program: dict[str, Any]) -> dict[str, Any]:
        """What a program does, on an object of its own."""
        return self._portal.call(self._run, program)

    async def _run(self, program: dict[str, Any]) -> dict[str, Any]:
        name = f"program {next(self._numbers)}"
        async with anyio.create_task_group() as group:
            driver = Driver(self._host, self._clock, group, name, program)
            with anyio.move_on_after(PROGRAM_SECONDS) as scope:
                await driver.run()
            if scope.cancelled_caught:
                driver.transcript.append(["hung"])
            group.cancel_scope.cancel()
        # Copies: a retry of an alarm may still be to come.
        return {"object": list(driver.world.transcript), "driver": list(driver.transcript)}


@contextmanager
def roomhost(backend: str, options: dict[str, Any]) -> Generator[Roomhost]:
    """A host on a loop and in a thread of its own."""
    with start_blocking_portal(backend, options) as portal:
        clock = ManualClock()
        with TemporaryDirectory(prefix="roomhost-", dir=MEMORY) as directory:
            hosting = host_for(app, clock=clock, data_dir=directory)
            with portal.wrap_async_context_manager(hosting) as host:
                yield Roomhost(portal, host, clock)
