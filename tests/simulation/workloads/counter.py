"""The actor of `workloads.counters`: it does what an `Op` says, and says what it has seen."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import anyio

from roomhost.runtime import (
    DurableObject,
    DurableObjectState,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
)

from ..checks.events import Began, Constructed, Resumed, Told
from .counter_model import PAD, STAMP, Op, entries_of, pad_of
from .ledger import Ledger


class Counter(DurableObject):
    """Counters under keys. `seen` is the last write that an output of this instance waits for."""

    ledger: ClassVar[Ledger]

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.name = ctx.id.name or ""
        self.instance = next(self.ledger.instances)
        found = ctx.storage.kv.list()
        self.seen = int(found.get(STAMP, 0))
        self.ledger.record(Constructed(self.name, self.instance, self.seen, found))

    async def run(self, call: int) -> tuple[Hashable, int]:
        """A call: what it answers, and the write that its caller hears of."""
        await self.ctx.storage.get(STAMP)  # it raises in an instance that has ended
        self.ledger.record(Began(self.name, self.instance, call))
        op: Op = self.ledger.ops[call]
        output = await self._within(op) if op.within else await self._apply(op)
        await self._go_on(op)
        return output, self.seen

    async def note(self, name: str, seen: int) -> None:
        """Another object tells of a write of its own."""
        self.ledger.record(Told(name, seen, "a call"))

    async def fetch(self, request: Request) -> Response:
        """Open a socket."""
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Whoever writes on the socket is told what the object has seen."""
        await self.ctx.storage.get(STAMP)
        ws.send(str(self.seen))

    async def _within(self, op: Op) -> Hashable:
        async def section() -> Hashable:
            before = await self.ctx.storage.get(op.key, 0)
            await self._pause(op)
            return await self._add(op, before)

        result: Hashable = await self.ctx.block_concurrency_while(section)
        return result

    async def _apply(self, op: Op) -> Hashable:
        """In one turn."""
        storage = self.ctx.storage
        match op.what:
            case "get":
                return int(await storage.get(op.key, 0))
            case "list":
                return entries_of(await storage.list())
            case "add":
                return await self._add(op, await storage.get(op.key, 0))
            case "delete":
                existed = await storage.delete(op.key, allow_unconfirmed=not op.confirmed)
                if existed:
                    await self._stamp(op)
                return existed
            case "clear":
                await storage.delete_all()
                await self._stamp(op)
                return None

    async def _add(self, op: Op, before: int) -> int:
        value = before + op.by
        await self.ctx.storage.put(op.key, value, allow_unconfirmed=not op.confirmed)
        await self._stamp(op)
        return value

    async def _stamp(self, op: Op) -> None:
        stamp = next(self.ledger.stamps)
        written = {STAMP: stamp, PAD: pad_of(stamp, op.pad)}
        await self.ctx.storage.put(written, allow_unconfirmed=not op.confirmed)
        if op.confirmed:
            self.seen = stamp

    async def _go_on(self, op: Op) -> None:
        storage = self.ctx.storage
        match op.then:
            case "tell":
                other = self.env.COUNTER.get_by_name(f"the reader of {self.name}")
                await other.note(self.name, self.seen)
            case "push":
                for ws in self.ctx.get_web_sockets():
                    ws.send(str(self.seen))
            case "sync":
                stamp = int(await storage.get(STAMP, 0))
                await storage.sync()
                self.ledger.record(Told(self.name, stamp, "sync()"))
            case "abort":
                await self._pause(op)
                self.ctx.abort("scripted")
            case "":
                await self._pause(op)

    async def _pause(self, op: Op) -> None:
        if op.pause_ms:
            await anyio.sleep(op.pause_ms / 1_000)
            self.ledger.record(Resumed(self.name, self.instance))
