"""Spans across `connect()`: the host's is below the client's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from roomhost.bindings import App, connect
from roomhost.runtime import DurableObject, Request, Response
from roomhost.runtime.remote_frames import Call, decode_client_frame, encode_frame
from roomhost.runtime.testing import host_for

from ..helpers.served import serving


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server's."""
    return ("asyncio", {"use_uvloop": False})


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What was exported, of client and host, which here are one process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


class Room(DurableObject):
    """Answers."""

    async def echo(self, value: int) -> int:
        """The value."""
        return value

    async def fetch(self, request: Request) -> Response:
        return Response("hello")


@pytest.mark.anyio
async def test_the_hosts_span_is_below_the_clients(spans: InMemorySpanExporter) -> None:
    """Of calls and of requests; both end when they are answered."""
    app = App(name="traced", bindings={"ROOM": Room})
    async with (
        host_for(app, api_keys=["key"]) as host,
        serving(host) as (url, _),
        connect(url, api_key="key") as env,
    ):
        stub = env.ROOM.get_by_name("a")
        assert await stub.echo(1) == 1
        assert (await stub.fetch("http://x/path")).status == 200
    found: dict[str, Any] = {span.name: span for span in spans.get_finished_spans()}
    for outer, inner in (("ROOM/echo", "Room/echo"), ("ROOM/fetch", "Room/GET /path")):
        parent = found[inner].parent
        assert parent is not None
        assert parent.span_id == found[outer].context.span_id
        assert (found[outer].kind, found[inner].kind) == (
            trace.SpanKind.CLIENT,
            trace.SpanKind.SERVER,
        )
        begun, answered = found[inner].start_time, found[outer].end_time
        assert begun is not None
        assert answered is not None
        assert answered >= begun


def test_a_frame_without_a_trace_is_one_of_an_older_client() -> None:
    """It is understood."""
    import msgspec

    frame = Call(1, 1, "m", [], {})
    assert decode_client_frame(msgspec.msgpack.encode(["call", 1, 1, "m", [], {}])) == frame
    assert decode_client_frame(encode_frame(frame)) == frame
