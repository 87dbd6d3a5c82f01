"""The endpoint of Hocuspocus over a real server: who gets in, and documents between its clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from roomhost.actors.authorize import bearer_protocol
from roomhost.actors.base64_text import decode_base64
from roomhost.actors.hocuspocus_protocol import read_frame
from roomhost.runtime import Host

from ..helpers.collab import KEY, bearer, collab
from ..helpers.hocuspocus import Provider
from ..helpers.served import served
from ..helpers.yjs import text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@asynccontextmanager
async def endpoint(**options: Any) -> AsyncGenerator[tuple[str, Host]]:
    """Its URL, and the host."""
    async with served(collab(**options)) as (url, host):
        yield f"{url.replace('http', 'ws')}/realtime/collab/hocuspocus", host


class Line:
    """A connection, with one provider on it."""

    def __init__(self, ws: ClientConnection, key: str = "doc", client_id: int = 1) -> None:
        self.ws = ws
        self.key = key.encode()
        self._unsent: list[bytes] = []
        self.provider = Provider(self._unsent.append, self.key, client_id)

    async def until(self, condition: Callable[[Provider], object]) -> Provider:
        """Send what the provider has to say, and hear, until a condition is true."""
        while True:
            while self._unsent:
                await self.ws.send(self._unsent.pop(0))
            if condition(self.provider):
                return self.provider

            message = await self.ws.recv()
            assert isinstance(message, bytes)
            frame = read_frame(message)
            assert frame.key == self.key
            self.provider.hear(frame)

    async def start(self, token: str) -> Provider:
        """Open the document, until it is synced."""
        self.provider.start(token)
        return await self.until(lambda provider: provider.synced and not provider.unsynced)


async def test_two_clients_and_the_server() -> None:
    """What one types the other reads, and the room's own handle; who is cut off is aware no more."""
    async with endpoint() as (url, host), connect(url) as one, connect(url) as two:
        token = (await bearer(host, "doc"))["authorization"].removeprefix("Bearer ")
        ann, bob = Line(one, client_id=1), Line(two, client_id=2)
        assert (await ann.start(token)).scope == "read-write"
        await bob.start("key")
        ann.provider.text += "hello"
        await ann.until(lambda provider: not provider.unsynced)
        await bob.until(lambda provider: str(provider.text) == "hello")
        await bob.until(lambda provider: 1 in provider.aware)
        synced = await host.env.COLLAB.crdt_room("doc").sync_yjs()
        assert text_of(decode_base64(synced.update_base64, "update", 10_000)) == "hello"

        one.transport.abort()
        await bob.until(lambda provider: provider.aware[1] is None)
        await host.settle()
        assert host.statistics().web_sockets == 1


async def test_a_client_that_closes() -> None:
    """Its rooms hear of its close code: a member who closes normally has left."""
    async with endpoint() as (url, host), connect(url) as one, connect(url) as two:
        token = (await bearer(host, "doc"))["authorization"].removeprefix("Bearer ")
        bob = Line(two, client_id=2)
        await Line(one).start(token)
        await bob.start("key")
        assert [member.member_id for member in await host.env.COLLAB.room("doc").members()] == [
            "ann"
        ]
        await one.close()
        await bob.until(lambda provider: 1 in provider.aware and provider.aware[1] is None)
        assert await host.env.COLLAB.room("doc").members() == []


async def test_it_is_a_web_socket() -> None:
    """Plain HTTP is told so, for the other methods too."""
    async with endpoint() as (url, _), httpx.AsyncClient() as http:
        plain = url.replace("ws", "http", 1)
        assert (await http.get(plain, headers=KEY)).status_code == 426
        assert (await http.post(plain, headers=KEY)).status_code == 405


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"origin": "https://elsewhere.example"}, 403),
        ("?token=key", {}, 400),
        ("?api_key=x", {}, 400),
    ],
)
async def test_who_is_refused_at_once(query: str, headers: dict[str, str], status: int) -> None:
    """A page of another origin, and a URL that holds a secret which may not be there."""
    async with endpoint() as (url, _):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url + query, additional_headers=headers)
        assert refused.value.response.status_code == status


async def test_a_token_that_is_not_in_the_frame() -> None:
    """It may be in the URL, in a header or a subprotocol, which is not selected; not in two places."""
    async with endpoint() as (url, host):
        header = await bearer(host, "doc")
        token = header["authorization"].removeprefix("Bearer ")
        offered = [Subprotocol(bearer_protocol(token))]
        async with connect(f"{url}?token={token}") as ws:
            assert (await Line(ws).start("")).scope == "read-write"
        async with connect(url, additional_headers=header) as ws:
            assert (await Line(ws).start("")).scope == "read-write"
            twice = Line(ws, "other")
            twice.provider.start("key")
            denied = await twice.until(lambda provider: provider.denied)
            assert denied.denied == ["unauthenticated"]
        async with connect(url, subprotocols=offered) as ws:
            assert ws.subprotocol is None
            assert (await Line(ws).start("")).scope == "read-write"


async def test_a_token_may_be_kept_out_of_urls() -> None:
    """Where the module says so, a URL with one is refused."""
    async with endpoint(token_in_query=False) as (url, host):
        token = (await bearer(host, "doc"))["authorization"].removeprefix("Bearer ")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url}?token={token}")
        assert refused.value.response.status_code == 400


async def test_a_text_frame() -> None:
    """It is none of Hocuspocus, and closes the socket."""
    async with endpoint() as (url, _), connect(url) as ws:
        await ws.send("{}")
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert (ws.close_code, ws.close_reason) == (4401, "invalid_argument")


async def test_rooms_that_start_anew() -> None:
    """A client whose rooms were reset is reset as well: it connects again, and syncs."""
    async with endpoint() as (url, host), connect(url) as ws:
        await Line(ws).start("key")
        await host.abort_all()
        with anyio.fail_after(10), pytest.raises(ConnectionClosed):
            while True:
                await ws.recv()
        assert ws.close_code == 4205


async def test_the_host_stops() -> None:
    """A client is told to come again, and does not keep the host from stopping."""
    with anyio.fail_after(20):
        async with endpoint() as (url, _):
            ws = await connect(url)
            await Line(ws).start("key")
        with pytest.raises(ConnectionClosed):
            while True:
                await ws.recv()
    assert ws.close_code in (1001, 1012, 4205)
