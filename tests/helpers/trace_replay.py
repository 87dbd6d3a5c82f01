"""Replays an editing trace as Yjs updates, one for each step, over a socket for each agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pycrdt import Doc, Text, TransactionEvent, create_sync_message, create_update_message
from websockets.asyncio.client import ClientConnection, connect

from .traces import Patch, Step, Trace

NOTHING = b"\x00\x00"  # the update that changes nothing
SYNC_STEP_2 = b"\x00\x01"
ROUND_STEPS = (
    200  # that agents may be apart: an update whose cause has not arrived waits in the room
)


class Agent:
    """Its document, and the steps that this holds."""

    def __init__(self, number: int, ascii_only: bool) -> None:
        self.doc: Doc[Any] = Doc(client_id=number + 1)
        self._content = self.doc.get("text", type=Text)
        self._ascii = ascii_only
        self._known: set[int] = set()
        self._update = NOTHING
        self._subscription = self.doc.observe(self._keep)

    def edit(self, step: Step, steps: list[Step], updates: list[bytes]) -> bytes:
        """The update that a step makes, `updates` being those of all steps before."""
        for index in sorted(self._unknown(step, steps)):
            self.doc.apply_update(updates[index])
            self._known.add(index)
        self._update = NOTHING
        with self.doc.transaction():
            for patch in step.patches:
                self._apply(patch)
        self._known.add(len(updates))
        return self._update

    def _unknown(self, step: Step, steps: list[Step]) -> set[int]:
        found: set[int] = set()
        left = list(step.parents)
        while left:
            index = left.pop()
            if index not in self._known and index not in found:
                found.add(index)
                left.extend(steps[index].parents)
        return found

    def _apply(self, patch: Patch) -> None:
        start, end = patch.at, patch.at + patch.deleted
        if not self._ascii:  # pycrdt counts bytes
            text = str(self._content)
            start, end = (len(text[:index].encode()) for index in (start, end))
        if patch.deleted:
            del self._content[start:end]
        if patch.inserted:
            self._content.insert(start, patch.inserted)

    def _keep(self, event: TransactionEvent) -> None:
        self._update = event.update


class AgentSocket:
    """The socket of an agent, which hears and forgets what the others do."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answered = anyio.Event()

    async def send(self, update: bytes) -> None:
        """Send an update."""
        await self._socket.send(create_update_message(update))

    async def settle(self, doc: Doc[Any]) -> None:
        """Return once the room has applied everything that was sent: what is asked next is answered."""
        self._answered = anyio.Event()
        await self._socket.send(create_sync_message(doc))
        await self._answered.wait()

    async def read(self) -> None:
        """Hear everything, until the end."""
        async for message in self._socket:
            assert isinstance(message, bytes)
            if message.startswith(SYNC_STEP_2):
                self._answered.set()


async def replay(trace: Trace, url: str, headers: Mapping[str, str]) -> None:
    """Send a trace to the room at `url`; returns once the room has applied all of it."""
    agents = [Agent(number, trace.ascii) for number in range(trace.agents)]
    async with sockets(trace.agents, url, headers) as opened:

        async def settle() -> None:
            for agent, socket in zip(agents, opened, strict=True):
                await socket.settle(agent.doc)

        for count, (number, update) in enumerate(updates_of(trace, agents), 1):
            await opened[number].send(update)
            if trace.agents > 1 and count % ROUND_STEPS == 0:
                await settle()
        await settle()


def updates_of(trace: Trace, agents: list[Agent]) -> Iterator[tuple[int, bytes]]:
    """Each step's agent and update."""
    updates: list[bytes] = []
    for step in trace.steps:
        updates.append(agents[step.agent].edit(step, trace.steps, updates))
        yield step.agent, updates[-1]


@asynccontextmanager
async def sockets(
    number: int, url: str, headers: Mapping[str, str]
) -> AsyncGenerator[list[AgentSocket]]:
    """So many sockets of one room."""
    connections = [connect(url, additional_headers=headers) for _ in range(number)]
    opened = [await connection for connection in connections]
    try:
        async with anyio.create_task_group() as group:
            found = [AgentSocket(connection) for connection in opened]
            for socket in found:
                group.start_soon(socket.read)
            yield found
            for connection in opened:
                await connection.close()
    finally:
        for connection in opened:
            await connection.close()
