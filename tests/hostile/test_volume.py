"""One client that wants very much: bodies, rooms, messages that nobody reads. What is held is bounded."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.actors import limits as room_limits
from roomhost.runtime import OverloadedError
from roomhost.runtime.intake import Reason
from roomhost.runtime.process import memory_bytes
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside, until

pytestmark = pytest.mark.anyio

USER = b"X-Roomhost-User-Id: mallory\r\n"
MANY = 3_000


@asynccontextmanager
async def known_by_proxy(**settings: Any) -> AsyncGenerator[tuple[str, Any]]:
    """A host that believes the client who its user is, as it believes a proxy."""
    async with served(app, trusted_proxies=("127.0.0.1",), **settings) as (url, host):
        yield url, host


async def test_slow_large_bodies_are_bounded_together() -> None:
    """Whoever holds most of what is not whole is answered with 503; a small one gets through."""
    head = b"POST /mirror/%d/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n"
    async with served(app, max_incoming_bytes=2**20) as (url, host), beside(url) as good:
        async with raw.many(url, 8) as clients:
            for number, client in enumerate(clients):
                await client.send(head % number + b"x" * 260_000)
            async with await raw.connect(url) as client:
                small = raw.post("/mirror/s/upload", b"x" * 3_000)
                await client.send(small[:2_000])
                await good.ask()
                assert (await client.ask(small[2_000:])).status == 200
            await until(host.intake.refusals, Reason.INCOMING_BYTES, 1)
            assert host.intake.incoming_bytes <= 2**20 + 100_000
            assert set(host.intake.refusals) == {Reason.INCOMING_BYTES}
        with anyio.fail_after(raw.SECONDS):
            while host.intake.incoming_bytes:
                await anyio.lowlevel.checkpoint()


async def test_tiny_rooms_leave_memory_again() -> None:
    """As many as one client opens over HTTP: at most so many are in memory, and the rest can be had."""
    async with served(app, max_instances=100) as (url, host), beside(url) as good:
        async with await raw.connect(url) as client:
            for number in range(MANY):
                answer = await client.ask(raw.get(f"/mirror/tiny-{number}/count"))
                assert json.loads(answer.body) == {"count": 1}
                assert host.engine.instances.count <= 100
            await good.ask()
            answer = await client.ask(raw.get("/mirror/tiny-0/count"))
            assert json.loads(answer.body) == {"count": 2}
        assert host.statistics().activations <= 100


async def test_where_nobody_is_idle_another_object_is_refused() -> None:
    """Overloaded, which may be asked again; what is in memory is served on, and once it is idle it makes
    room."""
    clock = ManualClock()
    async with host_for(app, clock=clock, max_instances=3) as host:
        held = []
        for name in "abc":
            response = await host.env.MIRROR.get_by_name(name).fetch("http://h/x/endless")
            chunks = response.stream()
            assert await anext(chunks)
            held.append(chunks)
        with pytest.raises(OverloadedError, match="max_instances"):
            await host.env.MIRROR.get_by_name("d").fetch("http://h/x/name")
        assert (await host.env.MIRROR.get_by_name("a").fetch("http://h/x/name")).status == 200
        for chunks in held:
            await chunks.aclose()
        await host.settle()
        await clock.advance(200)  # until it is looked at again
        assert (await host.env.MIRROR.get_by_name("d").fetch("http://h/x/name")).status == 200


async def test_one_client_has_a_rate_over_all_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each room has one of its own, which a client with rooms by the thousand never meets: over HTTP
    and by sockets together it is answered with 429."""
    monkeypatch.setattr("roomhost.actors.buckets.CLIENT_RATE_BURST", 150)
    monkeypatch.setattr("roomhost.actors.buckets.CLIENT_RATE_PER_SECOND", 1)
    async with known_by_proxy() as (url, host), beside(url) as good:
        statuses = []
        async with await raw.connect(url) as client:
            for number in range(140):
                room = f"/realtime/collab/rooms/tiny-{number}/history"
                statuses.append((await client.ask(raw.get(room, USER))).status)
            for number in range(15):
                path = f"/realtime/collab/rooms/socket-{number}/ws"
                async with await raw.connect(url) as other:
                    answer = await other.ask(raw.get(path, USER + raw.UPGRADE))
                    statuses.append(answer.status)
            refused = await client.ask(raw.get("/realtime/collab/rooms/more/history", USER))
            assert (refused.status, refused.problem["code"]) == (429, "rate_limited")
            other_user = USER.replace(b"mallory", b"alice")
            good_one = await client.ask(raw.get("/realtime/collab/rooms/more/history", other_user))
            assert good_one.status == 200
        await good.ask()
        assert statuses.count(429) >= 4
        assert host.intake.refusals[Reason.RATE_LIMITED] >= 5


async def test_the_rates_of_clients_are_bounded_themselves() -> None:
    """However many rooms a client names, so many are remembered."""
    async with known_by_proxy() as (url, _), beside(url):
        before = memory_bytes()
        async with await raw.connect(url) as client:
            for number in range(200):
                name = "r" * 200 + str(number)
                await client.ask(raw.get(f"/realtime/collab/rooms/{name}/history", USER))
        assert memory_bytes() - before < 100_000_000
        assert room_limits.MAX_BUCKETS == 10_000


async def test_who_subscribes_and_never_reads_is_closed() -> None:
    """With 4531 in a room, and 1013 of an actor's own; the others in the room are told everything."""
    async with known_by_proxy() as (url, host), beside(url) as good:
        path = "/realtime/collab/rooms/loud/ws"
        alice = USER.replace(b"mallory", b"alice")
        async with (
            raw.web_socket(url, path, USER) as deaf,
            raw.web_socket(url, path, alice) as reader,
        ):
            async with await raw.connect(url) as speaker:
                await _fill(speaker, reader, host)
            await good.ask()
            assert await deaf.closed_with() in (0, 4531)
        async with raw.web_socket(url) as deaf:
            await deaf.send(raw.frame(raw.TEXT, b"flood") * 12)
            with anyio.fail_after(raw.SECONDS):
                while not _slow_readers(host)["MIRROR"]:
                    await anyio.lowlevel.checkpoint()
        assert _slow_readers(host)["COLLAB.rooms"] == 1


async def _fill(speaker: raw.Raw, reader: raw.Raw, host: Any) -> None:
    """Publish to the room until one of its readers is closed; the other one reads each message."""
    head = b"Authorization: Bearer key\r\nContent-Type: application/json\r\n"
    number = 0
    while not _slow_readers(host)["COLLAB.rooms"]:
        body = json.dumps({"type": "said", "data": f"{number}:" + "x" * 60_000}).encode()
        answer = await speaker.ask(raw.post("/realtime/collab/rooms/loud/publish", body, head))
        assert answer.status == 200, answer
        while f'"{number}:'.encode() not in (await reader.frame())[1]:
            pass
        number += 1


def _slow_readers(host: Any) -> dict[str, int]:
    return {meter.binding: meter.slow_readers for meter in host.observer.meters.values()}
