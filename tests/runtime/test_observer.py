"""What an observer sees of single events and log lines, and what it does not."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectError,
    OverloadedError,
    Request,
    Response,
    WebSocketPair,
)
from roomhost.runtime.event_kind import EventKind, Outcome
from roomhost.runtime.records import EventRecord, LogLine
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio


class Room(DurableObject):
    """Does one thing for each kind of event."""

    async def note(self, value: Any) -> Any:
        """Log a value, or raise it."""
        if value == "wrong":
            raise ValueError("wrong")
        logging.getLogger("app").warning("noted %s", value)
        return value

    async def in_thread(self) -> None:
        """Log from a thread."""
        await anyio.to_thread.run_sync(logging.getLogger("app").error, "from a thread")

    async def block(self) -> None:
        """Let nothing in until `GATES` says so."""
        await self.ctx.block_concurrency_while(GATES[-1].wait)

    async def abort(self) -> None:
        """Reset the object."""
        self.ctx.abort("enough")

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)


GATES: list[anyio.Event] = []
app = App(name="observed", bindings={"ROOM": Room})


async def test_nothing_is_recorded_while_nobody_looks() -> None:
    """Events are counted all the same."""
    async with host_for(app) as host:
        await host.env.ROOM.get_by_name("a").note(1)
        assert host.observer.recent() == []
        (meter,) = [meter for meter in host.observer.meters.values() if meter.binding == "ROOM"]
        assert meter.events[EventKind.CALL].outcomes == {Outcome.OK: 1}


async def test_recent_events_are_those_of_the_object_that_is_asked_for() -> None:
    """The newest first, with what ran and how it ended."""
    async with host_for(app, inspector=True, clock=ManualClock(start_ms=5_000)) as host:
        a, b = (host.env.ROOM.get_by_name(name) for name in "ab")
        await a.note(1)
        await b.note(2)
        with pytest.raises(ValueError, match="wrong"):
            await a.note("wrong")
        records = host.observer.recent("ROOM", str(a.id))
        assert [(r.kind, r.what, r.outcome, r.name, r.at_ms) for r in records] == [
            ("call", "note", "ValueError", "a", 5_000),
            ("call", "note", "ok", "a", 5_000),
        ]
        assert len(host.observer.recent("ROOM")) == 3
        assert len(host.observer.recent(limit=1)) == 1
        assert host.observer.recent("OTHER") == []


async def test_a_follower_gets_events_and_lines_of_its_object_alone() -> None:
    """In order; what the object's own code logs is a line of it, in a thread too."""

    async with host_for(app) as host:
        a, b = (host.env.ROOM.get_by_name(name) for name in "ab")
        async with host.observer.follow(["ROOM"], str(a.id)) as follower:
            await b.note("of b")
            await a.note("of a")
            await a.in_thread()
            seen = [await anext(follower) for _ in range(4)]
        lines = [item for item in seen if isinstance(item, LogLine)]
        assert [(line.level, line.message, line.name) for line in lines] == [
            ("warning", "noted of a", "a"),
            ("error", "from a thread", "a"),
        ]
        assert [item.what for item in seen if isinstance(item, EventRecord)] == [
            "note",
            "in_thread",
        ]
        await a.note("nobody hears")
        assert len(host.observer.recent()) == 3


async def test_an_event_is_followed_once_where_it_is_logged_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As what it is, not as a line of the log."""
    caplog.set_level(logging.DEBUG, "roomhost.events")
    async with host_for(app) as host:
        async with host.observer.follow(["ROOM"]) as follower:
            await host.env.ROOM.get_by_name("a").note(1)
            await host.env.ROOM.get_by_name("a").note(2)
            kinds = [type(await anext(follower)) for _ in range(4)]
        assert kinds == [LogLine, EventRecord] * 2


async def test_a_slow_follower_loses_the_oldest() -> None:
    """And is told how many."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        async with host.observer.follow() as follower:
            for number in range(1_003):
                logging.getLogger("app").warning(
                    "%d", number, extra={"object_id": str(stub.id), "binding": "ROOM"}
                )
            assert follower.dropped == 3
            first = await anext(follower)
        assert isinstance(first, LogLine)
        assert first.message == "3"


async def test_what_is_refused_or_reset_is_recorded_too() -> None:
    """With the class of the error, and as never begun."""
    GATES.append(anyio.Event())
    async with host_for(app, inspector=True, max_queued_events=1) as host:
        stub = host.env.ROOM.get_by_name("a")
        blocked = stub.block()
        await anyio.wait_all_tasks_blocked()
        waiting = stub.abort()
        with pytest.raises(OverloadedError):
            await stub.note(1)
        GATES.pop().set()
        await blocked
        with pytest.raises(DurableObjectError, match="enough"):
            await waiting
        outcomes = [record.outcome for record in host.observer.recent()]
        assert sorted(outcomes) == ["DurableObjectError", "OverloadedError", "ok"]


async def test_a_slow_handler_is_told_without_anybody_looking(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At warning, with the object's id and name."""
    async with host_for(app, slow_handler_seconds=1e-9) as host:
        stub = host.env.ROOM.get_by_name("a")
        await stub.note(1)
        (record,) = [r for r in caplog.records if r.name == "roomhost.events"]
        assert record.levelname == "WARNING"
        assert vars(record)["object_name"] == "a"
        assert vars(record)["object_id"] == str(stub.id)
        assert record.getMessage().startswith("slow call note of ROOM a: ok in ")


async def test_a_reset_names_the_object(caplog: pytest.LogCaptureFixture) -> None:
    """At warning."""
    async with host_for(app) as host:
        with pytest.raises(DurableObjectError, match="enough"):
            await host.env.ROOM.get_by_name("a").abort()
    (record,) = [r for r in caplog.records if r.getMessage().startswith("reset of")]
    assert (record.levelname, vars(record)["object_name"]) == ("WARNING", "a")
    assert "('a'): DurableObjectError('enough')" in record.getMessage()


async def test_a_sample_has_rates_once_a_second_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And is the same for all who ask within one."""
    now = 100.0
    monkeypatch.setattr("roomhost.runtime.sampling.perf_counter", lambda: now)
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        assert host.observer.sample().events_per_second == 0
        for number in range(10):
            await stub.note(number)
        now = 100.5
        assert host.observer.sample().events_per_second == 0
        now = 102.0
        sample = host.observer.sample()
        assert (sample.events_per_second, sample.resident, sample.sockets) == (5.0, 1, 0)
        assert 0 < sample.p50_ms <= sample.p99_ms
        assert sample.memory_bytes > 1_000_000


async def test_open_sockets_are_in_the_sample() -> None:
    """Until they are closed."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        assert host.observer.sample().sockets == 1
        response.web_socket.accept()
        response.web_socket.close(1000, "")
        await host.settle()
        assert sum(meter.sockets for meter in host.observer.meters.values()) == 0
