"""Clients that are slow on purpose: they are cut off, counted, and in nobody's way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import limits
from roomhost.runtime.descriptors import connection_limit
from roomhost.runtime.intake import Reason
from roomhost.runtime.settings import make_settings

from ..helpers.certificates import make_certificates
from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside, until

pytestmark = pytest.mark.anyio

MANY = 50
HEAD = b"GET /mirror/a/name HTTP/1.1\r\nHost: localhost\r\n"
BODY = b"POST /mirror/a/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90\r\n\r\nabc"
DRIBBLES = {
    "headers": (HEAD, Reason.SLOW_HEADERS, b"HTTP/1.1 408 "),
    "upgrade": (HEAD + raw.UPGRADE, Reason.SLOW_HEADERS, b"HTTP/1.1 408 "),
    "body": (BODY, Reason.SLOW_BODY, b"HTTP/1.1 408 "),
    "nothing": (b"", Reason.SILENT, b""),
}


@pytest.mark.parametrize("dribble", DRIBBLES)
async def test_who_does_not_finish_is_cut_off(dribble: str) -> None:
    """In the headers, an upgrade, a body, or before anything."""
    sent, reason, told = DRIBBLES[dribble]
    times = {"header_timeout_seconds": 0.3, "body_timeout_seconds": 0.3}
    async with served(app, **times) as (url, host), beside(url) as good:
        async with raw.many(url, MANY) as slow:
            for client in slow:
                await client.send(sent)
            await good.ask()
            for client in slow:
                assert (await client.rest()).startswith(told)
        assert host.intake.refusals == {reason: MANY}


async def test_handshakes_of_tls_count_as_connections(tmp_path: Path) -> None:
    """Unfinished ones: beyond the limit further ones are dropped, until these have had their time."""
    made = make_certificates(tmp_path)
    settings = {"max_connections": 5, "ssl_handshake_timeout_seconds": 1.0, **made.settings}
    async with served(app, **settings) as (url, host):
        async with raw.many(url, 9) as silent:
            await until(host.intake.refusals, Reason.CONNECTIONS, 4)
            assert host.intake.handshakes == 5
            await until(host.intake.refusals, Reason.HANDSHAKE, 5)
            for client in silent:
                assert await client.rest() == b""
        host_name, _, port = url.partition("://")[2].rpartition(":")
        stream: Any = await anyio.connect_tcp(host_name, int(port), ssl_context=made.client)
        async with raw.Raw(stream) as client:
            assert (await client.ask(raw.get("/mirror/a/name"))).status == 200


async def test_an_answer_that_nobody_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection too, when nothing of it was taken for a while; also one without end."""
    monkeypatch.setattr(limits, "ANSWER_TIMEOUT_SECONDS", 0.3)
    async with served(app) as (url, host), beside(url) as good:
        async with raw.many(url, 8) as clients:
            for number, client in enumerate(clients):
                path = f"/mirror/a{number}/{'large' if number % 2 else 'endless'}"
                await client.send(raw.get(path))
            await good.ask()
            await until(host.intake.refusals, Reason.SLOW_READER, 8)
        with anyio.fail_after(raw.SECONDS):
            while host.statistics().events_in_flight:  # what made the answer has ended too
                await anyio.lowlevel.checkpoint()


async def test_a_pipeline_is_read_no_further_than_it_is_answered() -> None:
    """Ten thousand requests at once, of a client that reads nothing, wait in its own system."""
    async with served(app) as (url, host), beside(url) as good:
        async with await raw.connect(url) as client:
            with anyio.move_on_after(1):
                await client.stream.send(raw.get("/mirror/a/large") * 100_000)
            await good.ask()
            assert host.statistics().events_in_flight <= 2
            assert host.intake.incoming_bytes < 1_000_000


async def test_a_half_closed_connection_ends() -> None:
    """It is no way to hold one: the answer, or nothing, and then the end."""
    async with served(app) as (url, host), beside(url):
        for sent in (
            b"",
            HEAD,
            BODY,
            raw.get("/mirror/a/name"),
            raw.get("/mirror/a/x", raw.UPGRADE),
        ):
            async with await raw.connect(url) as client:
                await client.send(sent)
                await client.stream.send_eof()
                await client.rest()
        with anyio.fail_after(raw.SECONDS):
            while len(host.intake.connections) > 1:
                await anyio.lowlevel.checkpoint()


async def test_a_reset_in_an_answer_leaves_nothing() -> None:
    """Of large answers, endless ones and sockets; files and events are as before."""
    async with served(app) as (url, host), beside(url) as good:
        before = raw.open_files()
        for number in range(60):
            path = ("large", "endless", "ws")[number % 3]
            client = await raw.connect(url)
            await client.send(raw.get(f"/mirror/r/{path}", raw.UPGRADE if path == "ws" else b""))
            await client.take(12)
            client.reset()
            await client.stream.aclose()
        await good.ask()
        with anyio.fail_after(raw.SECONDS):
            while len(host.intake.connections) > 1 or host.statistics().events_in_flight:
                await anyio.lowlevel.checkpoint()
        assert raw.open_files() <= before


async def test_churn_leaks_nothing() -> None:
    """Connections come and go; files and what the host knows of them stay as they were."""
    async with served(app) as (url, host), beside(url):
        before = raw.open_files()
        for number in range(1_000):
            client = await raw.connect(url)
            if number % 2:
                client.reset()
            await client.stream.aclose()
        with anyio.fail_after(raw.SECONDS):
            while len(host.intake.connections) > 1:
                await anyio.lowlevel.checkpoint()
        assert raw.open_files() <= before


async def test_too_many_connections_are_told_then_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 for a few, nothing for the rest: what is refused holds no more files than it must."""
    monkeypatch.setattr(limits, "MAX_LINGERING", 3)
    async with served(app, max_connections=4) as (url, host), beside(url):
        async with raw.many(url, 20) as held:
            await until(host.intake.refusals, Reason.CONNECTIONS, 17)
            rests = [await client.rest() for client in held[3:]]
            assert [rest[:12] for rest in rests].count(b"HTTP/1.1 503") == 3
            assert rests.count(b"") == 14


async def test_a_client_that_answers_no_ping_is_lost() -> None:
    """It is closed with 1011."""
    async with served(app) as (url, host), raw.web_socket(url) as client:
        protocol: Any = next(iter(host.intake.connections))
        protocol.ping_timeout = 0.1
        protocol.send_keepalive_ping()
        assert await client.closed_with() == 1011
        assert host.intake.refusals == {Reason.NO_PONG: 1}


def test_the_limit_of_connections_leaves_files_for_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that may open fewer files than there may be connections takes fewer."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (1_024, 1_024))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    assert connection_limit(make_settings({}).max_connections) == 1_024 - limits.RESERVED_FILES
    assert connection_limit(10) == 10
