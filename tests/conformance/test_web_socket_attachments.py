"""WebSockets: attachments.

semantics.md 7.3: a value of up to 16,384 bytes that stays with the socket.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from roomhost.runtime import DataCloneError, LimitError, WebSocket, WebSocketPair

from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

SERIALIZE = Feature("ws.serializeAttachment(value)", "7.3")
DESERIALIZE = Feature("ws.deserializeAttachment()", "7.3")
VALUES = Feature(
    "ws.serializeAttachment: types of values",
    "7.3",
    differs="those of the storage: Python's built-in types, no instances of classes",
)
LIMIT = Feature("ws.serializeAttachment: 16,384 bytes", "7.3")
HIBERNATION = Feature("attachment across hibernation", "7.3, 7.9")
CLOSE = Feature("attachment in webSocketClose", "7.3")
STANDARD = Feature("attachment of a socket accepted by accept()", "7.3")


@shows(DESERIALIZE)
async def test_without_an_attachment_there_is_none() -> None:
    """None, before and after the socket is accepted."""
    client, _ = WebSocketPair()
    assert client.deserialize_attachment() is None
    client.accept()
    assert client.deserialize_attachment() is None


@mistake(37)
@shows(SERIALIZE, DESERIALIZE)
async def test_mistake_37_an_attachment_is_a_copy_both_ways() -> None:
    """Changing what was given, or what came back, changes nothing."""
    ws, _ = WebSocketPair()
    value = {"members": ["ann"]}
    ws.serialize_attachment(value)
    value["members"].append("bob")
    ws.deserialize_attachment()["members"].append("cid")
    assert ws.deserialize_attachment() == {"members": ["ann"]}
    assert ws.deserialize_attachment() is not ws.deserialize_attachment()


@mistake(37)
@shows(LIMIT)
async def test_mistake_37_an_attachment_may_have_16384_bytes() -> None:
    """Encoded; the 2,048 of the documentation are long gone. One too many is refused."""
    ws, _ = WebSocketPair()
    ws.serialize_attachment(b"x" * 16_000)
    assert ws.deserialize_attachment() == b"x" * 16_000
    size = 16_000
    with pytest.raises(LimitError, match=r"larger than 16384 bytes.'attachment' was 16385 bytes"):
        while True:
            size += 1
            ws.serialize_attachment(b"x" * size)
    assert len(ws.deserialize_attachment()) == size - 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**70),
        1.5,
        "größe",
        b"\x00",
        [1, [2]],
        (1, 2),
        {"a": {"b": 1}},
        {1, 2},
        datetime(2026, 1, 2, tzinfo=UTC),
        UUID(int=7),
    ],
    ids=repr,
)
@shows(VALUES)
async def test_an_attachment_keeps_its_type(value: Any) -> None:
    """What storage can hold, a socket can carry."""
    ws, _ = WebSocketPair()
    ws.serialize_attachment(value)
    kept = ws.deserialize_attachment()
    assert (kept, type(kept)) == (value, type(value))


@pytest.mark.parametrize("value", [object(), len, [object()], WebSocketPair()])
@shows(VALUES)
async def test_what_cannot_be_copied_is_refused(value: Any) -> None:
    """A DataCloneError; the attachment that was there stays."""
    ws, _ = WebSocketPair()
    ws.serialize_attachment("before")
    with pytest.raises(DataCloneError):
        ws.serialize_attachment(value)
    assert ws.deserialize_attachment() == "before"


@shows(SERIALIZE)
async def test_the_last_attachment_counts() -> None:
    """Set again after a change; None takes it away."""
    ws, other = WebSocketPair()
    for value in ("first", "second", None):
        ws.serialize_attachment(value)
        assert ws.deserialize_attachment() == value
    assert other.deserialize_attachment() is None


@shows(HIBERNATION)
async def test_an_attachment_survives_hibernation() -> None:
    """Also what a handler set later; what it only changed in its copy is lost."""

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        attached = ws.deserialize_attachment()
        ws.send(str(attached))
        if data == "set":
            ws.serialize_attachment([attached, "more"])

    async with hall() as h:
        client = await connect(h.room(), who="ann")
        for data, expected in (("set", "ann"), ("look", "['ann', 'more']")):
            assert await h.host.evict(h.room())
            client.send(data)
            assert await client.receive() == expected


@shows(CLOSE, HIBERNATION)
async def test_an_attachment_is_there_in_the_close_handler() -> None:
    """Though the socket closed while the object slept."""
    async with hall() as h:

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(ws.deserialize_attachment())

        client = await connect(h.room(), who="ann")
        assert await h.host.evict(h.room())
        client.close(1_000)
        await close_of(client)
        assert h.heard == ["ann"]


@shows(STANDARD)
async def test_a_standard_socket_has_an_attachment_too() -> None:
    """Each end its own."""
    client, server = WebSocketPair()
    for end, value in ((client, "client"), (server, "server")):
        end.accept()
        end.serialize_attachment(value)
    assert (client.deserialize_attachment(), server.deserialize_attachment()) == (
        "client",
        "server",
    )
