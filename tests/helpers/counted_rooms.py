"""A module whose rooms do nothing but count: they treat the directory as real ones do.

A test sets figures, and can step in where a room marks itself or has answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from roomhost.actors.directory import Directory, Figures
from roomhost.actors.directory_shard import DirectoryShard
from roomhost.bindings import App, DurableObjectNamespace, ModuleRecord
from roomhost.runtime import DurableObject, Host
from roomhost.runtime.application import ASGIApp, NamespaceDeclaration

Step = Callable[["CountedRoom"], Awaitable[None]]


class CountedRoom(DurableObject):
    """`before_mark` runs while the room's gate is closed; `before_answer` when it is asked, and
    `after_answer` when it has made its answer. `asked`: the names of those who were, in order."""

    kind: ClassVar[Any] = "room"
    before_mark: ClassVar[Step | None] = None
    before_answer: ClassVar[Step | None] = None
    after_answer: ClassVar[Step | None] = None
    asked: ClassVar[list[str]] = []

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.name: str = ctx.id.name
        self._version: int = ctx.storage.kv.get("version", 0)
        self._marked = 0

    async def set(self, rooms: int, members: int, messages: int) -> None:
        """Have these figures from now on."""
        await self.mark()
        self.ctx.storage.kv.put("figures", [rooms, members, messages])

    async def add(self, messages: int) -> None:
        """Have so many messages more."""
        await self.mark()
        rooms, members, before = self._figures()
        self.ctx.storage.kv.put("figures", [rooms or 1, members, before + messages])

    async def mark(self) -> None:
        """Get ready to change, and no more."""
        if not self._marked:
            await self.ctx.block_concurrency_while(self._mark)

    async def figures(self, version: int) -> Figures:
        """What the directory asks for."""
        CountedRoom.asked.append(self.name)
        if CountedRoom.before_answer is not None:
            await CountedRoom.before_answer(self)
        answer = self._answer(version)
        if CountedRoom.after_answer is not None:
            await CountedRoom.after_answer(self)
        return answer

    async def report(self) -> None:
        """Tell the figures unasked."""
        if self._marked:
            answer = self._answer(self._marked)
            await self._directory.report(self.kind, self.name, answer)

    async def abort(self) -> None:
        """End this instance."""
        self.ctx.abort("a test resets the room")

    @property
    def _directory(self) -> Directory:
        directory: Directory = self.env.COUNTED.directory
        return directory

    def _figures(self) -> list[int]:
        figures: list[int] = self.ctx.storage.kv.get("figures", [0, 0, 0])
        return figures

    def _answer(self, version: int) -> Figures:
        self._version = max(self._version, self._marked, version)
        if self.ctx.storage.kv.get("figures") is not None:
            self.ctx.storage.kv.put("version", self._version)
        self._marked = 0
        rooms, members, messages = self._figures()
        return {
            "version": self._version,
            "rooms": rooms,
            "members": members,
            "messages": messages,
        }

    async def _mark(self) -> None:
        if CountedRoom.before_mark is not None:
            await CountedRoom.before_mark(self)
        version = self._version + 1
        self._marked = await self._directory.mark(self.kind, self.name, version)


class CountedChannel(CountedRoom):
    """The same for channels."""

    kind: ClassVar[Any] = "channel"


class CountedShard(DirectoryShard):
    """A shard that a test can look into."""

    binding: ClassVar[str] = "COUNTED"

    async def stored(self) -> dict[str, Any]:
        """All that it has stored."""
        return self.ctx.storage.kv.list()

    async def abort(self) -> None:
        """End this instance."""
        self.ctx.abort("a test resets the shard")


class Counted:
    """What the module is in `env`."""

    def __init__(self, namespaces: Mapping[str, DurableObjectNamespace]) -> None:
        self._kinds = {
            "room": namespaces["COUNTED.rooms"],
            "channel": namespaces["COUNTED.channels"],
        }
        self.shards = namespaces["COUNTED.directory"]
        self.directory = Directory(self.shards)

    def stub(self, kind: str, name: str) -> Any:
        """A room's object."""
        return self._kinds[kind].get_by_name(name)

    def room(self, name: str) -> Any:
        """A room."""
        return self.stub("room", name)


class CountedModule:
    """The module."""

    path = "/counted"

    def namespaces(self, binding: str) -> Sequence[NamespaceDeclaration]:
        actors: dict[str, type[DurableObject]] = {
            "rooms": CountedRoom,
            "channels": CountedChannel,
            "directory": CountedShard,
        }
        return [
            NamespaceDeclaration(f"{binding}.{name}", f"counted/{name}", actor)
            for name, actor in actors.items()
        ]

    def bind(self, host: Host, namespaces: Mapping[str, DurableObjectNamespace]) -> Counted:
        return Counted(namespaces)

    def asgi(self, host: Host, bound: Any) -> ASGIApp:
        raise NotImplementedError

    def describe(self) -> ModuleRecord:
        return ModuleRecord("counted", b"{}")


def forget() -> None:
    """Nothing of another test."""
    CountedRoom.before_mark = CountedRoom.before_answer = CountedRoom.after_answer = None
    CountedRoom.asked.clear()


app = App(name="counted", bindings={"COUNTED": CountedModule()})
