"""Members of a room that edit at random: clients of every kind, told what to do in one way."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from .yjs_clients import YjsClient
from .yjs_provider import PythonClient
from .yjs_rooms import KEY, YjsRoom

WORDS = (
    "a",
    "the quick ",
    "\u00e9t\u00e9 ",
    "\u2603",
    "\U0001f600\U0001f680 ",
    "\n",
    "\u4f60\u597d ",
)
MOST_DELETED = 0.1  # of the text, at once


class Member(Protocol):
    """A document in the hands of somebody who may be away."""

    name: str

    async def edit(self, *steps: tuple[Any, ...]) -> None:
        """Do steps as those of `YjsClient.edit`, `insert`, `delete` and `set`."""

    async def away(self) -> None:
        """Disconnect."""

    async def back(self) -> None:
        """Connect, and be in sync."""

    async def lose(self) -> None:
        """Lose the connection, and come back."""

    async def clocks(self) -> dict[int, int]:
        """The state vector."""

    async def wait_for(self, clocks: dict[int, int]) -> None:
        """Return once it has everything that a state vector counts."""

    async def content(self) -> tuple[str, dict[str, Any]]:
        """The text and the map."""


class NodeMember:
    """A provider of npm."""

    def __init__(self, client: YjsClient) -> None:
        self.name = client.name
        self.client = client

    async def edit(self, *steps: tuple[Any, ...]) -> None:
        await self.client.edit(*steps)

    async def away(self) -> None:
        await self.client.disconnect()
        await self.client.wait("!it.connected")

    async def back(self) -> None:
        await self.client.connect()
        await self.client.wait("it.synced")

    async def lose(self) -> None:
        await self.client.lose()

    async def clocks(self) -> dict[int, int]:
        return await self.client.clocks()

    async def wait_for(self, clocks: dict[int, int]) -> None:
        await self.client.wait(f"it.knows({json.dumps(clocks)})")

    async def content(self) -> tuple[str, dict[str, Any]]:
        found = await self.client.report("text", "map")
        return found["text"], found["map"]


class PythonMember:
    """pycrdt's provider, which does not reconnect by itself."""

    def __init__(self, name: str, room: YjsRoom, group: TaskGroup) -> None:
        self.name = name
        self._client = PythonClient()
        self._room = room
        self._group = group
        self._scope = anyio.CancelScope()
        self._left = anyio.Event()

    async def edit(self, *steps: tuple[Any, ...]) -> None:
        content, entries = self._client.content, self._client.entries
        for step in steps:
            match step:
                case ("insert", at, text):
                    content.insert(self._index(at), text)
                case ("delete", start, end):
                    first, last = self._index(start), self._index(end)
                    if first < last:
                        del content[first:last]
                case ("set", key, value):
                    entries[key] = value
                case _:
                    raise AssertionError(step)

    def _index(self, part: float) -> int:
        text = self._client.text
        return len(text[: int(part * len(text))].encode())  # pycrdt counts bytes

    async def away(self) -> None:
        self._scope.cancel()
        await self._left.wait()

    async def back(self) -> None:
        self._scope, self._left = anyio.CancelScope(), anyio.Event()
        await self._group.start(self._connect)

    async def lose(self) -> None:
        await self.away()
        await self.back()

    async def _connect(self, *, task_status: TaskStatus[None]) -> None:
        with self._scope:
            async with self._client.connected(self._room.socket_url, KEY):
                task_status.started()
                await anyio.sleep_forever()
        self._left.set()

    async def clocks(self) -> dict[int, int]:
        return self._client.clocks

    async def wait_for(self, clocks: dict[int, int]) -> None:
        await self._client.wait(
            lambda it: all(it.clocks.get(client, 0) >= clock for client, clock in clocks.items())
        )

    async def content(self) -> tuple[str, dict[str, Any]]:
        return self._client.text, self._client.entries.to_py() or {}


@dataclass
class Crowd:
    """The members of a room and what became of their edits.

    `gone`: those who are away. `marks`: the keys that were set so far, one by each edit and never
    removed. `seen`: those that others have seen, or that a room has acknowledged.
    """

    rng: random.Random
    members: list[Member]
    gone: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    @property
    def present(self) -> list[Member]:
        """Those who are connected."""
        return [member for member in self.members if member.name not in self.gone]

    async def edit(self, member: Member) -> None:
        """One edit, at random: it may delete, sets a mark, and ends with an insertion."""
        rng = self.rng
        start = rng.random()
        mark = f"{member.name} {len(self.marks)}"
        removed = ("delete", start, start + rng.random() * MOST_DELETED)
        added = ("insert", rng.uniform(0.01, 0.99), rng.choice(WORDS))
        steps = [removed] if rng.random() < 0.3 and removed[2] < 1 else []
        self.marks.add(mark)
        await member.edit(*steps, ("set", mark, rng.randrange(9)), ("set", "shared", mark), added)

    async def leave(self, member: Member) -> None:
        """A member is away from now on."""
        self.gone.add(member.name)
        await member.away()

    async def return_(self, member: Member) -> None:
        """A member is back."""
        await member.back()
        self.gone.discard(member.name)

    async def settle(self) -> None:
        """Return once those who are connected have one another's edits."""
        known: dict[int, int] = {}
        for member in self.present:
            for client, clock in (await member.clocks()).items():
                known[client] = max(clock, known.get(client, 0))
        for member in self.present:
            await member.wait_for(known)
        if len(self.present) > 1:
            _, entries = await self.present[0].content()
            self.seen |= entries.keys() & self.marks
