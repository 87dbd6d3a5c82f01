"""A module as small as one can be: counters, an index that knows them all, handles, and routes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from roomhost.bindings import DurableObjectNamespace, ModuleRecord
from roomhost.bindings.paths import segments_below_root
from roomhost.runtime import DurableObject, Host, Response
from roomhost.runtime.application import (
    ASGIApp,
    NamespaceDeclaration,
    Receive,
    Scope,
    Send,
)
from roomhost.runtime.asgi import refuse


class Counter(DurableObject):
    """Counts, and tells the index once that it exists: by the module's own value in `env`."""

    async def add(self, binding: str, by: int) -> int:
        n: int = await self.ctx.storage.get("n", 0) + by
        await self.ctx.storage.put("n", n)
        if n == by:
            await self.env[binding].note(self.ctx.id.name)
        return n


class Index(DurableObject):
    """The names of all counters."""

    async def note(self, name: str) -> None:
        await self.ctx.storage.put(name, True)

    async def names(self) -> list[str]:
        return list(await self.ctx.storage.list())


class Tallies:
    """The handles of a module, in the host's process or in another."""

    def __init__(
        self, binding: str, step: int, namespaces: Mapping[str, DurableObjectNamespace]
    ) -> None:
        self.binding = binding
        self.step = step
        self.counters = namespaces[f"{binding}.counters"]
        self._index = namespaces[f"{binding}.index"]

    async def add(self, name: str) -> int:
        """Count one step."""
        n: int = await self.counters.get_by_name(name).add(self.binding, self.step)
        return n

    async def note(self, name: str) -> None:
        """A new counter."""
        await self._index.get_by_name("all").note(name)

    async def names(self) -> list[str]:
        """Every counter."""
        names: list[str] = await self._index.get_by_name("all").names()
        return names


class Tally:
    """The module. `failure` is raised by `bind`; `made` counts its ASGI applications."""

    def __init__(self, name: str, step: int = 1, failure: Exception | None = None) -> None:
        self.name = name
        self.step = step
        self.path = f"/tally/{name}"
        self.failure = failure
        self.made = 0

    def namespaces(self, binding: str) -> Sequence[NamespaceDeclaration]:
        return [
            NamespaceDeclaration(f"{binding}.counters", f"tally/{self.name}/counters", Counter),
            NamespaceDeclaration(f"{binding}.index", f"tally/{self.name}/index", Index),
        ]

    def bind(self, host: Host, namespaces: Mapping[str, DurableObjectNamespace]) -> Tallies:
        if self.failure is not None:
            raise self.failure
        binding = next(iter(namespaces)).partition(".")[0]
        return Tallies(binding, self.step, namespaces)

    def asgi(self, host: Host, bound: Tallies) -> ASGIApp:
        self.made += 1

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            below = segments_below_root(scope)[self.path.count("/") :]
            rest = [unquote_to_bytes(part).decode() for part in below]
            if len(rest) != 1 or not rest[0]:
                await refuse(scope, receive, send, Response("no tally\n", status=404))
            elif scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": str(await bound.add(rest[0]))})
                await send({"type": "websocket.close", "code": 1000})
            else:
                n = await bound.add(rest[0])
                await refuse(scope, receive, send, Response.from_json({"name": rest[0], "n": n}))

        return answer

    def describe(self) -> ModuleRecord:
        return ModuleRecord("tally", json.dumps({"step": self.step}).encode())


def bind_remote(
    binding: str, config: bytes, namespaces: Mapping[str, DurableObjectNamespace]
) -> Any:
    """What the entry point of the module's kind would name."""
    return Tallies(binding, json.loads(config)["step"], namespaces)
