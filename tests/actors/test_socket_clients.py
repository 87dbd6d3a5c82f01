"""A room on the network: two independent clients, both protocols, a reader that is too slow."""

from __future__ import annotations

import json
import socket
from typing import Any

import msgspec
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from roomhost.actors.frames import Protocol
from roomhost.actors.types import RealtimeAuthorizeResult, RealtimePrincipal
from roomhost.runtime import Host

from ..helpers.room_sockets import app
from ..helpers.served import served
from ..helpers.web_socket_clients import CLOSE, MESSAGE, OPEN, run_node, run_python, step

pytestmark = pytest.mark.anyio
CHANGING = frozenset(
    (
        "connectionId",
        "epoch",
        "messageId",
        "publishedAt",
        "joinedAt",
        "lastSeenAt",
        "updatedAt",
        "leftAt",
        "expiresAt",
    )
)


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server runs on asyncio, as `roomhost serve` does."""
    return ("asyncio", {"use_uvloop": True})


async def grant(host: Host, name: str, *capabilities: str) -> RealtimeAuthorizeResult:
    """What a client gets from its back-end."""
    given: RealtimeAuthorizeResult = await host.env.LIVE.room("lobby").authorize(
        member_id=name,
        actor=RealtimePrincipal(kind="user", user_id=name),
        capabilities=capabilities or None,
    )
    return given


def dial(given: RealtimeAuthorizeResult, **options: Any) -> connect:
    """Connect as a browser does."""
    offered = [websockets.Subprotocol(name) for name in given.protocols]
    return connect(given.url, subprotocols=offered, **options)


def fixed(value: Any) -> Any:
    """A frame without what is another each time."""
    if isinstance(value, dict):
        return {name: "..." if name in CHANGING else fixed(inner) for name, inner in value.items()}
    return [fixed(inner) for inner in value] if isinstance(value, list) else value


def say(**frame: Any) -> dict[str, Any]:
    """The step that sends a frame."""
    return step("text", value=json.dumps(frame))


def script(epoch: str) -> list[dict[str, Any]]:
    """Join, publish, presence, broadcast, resume, a mistake, leave, close; with what is answered."""
    message = {"type": "chat", "data": {"text": "h\u00e9llo \u2603"}}
    return [
        OPEN,
        *[MESSAGE] * 2,
        say(type="publish", id=1, message=message),
        *[MESSAGE] * 2,
        say(type="presence", state={"typing": True}),
        *[MESSAGE] * 2,
        say(type="broadcast", id="two", message={"type": "chat", "data": None}),
        MESSAGE,
        say(type="resume", id=[3], epoch=epoch, seq=0),
        *[MESSAGE] * 3,
        say(type="dance", id=4),
        MESSAGE,
        say(type="leave", id=5),
        *[MESSAGE] * 2,
        say(type="ping"),
        MESSAGE,
        step("close", code=1000, reason=""),
        CLOSE,
    ]


async def perform(run: Any) -> tuple[list[Any], list[Any]]:
    """What happened to the client that ran the script, and what a listener heard meanwhile."""
    async with served(app) as (_, host):
        async with dial(await grant(host, "bea", "subscribe")) as listener:
            epoch = json.loads(await listener.recv())["epoch"]
            ana = await grant(host, "ana")
            events = await run(ana.url, ana.protocols, script(epoch))
            heard = [fixed(json.loads(await listener.recv())) for _ in range(5)]
    shown = [
        fixed(json.loads(event[1])) if event[0] == "message" else event[:2] for event in events
    ]
    return shown, heard


async def test_two_clients_see_the_same() -> None:
    """Python's and Node's, event by event; and so does who listens to them."""
    python, by_python = await perform(run_python)
    node, by_node = await perform(run_node)
    assert python == node
    assert by_python == by_node
    assert python[0] == ["open", "roomhost.v1.json"]
    assert python[-1] == ["close", 1000]
    assert [event["type"] for event in python[1:-1]] == [
        *("welcome", "member.joined"),
        *("message", "ack"),
        *("presence.updated", "ack"),
        "ack",
        *("message", "message", "ack"),
        "error",
        *("member.left", "ack"),
        "pong",
    ]
    assert [event["type"] for event in by_python] == [
        "member.joined",
        "message",
        "presence.updated",
        "message",
        "member.left",
    ]
    assert python[10]["result"] == {"recovered": True, "epoch": "...", "seq": 2}


async def test_messagepack_on_the_network() -> None:
    """The first protocol of ours that is offered is selected, and the token never."""
    async with served(app) as (_, host):
        given = await grant(host, "ana")
        names = [Protocol.MSGPACK.value, *given.protocols]
        offered = [websockets.Subprotocol(name) for name in names]
        async with connect(given.url, subprotocols=offered) as ws:
            assert ws.subprotocol == Protocol.MSGPACK.value
            frames = [await ws.recv(decode=False) for _ in range(2)]
            await ws.send(msgspec.msgpack.encode({"type": "lifecycle", "id": 2**40}))
            frames.append(await ws.recv(decode=False))
        welcome, joined, ack = [msgspec.msgpack.decode(frame) for frame in frames]
        assert (welcome["type"], welcome["memberId"]) == ("welcome", "ana")
        assert joined["type"] == "member.joined"
        assert (ack["id"], ack["result"]["activeConnections"]) == (2**40, 1)


async def test_a_large_frame_ends_the_connection_with_a_reason() -> None:
    """An error frame, then 1009."""
    async with served(app) as (_, host), dial(await grant(host, "ana")) as ws:
        await ws.recv()
        await ws.recv()
        await ws.send("x" * 1_048_577)
        assert json.loads(await ws.recv())["code"] == "payload_too_large"
        with pytest.raises(ConnectionClosed) as caught:
            await ws.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1009, "payload_too_large")


async def test_a_slow_reader_is_closed_and_the_others_hear_at_once() -> None:
    """With 4531, which says: come back and resume."""
    async with served(app) as (url, host):
        room = host.env.LIVE.room("lobby")
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        narrow.setblocking(False)
        reader = await grant(host, "slow", "subscribe")
        fast = await grant(host, "fast", "subscribe")
        async with dial(reader, sock=narrow, max_queue=1) as slow, dial(fast) as ws:
            epoch = json.loads(await ws.recv())["epoch"]
            number = 0
            while (await room.lifecycle()).active_connections == 2:
                number += 1
                assert number < 1_000, "nobody is too slow"
                await room.publish(type="x", data="x" * 60_000)
                assert json.loads(await ws.recv())["seq"] == number
            seen = 0
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    seen = json.loads(await slow.recv()).get("seq", seen)
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4531, "slow_consumer")
        assert 0 <= seen < number
        grant_again = await grant(host, "slow", "subscribe", "history")
        again = msgspec.structs.replace(grant_again, url=f"{reader.url}?epoch={epoch}&seq={seen}")
        async with dial(again) as ws:
            assert json.loads(await ws.recv())["recovered"] is True
            for seq in range(seen + 1, number + 1):
                assert json.loads(await ws.recv())["seq"] == seq
