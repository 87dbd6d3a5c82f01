"""The actor that a history runs in, which records each thing it does as it does it."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, ClassVar, TypeVar

import anyio
import anyio.lowlevel

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    DurableObjectState,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
)

from .events import (
    Began,
    Called,
    Constructed,
    Entered,
    Event,
    Finished,
    Left,
    Read,
    Received,
    Reset,
    Resumed,
    Suspended,
    Value,
    Wrote,
)
from .history import (
    BARRIERS,
    Abort,
    Background,
    Increment,
    Mark,
    Op,
    Pause,
    Push,
    Raise,
    Section,
    Soft,
    Tell,
    Transaction,
    Wait,
)

FAR_MS = 4_000_000_000_000  # the alarm is due at this plus its stamp: no run reaches it
T = TypeVar("T")


class Failure(Exception):
    """What a handler raises; its arguments are the instance and the last write it saw."""


class Recorder:
    """The events so far, and what the objects of one history need to know of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.instances = itertools.count(1)
        self.stamps = itertools.count(1)
        self.ops: dict[int, tuple[Op, ...]] = {}  # by call
        self.barriers = [anyio.Event() for _ in range(BARRIERS)]
        self.starts: Iterator[tuple[Op, ...]] = iter(())  # what the next instances do first
        self._internal = itertools.count(-1, -1)

    def add(self, event: Event) -> None:
        """It happens now. From the writer's thread too: appending is atomic."""
        self.events.append(event)

    def internal(self, ops: tuple[Op, ...] = ()) -> int:
        """A number for what an object starts by itself."""
        number = next(self._internal)
        self.ops[number] = ops
        return number

    def start(self) -> int:
        """A number for what the next instance does while it starts."""
        return self.internal(next(self.starts, ()))

    def all_is_well(self) -> None:
        """From now on nobody fails, nobody waits for a barrier."""
        self.starts = iter(())
        for barrier in self.barriers:
            barrier.set()


class Subject(DurableObject):
    """Does what the call's operations say."""

    recorder: ClassVar[Recorder]

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        recorder = Subject.recorder
        self.name = ctx.id.name or ""
        self.instance = next(recorder.instances)
        self.seen = 0  # the stamp of the last write that an output must wait for
        found = {key: value_of(value) for key, value in ctx.storage.kv.list().items()}
        recorder.add(Constructed(self.instance, self.name, found))
        code = Code(self, recorder.start())
        ctx.block_concurrency_while(code.start)

    async def run(self, call: int) -> tuple[int, int]:
        """A call over a stub."""
        return await Code(self, call).run()

    async def note(self, call: int, instance: int, seen: int) -> None:
        """A call of another object, which says what it has seen."""
        code = Code(self, call)
        await code.begin()
        self.recorder.add(Received(instance, seen))
        code.finish()

    async def fetch(self, request: Request) -> Response:
        """A call that opens a socket."""
        instance, seen = await Code(self, int(request.url.path[1:])).run()
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        headers = {"seen": f"{instance} {seen}"}
        return Response(status=101, web_socket=pair.client, headers=headers)

    async def alarm(self, info: AlarmInfo) -> None:
        """Never due while a history runs."""

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """A call over a socket; the reply is a message."""
        outcome = "ok"
        try:
            instance, seen = await Code(self, int(message)).run()
        except Failure as failure:
            instance, seen = failure.args
            outcome = "raised"
        ws.send(f"{int(message)} {outcome} {instance} {seen}")


class Code:
    """What one call does in one instance."""

    def __init__(self, actor: Subject, call: int) -> None:
        self.actor = actor
        self.storage = actor.ctx.storage
        self.recorder = actor.recorder
        self.call = call
        self.frame = (call, actor.instance)

    async def run(self) -> tuple[int, int]:
        """The whole handler."""
        await self.begin()
        await self.perform(self.recorder.ops[self.call])
        return self.finish()

    async def start(self) -> None:
        """The section of the constructor."""
        self.recorder.add(Entered(*self.frame))
        due = await self.storage.get_alarm()
        self.recorder.add(Read(*self.frame, "alarm", None if due is None else (0, due - FAR_MS)))
        try:
            await self.perform(self.recorder.ops[self.call])
        except Failure:
            self.recorder.add(Reset(self.actor.name))
            raise

        self.recorder.add(Left(*self.frame))

    async def begin(self) -> None:
        """The handler is entered. A storage call first: an instance that was reset has none."""
        await self.storage.get("count")
        self.recorder.add(Began(*self.frame))

    def finish(self) -> tuple[int, int]:
        """The handler ends; what it may tell."""
        self.recorder.add(Finished(*self.frame))
        return self.actor.instance, self.actor.seen

    async def perform(self, ops: tuple[Op, ...]) -> None:
        """Do one thing after the other."""
        for op in ops:
            match op:
                case Pause(rounds):
                    await self.suspended(rounds_of_the_loop(rounds))
                case Wait(barrier):
                    await self.suspended(self.recorder.barriers[barrier].wait())
                case Increment(between):
                    value = await self.read("count")
                    await self.perform(between)
                    await self.write("count", 1 + (value[0] if value is not None else 0))
                case Mark():
                    await self.mark()
                case Soft():
                    await self.write("soft", 0, confirmed=False)
                case Push():
                    for ws in self.actor.ctx.get_web_sockets():
                        ws.send(f"push ok {self.actor.instance} {self.actor.seen}")
                case Tell(name):
                    await self.tell(name)
                case Raise():
                    raise Failure(*self.finish())
                case Abort():
                    self.recorder.add(Reset(self.actor.name))
                    self.actor.ctx.abort("scripted")
                case Section(inside, fails):
                    section = self.section(inside, fails)
                    await self.suspended(self.actor.ctx.block_concurrency_while(section))
                case Transaction(inside, fails):
                    await self.transact(inside, fails)
                case Background(inside):
                    code = Code(self.actor, self.recorder.internal(inside))
                    self.actor.ctx.wait_until(code.run())

    async def suspended(self, awaitable: Awaitable[T]) -> T:
        """Await something that is not storage."""
        self.recorder.add(Suspended(*self.frame))
        try:
            result = await awaitable
        except Exception:
            await self.resume()
            raise

        await self.resume()
        return result

    async def resume(self) -> None:
        """A new turn. A storage call first, as in `begin`."""
        await self.storage.get("count")
        self.recorder.add(Resumed(*self.frame))

    async def read(self, key: str) -> Value | None:
        """`get`."""
        stored = await self.storage.get(key)
        value = None if stored is None else value_of(stored)
        self.recorder.add(Read(*self.frame, key, value))
        return value

    async def write(self, key: str, number: int, confirmed: bool = True) -> None:
        """`put`."""
        value = (number, next(self.recorder.stamps))
        await self.storage.put(key, value, allow_unconfirmed=not confirmed)
        self.wrote(key, value, confirmed)

    def wrote(self, key: str, value: Value, confirmed: bool = True) -> None:
        """Something was written."""
        if confirmed:
            self.actor.seen = value[1]
        self.recorder.add(Wrote(*self.frame, key, value))

    async def mark(self) -> None:
        """Two keys and the alarm."""
        await self.read("a")
        value = (0, next(self.recorder.stamps))
        for key in ("a", "b"):
            await self.storage.put(key, value)
            self.wrote(key, value)
        await self.storage.set_alarm(FAR_MS + value[1])
        self.wrote("alarm", value)

    async def tell(self, name: str) -> None:
        """Two calls over one stub; the write between them delays the second one alone."""
        stub = self.actor.env.OBJECT.get_by_name(name)
        line = f"from call {self.call}, {self.recorder.internal()}"
        calls: list[Coroutine[Any, Any, None]] = []
        try:
            calls.append(self.issue(stub, line))
            await self.mark()
            calls.append(self.issue(stub, line))
            for call in calls:
                await self.suspended(call)
        except Exception as error:
            if not getattr(error, "durable_object_reset", False):
                raise
        finally:
            for call in calls:
                call.close()

    def issue(self, stub: Any, line: str) -> Coroutine[Any, Any, None]:
        """One of them, sent now."""
        call = self.recorder.internal()
        self.recorder.add(Called(call, line))
        sent: Coroutine[Any, Any, None] = stub.note(call, self.actor.instance, self.actor.seen)
        return sent

    def section(
        self, inside: tuple[Op, ...], fails: bool
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """The callback of a critical section."""

        async def run() -> None:
            self.recorder.add(Entered(*self.frame))
            await self.perform(inside)
            self.recorder.add(Left(*self.frame))
            if fails:
                self.recorder.add(Reset(self.actor.name))
                raise Failure

        return run

    async def transact(self, inside: tuple[Op, ...], fails: bool) -> None:
        """A transaction, and what comes after it."""

        async def run(_: object) -> None:
            before = self.actor.seen
            self.recorder.add(Entered(*self.frame, transaction=True))
            await self.perform(inside)
            self.recorder.add(Left(*self.frame, transaction=True, kept=not fails))
            if fails:
                self.actor.seen = before
                raise Failure

        try:
            await self.suspended(self.storage.transaction(run))
        except Failure:
            pass


def value_of(stored: Any) -> Value:
    """A stored value."""
    number, stamp = stored
    return (number, stamp)


async def rounds_of_the_loop(rounds: int) -> None:
    """A real suspension."""
    for _ in range(rounds):
        await anyio.lowlevel.checkpoint()


app = App(name="consistency", bindings={"OBJECT": Subject})
