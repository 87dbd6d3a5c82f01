"""Rooms of a host in another process, over `connect`: the same handles, errors and connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from roomhost.actors import (
    IdempotencyConflict,
    InvalidArgument,
    NotFound,
    RealtimeConnection,
    RealtimeInstance,
    RealtimePrincipal,
    RoomDestroyed,
    RoomHandle,
)
from roomhost.bindings import connect
from roomhost.runtime import HostError

from ..helpers.connections import take, take_messages
from ..helpers.host_process import HostProcess
from ..helpers.realtime_app import app
from ..helpers.served import served

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
async def collab() -> AsyncGenerator[RealtimeInstance]:
    """The binding, as another process has it."""
    async with served(app) as (url, _), connect(url, api_key="key") as env:
        yield env.COLLAB


async def test_every_operation_of_a_room(collab: RealtimeInstance) -> None:
    """With the results that it has within the host's process."""
    room = collab.room("lobby")
    ada = RealtimePrincipal(kind="user", user_id="ada")
    published = await room.publish(type="note", data={"a": None}, actor=ada)
    assert published.actor == RealtimePrincipal(kind="user", user_id="ada", id="ada")
    await room.broadcast(type="note")
    page = await room.history(limit=1)
    assert page.cursor is not None
    assert (await room.history(cursor=page.cursor)).items[0].data == {"a": None}
    assert (await room.join(actor=ada, presence={"x": 1})).member_id == "ada"
    assert (await room.presence(member_id="ada")).presence == {"x": 1}
    assert [member.member_id for member in await room.members()] == ["ada"]
    assert (await room.metadata(metadata={"topic": "x"})).metadata == {"topic": "x"}
    snapshot = await room.snapshot()
    assert (await room.restore(snapshot.snapshot_id)).snapshot_id == snapshot.snapshot_id
    grant = await room.authorize(member_id="ada")
    assert (grant.member_id, len(grant.protocols)) == ("ada", 2)
    assert (await room.leave(member_id="ada")).member_id == "ada"
    assert (await room.lifecycle()).status == "active"
    await collab.channel("news").publish(type="note")
    stats = await collab.stats()
    assert (stats.rooms, stats.members, stats.messages) == (2, 0, 4)
    assert [found.name for found in await collab.rooms()] == ["lobby"]
    assert [found.name for found in await collab.rooms(kind="channel")] == ["news"]
    assert (await room.destroy(delete_history=True)).deleted_history
    assert (await collab.stats()).rooms == 1


async def test_errors_have_class_code_and_field(collab: RealtimeInstance) -> None:
    """Those of the check here, and those of the room there."""
    room = collab.room("lobby")
    await room.publish(type="note", idempotency_key="k")
    for kind, code, field, call in (
        (InvalidArgument, "invalid_argument", "data", lambda: room.publish(type="x", data={1})),
        (InvalidArgument, "invalid_cursor", "cursor", lambda: room.history(cursor="nope")),
        (NotFound, "not_found", "snapshotId", lambda: room.restore("nope")),
        (
            IdempotencyConflict,
            "idempotency_conflict",
            "idempotencyKey",
            lambda: room.publish(type="other", idempotency_key="k"),
        ),
    ):
        with pytest.raises(kind) as refused:
            await call()
        assert (refused.value.code, refused.value.field) == (code, field)
        assert refused.value.retryable is False
    await room.destroy()
    with pytest.raises(RoomDestroyed) as ended:
        await room.publish(type="note")
    assert (ended.value.code, ended.value.status) == ("room_destroyed", 410)


async def test_events_come_over_a_connection(collab: RealtimeInstance) -> None:
    """In order, to its end."""
    room = collab.room("lobby")
    async with room.connect(member_id="bot") as connection:
        assert [event.type for event in await take(connection, 2)] == ["connected", "member.joined"]
        for data in range(20):
            await connection.publish(type="note", data=data)
        await room.publish(type="note", data=20)
        assert await take_messages(connection, 21) == [(data + 1, data) for data in range(21)]
        await room.destroy()
        assert (await anext(connection)).type == "room.destroyed"
        with pytest.raises(RoomDestroyed):
            await anext(connection)


async def test_a_connection_to_a_host_that_is_left_ends() -> None:
    """It could never come back: its iterator says what to do."""
    async with served(app) as (url, _):
        remote = connect(url, api_key="key")
        env = await remote.open()
        room: RoomHandle = env.COLLAB.room("lobby")
        async with RealtimeConnection(room.connect()._open_socket, jitter=_at_once) as connection:
            await take(connection, 1)
            await remote.close()
            with pytest.raises(HostError, match="connection is closed"):
                await anext(connection)


def _at_once() -> float:
    return 0.0


async def test_a_host_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """What was published meanwhile is recorded once; what others published is replayed."""
    keys = {"ROOMHOST_API_KEYS": "key"}
    outcomes: list[str] = []

    async def publish(data: int) -> None:
        outcomes.append((await connection.publish(type="note", data=data)).message_id)

    with HostProcess("tests.helpers.realtime_app:app", tmp_path, keys) as process:
        async with connect(process.url, api_key="key") as env:
            room: RoomHandle = env.COLLAB.room("lobby")
            opener = room.connect(member_id="bot")._open_socket
            async with RealtimeConnection(opener, jitter=lambda: 0.1) as connection:
                await publish(0)
                assert await take_messages(connection, 1) == [(1, 0)]
                process.kill()
                async with anyio.create_task_group() as group:
                    for data in range(1, 6):
                        group.start_soon(publish, data)
                    await anyio.to_thread.run_sync(process.start)
                heard = await take_messages(connection, 5)
                assert [seq for seq, _ in heard] == [2, 3, 4, 5, 6]
                assert {data for _, data in heard} == {1, 2, 3, 4, 5}
                found = (await room.history()).items
                assert sorted(item.message_id for item in found) == sorted(outcomes)
