"""The upgrade to a room's WebSocket over a real server: who may, and what the others see."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from roomhost.actors.authorize import bearer_protocol
from roomhost.runtime import Host

from ..helpers.collab import KEY, bearer, collab
from ..helpers.served import served

pytestmark = pytest.mark.anyio

JSON = "roomhost.v1.json"
MSGPACK = "roomhost.v1.msgpack"


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@asynccontextmanager
async def module(
    options: dict[str, Any] | None = None, **settings: Any
) -> AsyncGenerator[tuple[str, Host]]:
    """The URL of the sockets of its rooms, and the host."""
    async with served(collab(**options or {}), **settings) as (url, host):
        yield f"{url.replace('http', 'ws')}/realtime/collab", host


def opened(url: str, *protocols: str, **headers: str) -> connect:
    """A client that offers these subprotocols and sends these headers."""
    names = [Subprotocol(name) for name in protocols]
    return connect(url, subprotocols=names or None, additional_headers=headers, max_size=None)


async def heard(ws: ClientConnection) -> Any:
    """The next frame, of either protocol."""
    frame = await ws.recv()
    return json.loads(frame) if isinstance(frame, str) else msgspec.msgpack.decode(frame)


async def refused(url: str, *protocols: str, **headers: str) -> tuple[Any, int | None]:
    """What a client is told that was accepted only for that, and the code it is closed with."""
    async with opened(url, *protocols, **headers) as ws:
        assert ws.subprotocol == protocols[0]
        frame = await heard(ws)
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd is not None
        return frame, closed.value.rcvd.code


async def denied(url: str, *protocols: str, **headers: str) -> tuple[int, str]:
    """The status and the code of a handshake that was refused."""
    with pytest.raises(InvalidStatus) as failed:
        async with opened(url, *protocols, **headers):
            pass
    response = failed.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, json.loads(response.body or b"")["code"]


async def test_a_grant_opens_a_socket() -> None:
    """As a browser does it: by its URL and protocols, of which the first is selected."""
    async with module() as (_, host):
        room = host.env.COLLAB.room("größe/1")
        grant = await room.authorize(member_id="ann", presence={"x": 1})
        async with opened(grant.url, *grant.protocols) as ws:
            assert ws.subprotocol == JSON
            welcome = await heard(ws)
            assert (welcome["type"], welcome["memberId"]) == ("welcome", "ann")
            assert welcome["expiresAt"] == grant.expires_at
            assert [member.presence for member in await room.members()] == [{"x": 1}]


async def test_a_socket_continues_where_it_was() -> None:
    """By `?epoch=E&seq=N`; other things in the query are left alone; MessagePack by its name."""
    async with module() as (url, host):
        await host.env.COLLAB.room("r").publish(type="first")
        protocol = bearer_protocol((await host.env.COLLAB.room("r").authorize(member_id="a")).token)
        async with opened(f"{url}/crdt/r/ws", JSON, protocol) as ws:
            welcome = await heard(ws)
        query = f"epoch={welcome['epoch']}&seq=0&_pk=1"
        async with opened(f"{url}/rooms/r/ws?{query}", MSGPACK, protocol) as ws:
            assert ws.subprotocol == MSGPACK
            assert (await heard(ws))["recovered"] is True
            assert (await heard(ws))["message"]["type"] == "first"
        for query in ("epoch=e", "seq=1", "epoch=e&seq=x", "epoch=e&epoch=e&seq=1"):
            frame, code = await refused(f"{url}/rooms/r/ws?{query}", JSON, protocol)
            assert (frame["code"], code) == ("invalid_argument", 4400)


async def test_other_credentials_open_a_socket() -> None:
    """A token or an API key in the header; a client may offer no protocol, and gets JSON."""
    async with module() as (url, host):
        for headers in (KEY, await bearer(host)):
            async with opened(f"{url}/rooms/r/ws", **headers) as ws:
                assert ws.subprotocol is None
                assert ("memberId" in await heard(ws)) == (headers is not KEY)


async def test_who_may_not_is_told_in_its_protocol() -> None:
    """A frame, and a close code: a browser shows no HTTP status."""
    async with module() as (url, host):
        other = (await host.env.COLLAB.room("other").authorize(member_id="a")).token
        for token in (other, "a.b.c", "keys"):
            frame, code = await refused(f"{url}/rooms/r/ws", MSGPACK, bearer_protocol(token))
            assert (frame["type"], frame["code"], code) == ("error", "unauthenticated", 4401)
        damaged = "base64url.bearer.roomhost.A"
        assert (await refused(f"{url}/rooms/r/ws", JSON, damaged))[1] == 4401
        assert (await refused(f"{url}/rooms/r/ws", JSON))[1] == 4401
        await host.env.COLLAB.room("gone").publish(type="x")
        grant = await host.env.COLLAB.room("gone").authorize(member_id="a")
        await host.env.COLLAB.room("gone").destroy()
        frame, code = await refused(grant.url, *grant.protocols)
        assert (frame["code"], code) == ("room_destroyed", 4410)
        assert host.list_objects("COLLAB.rooms")[0].name == "gone"


async def test_a_client_of_no_protocol_of_ours_is_told_by_http() -> None:
    """With the same problem as any request, and so is whatever is no socket."""
    async with module() as (url, host):
        assert await denied(f"{url}/rooms/r/ws") == (401, "unauthenticated")
        headers = await bearer(host)
        assert await denied(f"{url}/rooms/r/ws", "chat", **headers) == (400, "invalid_argument")
        assert await denied(f"{url}/rooms/r/wss", **KEY) == (404, "not_found")
        assert await denied(f"{url}/stats", **KEY) == (405, "method_not_allowed")
        assert await denied(f"{url}/rooms/r/ws?token=x", **KEY) == (400, "invalid_argument")


async def test_a_page_of_another_origin_opens_nothing() -> None:
    """Whatever credential it has; a page of this host, or of an allowed origin, does."""
    async with module() as (url, host):
        protocols = (await host.env.COLLAB.room("r").authorize(member_id="a")).protocols
        socket = f"{url}/rooms/r/ws"
        assert await denied(socket, *protocols, origin="https://evil.example") == (403, "forbidden")
        async with opened(socket, *protocols, origin=host.public_url) as ws:
            assert (await heard(ws))["type"] == "welcome"
    async with module(allowed_origins=("https://app.example",)) as (url, host):
        async with opened(f"{url}/rooms/r/ws", origin="https://app.example", **KEY) as ws:
            assert (await heard(ws))["type"] == "welcome"


async def test_a_client_cannot_say_who_it_is() -> None:
    """The header that names the caller comes from the host alone."""
    async with module({"allow_anonymous": True}) as (url, _):
        forged = {"x-roomhost-caller": "eyJ0cnVzdGVkIjp0cnVlfQ==", "x-user-id": "admin"}
        async with opened(f"{url}/rooms/r/ws", **forged) as ws:
            assert (await heard(ws))["memberId"] != "admin"
            await heard(ws)  # it has joined
            await ws.send('{"type":"snapshot","id":1}')
            assert (await heard(ws))["code"] == "forbidden"


async def test_a_trusted_proxy_names_the_member_behind_other_proxies_too() -> None:
    """What a proxy says of the addresses before it changes nothing in who the proxy is."""
    async with module(trusted_proxies=("127.0.0.1",)) as (url, _):
        headers = {"x-user-id": "ann", "x-forwarded-for": "203.0.113.9"}
        async with opened(f"{url}/rooms/r/ws", JSON, **headers) as ws:
            assert (await heard(ws))["memberId"] == "ann"
