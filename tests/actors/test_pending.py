"""What a client sends, what it does with what it is told, and when it comes back: without a room."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from roomhost.actors import (
    Forbidden,
    InvalidArgument,
    NotAMember,
    RateLimited,
    RealtimeConnection,
    RealtimeError,
    Unauthenticated,
    Unavailable,
    limits,
)
from roomhost.actors.pending import Pending, frame_of, pause_seconds
from roomhost.runtime import DurableObjectError, HostError

from ..helpers.connections import Server, take

pytestmark = pytest.mark.anyio
LOST = DurableObjectError("lost")


def test_frames() -> None:
    """The fields are flat, but for those of a message."""
    assert json.loads(frame_of("members", 1, b"{}")) == {"type": "members", "id": 1}
    assert json.loads(frame_of("presence", 2, b'{"presence":{}}')) == {
        "type": "presence",
        "id": 2,
        "presence": {},
    }
    assert json.loads(frame_of("publish", 3, b'{"type":"note"}')) == {
        "type": "publish",
        "id": 3,
        "message": {"type": "note"},
    }


def test_pauses() -> None:
    """Each twice the one before, to a bound, times the jitter; at least what the host asked for."""
    assert [pause_seconds(failures, 1.0, LOST) for failures in (1, 2, 3, 7, 8, 9, 10_000)] == [
        *(0.25, 0.5, 1.0, 16.0, 30.0, 30.0, 30.0)
    ]
    assert pause_seconds(3, 0.5, LOST) == 0.5
    assert pause_seconds(1, 0.0, LOST) == 0.0
    assert pause_seconds(1, 0.0, Unavailable("busy", retry_after_ms=2_000)) == 2.0
    assert pause_seconds(9, 1.0, Unavailable("busy", retry_after_ms=2_000)) == 30.0


def test_what_may_have_happened_is_not_sent_again() -> None:
    """If it is not the same the second time, and if it was sent at all."""
    for name, again in (
        ("publish", True),
        ("leave", True),
        ("yjs.update", True),
        ("snapshot", False),
        ("update", False),
    ):
        pending = Pending(name, 1, b"{}")
        assert not pending.is_lost
        pending.sent = True
        assert pending.is_lost is not again


async def _request(connection: RealtimeConnection, outcomes: list[Any], name: str) -> None:
    try:
        outcomes.append(await connection.request(name))
    except Exception as error:
        outcomes.append(error)


@pytest.mark.parametrize(
    ("code", "kind", "extra"),
    [
        ("invalid_argument", InvalidArgument, {"field": "message.type"}),
        ("invalid_cursor", InvalidArgument, {"field": "cursor"}),
        ("unsupported_for_channel", InvalidArgument, {}),
        ("not_a_member", NotAMember, {}),
        ("rate_limited", RateLimited, {"retryable": True, "retryAfterMs": 20}),
        ("unavailable", Unavailable, {"retryable": True, "retryAfterMs": 4_000}),
        ("something_new", RealtimeError, {"retryable": True}),
    ],
)
async def test_an_error_frame_is_an_exception(code: str, kind: Any, extra: dict[str, Any]) -> None:
    """Of the class that the code has in this process, with all that the frame says."""
    server, outcomes = Server(), list[Any]()
    async with server.connection() as connection, anyio.create_task_group() as group:
        group.start_soon(_request, connection, outcomes, "leave")
        asked = await server.hear()
        server.say(type="error", id=asked["id"] + 1, code=code, message="of another")
        server.say(type="error", id=asked["id"], code=code, message="no", **extra)
    (failure,) = outcomes
    assert type(failure) is kind
    assert (failure.code, failure.message, str(failure)) == (code, "no", "no")
    assert failure.field == extra.get("field")
    assert failure.retryable is extra.get("retryable", False)
    assert failure.retry_after_ms == extra.get("retryAfterMs")


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1012, 4399, 4500, 4501, 4503, 4531])
async def test_most_closes_are_not_for_good(code: int) -> None:
    """The client comes back from where it was, and sends again what was not answered."""
    server, outcomes = Server(), list[Any]()
    async with server.connection() as connection, anyio.create_task_group() as group:
        server.say(type="message", seq=1, message=MESSAGE)
        await take(connection, 2)
        group.start_soon(_request, connection, outcomes, "leave")
        first = await server.hear()
        if code == 1006:
            server.sockets[-1].terminate()
        else:
            server.sockets[-1].close(code, "reason")
        connected = await anext(connection)
        assert (connected.type, connected.fields["recovered"]) == ("connected", True)
        assert await server.hear() == first
        server.say(type="ack", id=first["id"], result=LEFT)
    assert outcomes[0].member_id == "bot"
    assert server.asked == [(None, 0), ("1-a", 1)]
    assert server.slept == [limits.RECONNECT_SECONDS / 2]


MESSAGE = {
    "messageId": "m",
    "room": "lobby",
    "kind": "room",
    "type": "note",
    "metadata": {},
    "publishedAt": "2026-01-01T00:00:00.000Z",
}
LEFT = {"room": "lobby", "kind": "room", "memberId": "bot", "leftAt": MESSAGE["publishedAt"]}


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (4401, "unauthenticated", Unauthenticated),
        (4403, "forbidden", Forbidden),
        (4400, "invalid_argument", InvalidArgument),
        (4409, "replaced", RealtimeError),
        (4499, "", RealtimeError),
    ],
)
@pytest.mark.parametrize("told", [False, True])
async def test_a_close_that_is_for_good(code: int, reason: str, kind: Any, told: bool) -> None:
    """It ends the connection, with what the room has said before, for who iterates and who waits."""
    server, outcomes = Server(), list[Any]()
    async with server.connection() as connection, anyio.create_task_group() as group:
        await take(connection, 1)
        group.start_soon(_request, connection, outcomes, "leave")
        await server.hear()
        if told:
            server.say(type="error", code=reason, message="because", field="x")
        server.sockets[-1].close(code, reason)
        with pytest.raises(kind) as ended:
            await anext(connection)
    assert outcomes == [ended.value]
    assert ended.value.code == (reason or "internal")
    assert ended.value.field == ("x" if told and reason else None)
    assert server.slept == []


async def test_attempts_that_fail() -> None:
    """Are made again, ever later; a refusal that is for good ends it, and so does a closed host."""
    server = Server()
    server.failures = []
    async with server.connection() as connection:
        await take(connection, 1)
        server.failures = [LOST, Unavailable("busy", retry_after_ms=9_000), LOST]
        server.sockets[-1].terminate()
        await take(connection, 1)
        assert server.slept == [0.125, 0.25, 9.0, 1.0]
        server.failures = [LOST, HostError("the host has stopped")]
        server.sockets[-1].terminate()
        with pytest.raises(HostError, match="has stopped"):
            await anext(connection)
        with pytest.raises(HostError, match="has stopped"):
            await connection.leave()
        assert server.slept[4:] == [0.125, 0.25]


async def test_a_snapshot_that_may_have_happened_fails() -> None:
    """The caller has to look; one that waits for the connection is sent over the next one."""
    server, outcomes = Server(), list[Any]()
    async with server.connection() as connection, anyio.create_task_group() as group:
        group.start_soon(_request, connection, outcomes, "snapshot")
        await server.hear()
        server.sockets[-1].terminate()
        await take(connection, 2)
        assert str(outcomes[0]) == "the connection was lost: look whether the snapshot has happened"


async def test_a_frame_that_is_none_ends_it() -> None:
    """Nothing can be relied on after it."""
    server = Server()
    async with server.connection() as connection:
        await take(connection, 1)
        server.sockets[-1].send("no JSON")
        with pytest.raises(ValueError, match="JSON is malformed"):
            await anext(connection)
