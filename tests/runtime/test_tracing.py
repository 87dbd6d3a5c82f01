"""Spans of OpenTelemetry: who is below whom, and that nobody pays without."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    DurableObjectError,
    Request,
    Response,
    WebSocketPair,
)
from roomhost.runtime.engine import Engine
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Room(DurableObject):
    """Calls others."""

    async def outer(self, other: str) -> int:
        """Call another one in a transaction, after a real suspension."""
        await anyio.lowlevel.checkpoint()
        stub = self.env.ROOM.get_by_name(other)

        async def move(transaction: Any) -> int:
            return int(await stub.inner())

        return int(await self.ctx.storage.transaction(move))

    async def inner(self) -> int:
        """Answer."""
        return 1

    async def later(self, other: str) -> None:
        """Call another one when the call is over."""
        self.ctx.wait_until(self.env.ROOM.get_by_name(other).inner())

    async def fail(self) -> None:
        """Raise."""
        raise ValueError("no")

    async def abort(self) -> None:
        """Reset the object."""
        self.ctx.abort("enough")

    async def wake_at(self, ms: int) -> None:
        """Set an alarm."""
        await self.ctx.storage.set_alarm(ms)

    async def alarm(self, info: AlarmInfo) -> None:
        await self.env.ROOM.get_by_name("other").inner()

    async def fetch(self, request: Request) -> Response:
        if not request.is_upgrade:
            return Response("hello")

        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: Any, message: Any) -> None:
        ws.send(message)


app = App(
    name="traced",
    bindings={"ROOM": Room, "LIVE": realtime(name="live", observability={"sampling": 0})},
)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What was exported of an application that has set a tracer provider."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


def by_name(exporter: InMemorySpanExporter) -> dict[str, Any]:
    """The newest span of each name."""
    return {span.name: span for span in exporter.get_finished_spans()}


def finished(exporter: InMemorySpanExporter) -> list[Any]:
    """All spans."""
    return list(exporter.get_finished_spans())


def parent_id(span: Any) -> int | None:
    """Of the span above."""
    return None if span.parent is None else int(span.parent.span_id)


async def test_a_call_is_below_the_call_that_made_it(spans: InMemorySpanExporter) -> None:
    """Across suspensions and the sections of the caller; what runs later, too."""
    async with host_for(app) as host:
        a = host.env.ROOM.get_by_name("a")
        with trace.get_tracer_provider().get_tracer("app").start_as_current_span("app"):
            await a.outer("b")
        found = by_name(spans)
        assert parent_id(found["Room/outer"]) == found["app"].context.span_id
        assert parent_id(found["Room/inner"]) == found["Room/outer"].context.span_id
        attributes = dict(found["Room/inner"].attributes or {})
        assert attributes["rpc.system"] == "roomhost"
        assert (attributes["rpc.service"], attributes["rpc.method"]) == ("Room", "inner")
        assert attributes["roomhost.binding"] == "ROOM"
        assert attributes["roomhost.object.name"] == "b"
        spans.clear()
        await a.later("b")
        await host.settle()
        found = by_name(spans)
        assert parent_id(found["Room/inner"]) == found["Room/later"].context.span_id


async def test_tasks_that_serve_one_call_after_the_other_mix_no_traces(
    spans: InMemorySpanExporter,
) -> None:
    """Each call from outside begins its own."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        for _ in range(3):
            await stub.inner()
        assert len({span.context.trace_id for span in finished(spans)}) == 3
        assert all(span.parent is None for span in finished(spans))


async def test_errors_and_resets_end_the_span_with_their_error(
    spans: InMemorySpanExporter,
) -> None:
    """By status, type and event."""
    async with host_for(app) as host:
        with pytest.raises(ValueError, match="no"):
            await host.env.ROOM.get_by_name("a").fail()
        with pytest.raises(DurableObjectError, match="enough"):
            await host.env.ROOM.get_by_name("a").abort()
        found = by_name(spans)
        for name, error in (("Room/fail", "ValueError"), ("Room/abort", "DurableObjectError")):
            assert not found[name].status.is_ok
            assert (found[name].attributes or {})["error.type"] == error


async def test_a_request_is_below_the_span_that_its_headers_name(
    spans: InMemorySpanExporter,
) -> None:
    """As W3C's `traceparent` has it."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        await stub.fetch("http://x/path?q=1", headers={"traceparent": PARENT})
        span = by_name(spans)["Room/GET /path"]
        assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
        assert span.kind is trace.SpanKind.SERVER
        assert (span.attributes or {})["url.path"] == "/path"


async def test_alarms_and_messages_are_roots_with_links(spans: InMemorySpanExporter) -> None:
    """To the call before, and to the request that opened the socket; what they call is below."""
    clock = ManualClock(start_ms=0)
    async with host_for(app, clock=clock) as host:
        stub = host.env.ROOM.get_by_name("a")
        response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        response.web_socket.accept()
        response.web_socket.send("hello")
        assert await response.web_socket.receive() == "hello"
        await stub.wake_at(1_000)
        await clock.advance(1)
        found = by_name(spans)
        message, alarm = found["Room message"], found["Room alarm"]
        assert message.parent is None
        assert alarm.parent is None
        assert [link.context.span_id for link in message.links] == [
            found["Room/GET /"].context.span_id
        ]
        assert [link.context.span_id for link in alarm.links] == [
            found["Room/wake_at"].context.span_id
        ]
        assert parent_id(found["Room/inner"]) == alarm.context.span_id


async def test_a_module_that_samples_nothing_begins_no_trace(spans: InMemorySpanExporter) -> None:
    """But is part of the traces of others."""
    async with host_for(app) as host:
        await host.env.LIVE.room("a").publish(type="note")
        assert spans.get_finished_spans() == ()
        with trace.get_tracer_provider().get_tracer("app").start_as_current_span("app"):
            await host.env.LIVE.room("a").publish(type="note")
        assert "Room/operate" in by_name(spans)


async def test_without_a_provider_no_host_knows_of_spans(caplog: Any) -> None:
    """Though the API is installed."""
    caplog.set_level(logging.WARNING)
    async with host_for(app) as host:
        assert type(host.engine) is Engine
        assert not host.observer.traces
        await host.env.ROOM.get_by_name("a").inner()


async def test_without_the_package_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setattr("roomhost.runtime.telemetry.find_spec", lambda name: None)
    async with host_for(app) as host:
        assert type(host.engine) is Engine
