"""Output gate: what leaves an object waits for the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from roomhost.bindings import App, DurableObjectStub
from roomhost.runtime import (
    AlarmInfo,
    DurableObjectState,
    OverloadedError,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
    WebSocketRequestResponsePair,
)
from roomhost.runtime.output_gate import OutputGate
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.in_flight import InFlight, in_flight
from ..helpers.mortal import opened
from ..helpers.scripted import Scripted, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

GATE = Feature("OutputGate: locks, order, failure", "4.3, 9.1")
HELD = Feature("output gate: what waits for the disk", "4.4")
PER_OBJECT = Feature("output gate: one for each object", "4.3, 4.4")
NOT_HELD = Feature("output gate: what does not wait", "4.4")
EARLIER = Feature("output gate: only earlier writes count", "4.3")
ALARM = Feature("output gate: an alarm is over when its writes are stored", "4.4, 6.2")
WATCHDOG = Feature("output gate: 30-second limit of a commit", "4.3")


class PatientClock(ManualClock):
    """Moves on although the disk is held: it does not wait for what is being written."""

    def attach(self, settle: object) -> None:
        """Nobody is waited for."""


class Talker(Scripted):
    """Writes, and then lets something out in the way that it is told."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.standard: WebSocket | None = None

    async def fetch(self, request: Request) -> Response:
        if request.url.path == "/standard":
            pair = WebSocketPair()
            pair.server.accept()
            self.standard = pair.server
            return Response(status=101, web_socket=pair.client)
        if request.url.path == "/visit":
            return Response(await self.run("visit"))
        if request.url.path == "/write":
            await self.emit("fetch response")
            return Response("out")
        if request.url.path == "/fail":
            await self.emit("fetch exception")
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def emit(self, way: str) -> Any:
        await self.ctx.storage.put("written", way)
        other = self.env.OBJECT.get_by_name("other")
        if way in ("exception", "fetch exception"):
            raise LookupError("out")
        if way == "call":
            return await other.run("visit")
        if way == "outgoing fetch":
            return (await other.fetch("http://x/visit")).status
        if way == "standard send":
            assert self.standard is not None
            self.standard.send("out")
        for ws in self.ctx.get_web_sockets():
            ws.close(4000, "out") if way == "close" else ws.send("out")
        return "out"


app = App(name="talker", bindings={"OBJECT": Talker})


@script
async def read(actor: Scripted) -> Any:
    """Everything stored."""
    return await actor.ctx.storage.list()


async def write(actor: Scripted, key: str, value: Any = True) -> Any:
    """Write, and reply with the value."""
    await actor.ctx.storage.put(key, value)
    return value


@pytest.fixture(autouse=True)
def shared_scripts(no_scripts: None) -> None:
    """What most stories here use."""
    script(read)
    script(write)


def not_refused(error: BaseException) -> None:
    """For a wait that ends well."""
    raise error


def never_open() -> None:
    """For one that does not."""
    raise AssertionError("the gate opened")


@shows(GATE)
def test_the_gate_opens_when_the_locks_taken_before_are_released() -> None:
    """A wait is immediate without any, and later locks do not matter."""
    gate = OutputGate()
    opened: list[str] = []
    gate.when_open(lambda: opened.append("free"), not_refused)
    first = gate.lock()
    gate.when_open(lambda: opened.append("after first"), not_refused)
    second = gate.lock()
    gate.when_open(lambda: opened.append("after second"), not_refused)
    assert opened == ["free"]
    first.release()
    assert opened == ["free", "after first"]
    second.release()
    assert opened == ["free", "after first", "after second"]


@shows(GATE)
def test_a_lock_released_out_of_order_lets_nobody_out_early() -> None:
    """Whoever waited for an earlier one waits on."""
    gate = OutputGate()
    opened: list[str] = []
    locks = [gate.lock() for _ in range(3)]
    gate.when_open(lambda: opened.append("three"), not_refused)
    for index in (2, 1):
        locks[index].release()
        assert opened == []
    locks[0].release()
    assert opened == ["three"]


@shows(GATE)
def test_a_failed_lock_breaks_the_gate_for_later_output_only() -> None:
    """What waited for an earlier lock leaves all the same; the first cause stays for good."""
    gate = OutputGate()
    outcome: list[object] = []
    cause = ValueError("disk")
    first = gate.lock()
    gate.when_open(lambda: outcome.append("earlier"), outcome.append)
    second = gate.lock()
    gate.when_open(lambda: outcome.append("later"), outcome.append)
    second.fail(cause)
    assert (gate.broken, outcome) == (cause, [cause])
    first.release()
    gate.when_open(lambda: outcome.append("new"), outcome.append)
    assert outcome == [cause, "earlier", cause]


@shows(GATE)
def test_a_cancelled_lock_counts_as_a_failed_one() -> None:
    """Nobody knows whether it was written."""
    gate = OutputGate()
    refused: list[BaseException] = []
    lock = gate.lock()
    gate.when_open(never_open, refused.append)
    lock.cancel()
    assert [str(error) for error in refused] == ["output lock was canceled before completion"]
    assert gate.broken is refused[0]


async def start_emitting(way: str, stub: DurableObjectStub, calls: InFlight) -> WebSocket | None:
    """Let the object write and emit, whose outcome is that of the call `out`; over which socket."""
    ws = None
    if way in ("fetch response", "fetch exception"):
        path = "/write" if way == "fetch response" else "/fail"
        await calls.start("out", stub.fetch(f"http://x{path}"))
    elif way in ("send", "close", "standard send"):
        ws = await opened(stub, "/standard" if way == "standard send" else "/")
        await calls.start("out", ws.receive())
        await calls.start("emit", stub.emit(way))
    else:
        await calls.start("out", stub.emit(way))
    return ws


WAYS = (
    *("result", "exception", "fetch response", "fetch exception"),
    *("call", "outgoing fetch", "send", "close", "standard send"),
)


@shows(HELD)
@mistake(8)
@pytest.mark.parametrize("way", WAYS)
async def test_mistake_8_whatever_leaves_after_a_write_waits_for_it(way: str) -> None:
    """Results and exceptions, responses, calls and frames: nobody sees any while the disk is held."""
    disk = Disk()
    visits: list[str] = []

    @script
    def visit(actor: Scripted) -> str:
        visits.append("visit")
        return "out"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            await host.env.OBJECT.get_by_name("other").run("read")
            disk.hold()
            ws = await start_emitting(way, host.env.OBJECT.get_by_name("a"), calls)
            assert (calls.ended, visits) == ({}, [])
            disk.release()
        if ws is not None:
            ws.close()
        assert "out" in calls.ended
        assert visits == (["visit"] if way in ("call", "outgoing fetch") else [])


@shows(PER_OBJECT)
@mistake(8)
async def test_mistake_8_the_reply_of_another_call_waits_too() -> None:
    """A reader that saw the write must not tell before it is stored; another object is free."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub, other = host.env.OBJECT.get_by_name("a"), host.env.OBJECT.get_by_name("b")
            disk.hold()
            await calls.start("write", stub.run("write", "a", 1))
            await calls.start("reader", host.env.OBJECT.get_by_name("a").run("read"))
            await calls.start("other", other.run("read"))
            assert calls.ended == {"other": {}}
            disk.release()
        assert calls.ended == {"other": {}, "write": 1, "reader": {"a": 1}}


@shows(HELD)
async def test_a_streamed_body_waits_at_the_chunk_after_the_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it yielded before is free."""
    disk = Disk()

    async def fetch(self: Talker, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"before"
            await self.ctx.storage.put("n", 1)
            yield b"after"

        return Response(body())

    monkeypatch.setattr(Talker, "fetch", fetch)
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        response = await host.env.OBJECT.get_by_name("a").fetch("http://x/")
        chunks = aiter(response.stream())
        assert await anext(chunks) == b"before"
        async with in_flight() as calls:
            await calls.start("after", anext(chunks))
            assert calls.ended == {}
            disk.release()
        assert calls.ended == {"after": b"after"}
        assert [chunk async for chunk in chunks] == []


@shows(ALARM)
async def test_an_alarm_is_over_when_its_writes_are_stored() -> None:
    """Until then it counts as running."""
    clock, disk = PatientClock(), Disk()
    ran = anyio.Event()

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        await actor.ctx.storage.put("alarm", True)
        ran.set()

    @script
    async def start(actor: Scripted) -> None:
        await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("start")
        disk.hold()
        await clock.advance(1)
        await ran.wait()
        await disk.reached()
        assert host.statistics().alarms_running == 1
        disk.release()
        await host.settle()
        assert host.statistics().alarms_running == 0


@shows(NOT_HELD)
async def test_what_is_sent_before_the_write_does_not_wait() -> None:
    """Each frame and each call looks at the gate when it is made."""
    disk = Disk()
    visits: list[str] = []

    @script
    def visit(actor: Scripted, name: str) -> None:
        visits.append(name)

    @script
    async def story(actor: Scripted) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        other = actor.env.OBJECT.get_by_name("other")
        ws.send("early")
        early = other.run("visit", "early")
        await actor.ctx.storage.put("n", 1)
        ws.send("late")
        await early
        await other.run("visit", "late")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub)
        disk.hold()
        async with in_flight() as calls:
            await calls.start("story", stub.run("story"))
            assert await ws.receive() == "early"
            await calls.start("frame", ws.receive())
            assert (visits, calls.ended) == (["early"], {})
            disk.release()
        assert (visits, calls.ended["frame"]) == (["early", "late"], "late")


@shows(NOT_HELD)
@mistake(10)
async def test_mistake_10_an_auto_response_does_not_wait_for_the_disk() -> None:
    """It tells nothing of the object, and leaves at once."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> None:
        actor.ctx.set_web_socket_auto_response(WebSocketRequestResponsePair("ping", "pong"))
        await actor.ctx.storage.put("n", 1)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub)
        disk.hold()
        async with in_flight() as calls:
            await calls.start("story", stub.run("story"))
            ws.send("ping")
            assert await ws.receive() == "pong"
            assert calls.ended == {}
            disk.release()


@shows(NOT_HELD)
async def test_an_auto_response_stays_behind_frames_that_wait() -> None:
    """A socket keeps its order."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> None:
        actor.ctx.set_web_socket_auto_response(WebSocketRequestResponsePair("ping", "pong"))
        await actor.ctx.storage.put("n", 1)
        for ws in actor.ctx.get_web_sockets():
            ws.send("stored")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub)
        disk.hold()
        async with in_flight() as calls:
            await calls.start("story", stub.run("story"))
            ws.send("ping")
            await calls.start("first", ws.receive())
            assert calls.ended == {}
            disk.release()
        assert (calls.ended["first"], await ws.receive()) == ("stored", "pong")


@shows(EARLIER)
@mistake(9)
async def test_mistake_9_a_reply_does_not_wait_for_later_writes() -> None:
    """It leaves with its own commit, while the next one is held."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("first", stub.run("write", "a", 1))
            await disk.reached()
            await calls.start("second", stub.run("write", "b", 2))
            disk.release()
            disk.hold()
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert calls.ended == {"first": 1}
            disk.release()
        assert calls.ended == {"first": 1, "second": 2}


@shows(WATCHDOG)
async def test_a_commit_of_over_30_seconds_resets_the_object() -> None:
    """Callers get an overload with Cloudflare's text; the next instance finds what was stored."""
    clock, disk = PatientClock(), Disk()
    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("write", stub.run("write", "a", 1))
            await clock.advance(29.9)
            assert calls.ended == {}
            await clock.advance(0.2)
            ended = dict(calls.ended)
            disk.release()
        error = ended.get("write")
        assert isinstance(error, OverloadedError)
        assert str(error) == (
            "Durable Object storage operation exceeded timeout which caused object to be reset."
        )
        assert (error.overloaded, error.durable_object_reset) == (True, True)
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"a": 1}
