"""Resume: what a client missed, in order and before anything new, or why it cannot have it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from roomhost.actors import limits
from roomhost.actors.frames import Protocol
from roomhost.actors.limits import MAX_RESUMED_MESSAGES

from ..helpers.room_sockets import BOTH, READER, Client, Hall, hall_for, recreating, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


async def epoch_of(hall: Hall) -> str:
    """The room's epoch now."""
    client = await hall.open()
    epoch: str = client.take()[0]["epoch"]
    await client.close()
    return epoch


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    """The numbers of messages."""
    return [frame["seq"] for frame in frames if frame["type"] == "message"]


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("missed", [0, 1, 2, MAX_RESUMED_MESSAGES])
async def test_what_was_missed_comes_in_order(hall: Hall, missed: int, protocol: Protocol) -> None:
    """By the query before anything new, by a frame before its ack; the same frames both times."""
    epoch = await epoch_of(hall)
    await hall.publish(5 + missed)
    await hall.sleep()
    client = await hall.open(epoch=epoch, seq=5, protocol=protocol)
    await hall.publish()
    welcome, *replayed, resumed, new = client.take()
    assert (welcome["recovered"], welcome["seq"]) == (True, 5 + missed)
    assert seqs(replayed) == list(range(6, 6 + missed))
    assert resumed == {"type": "resumed", "recovered": True, "epoch": epoch, "seq": 5 + missed}
    assert seqs([new]) == [6 + missed]
    if missed < MAX_RESUMED_MESSAGES:
        answer = await client.ask("resume", epoch=epoch, seq=5)
        assert answer["result"] == {"recovered": True, "epoch": epoch, "seq": 6 + missed}
        assert client.take() == [*replayed, new]


@pytest.mark.parametrize(
    ("epoch", "seq", "reason"),
    [
        (None, 0, "insufficient_state"),
        (None, MAX_RESUMED_MESSAGES + 2, "insufficient_state"),
        ("1-00000000", 1, "epoch_changed"),
    ],
)
async def test_what_cannot_be_replayed_is_said(
    hall: Hall, epoch: str | None, seq: int, reason: str
) -> None:
    """Too many, from the future, of another life: never a silent gap, and no message."""
    there = await epoch_of(hall)
    await hall.publish(MAX_RESUMED_MESSAGES + 1)
    told = {"recovered": False, "reason": reason, "epoch": there, "seq": MAX_RESUMED_MESSAGES + 1}
    client = await hall.open(epoch=epoch or there, seq=seq)
    welcome, resumed = client.take()
    assert welcome["recovered"] is False
    assert resumed == {"type": "resumed", **told}
    assert await client.result("resume", epoch=epoch or there, seq=seq) == told
    assert client.take() == []


async def test_a_life_ends_with_its_positions() -> None:
    """After destroy the order goes on, but nobody resumes across it."""
    async with hall_for(recreating) as hall:
        epoch = await epoch_of(hall)
        await hall.publish(2)
        await hall.room.destroy()
        client = await hall.open(epoch=epoch, seq=1)
        welcome, resumed = client.take()
        assert (welcome["recovered"], resumed["reason"]) == (False, "epoch_changed")
        assert welcome["epoch"].startswith("2-")
        await hall.publish()
        assert seqs(client.take()) == [3]


async def test_nothing_is_missed_or_doubled_where_the_replay_ends(hall: Hall) -> None:
    """Messages are published all the time while clients come back from where they were."""
    epoch = await epoch_of(hall)
    clients: list[tuple[int, Client]] = []

    async def publish() -> None:
        for _ in range(40):
            await hall.room.publish(type="note")

    async def come_back() -> None:
        for seq in range(0, 20, 2):
            clients.append((seq, await hall.open(epoch=epoch, seq=0)))

    async with anyio.create_task_group() as group:
        group.start_soon(publish)
        group.start_soon(come_back)
    await hall.host.settle()
    assert len(clients) == 10
    for _, client in clients:
        assert seqs(client.take()) == list(range(1, 41))


async def test_resume_needs_history(hall: Hall) -> None:
    """The connection is open all the same, and says that nothing was replayed."""
    epoch = await epoch_of(hall)
    await hall.publish(2)
    client = await hall.open(user("ana", "subscribe"), epoch=epoch, seq=1)
    welcome, resumed = client.take()
    assert (welcome["recovered"], resumed["reason"]) == (False, "forbidden")
    assert await client.refusal("resume", epoch=epoch, seq=1) == "forbidden"


@pytest.mark.parametrize("fields", [{}, {"seq": 1}, {"epoch": "1-x", "seq": -1}, {"epoch": 1}])
async def test_a_position_is_an_epoch_and_a_number(hall: Hall, fields: dict[str, Any]) -> None:
    """Anything else is an error frame."""
    client = await hall.open_quietly(READER)
    assert await client.refusal("resume", **fields) == "invalid_argument"


async def test_what_was_missed_may_be_more_than_may_wait(hall: Hall) -> None:
    """One who asks for 3 MiB is not too slow for it: it would come back and ask for the same."""
    epoch = await epoch_of(hall)
    data = "x" * 60_000
    for _ in range(50):
        await hall.room.publish(type="x", data=data)
    client = await hall.open(epoch=epoch, seq=0)
    assert seqs(client.take()) == list(range(1, 51))
    assert (await client.result("resume", epoch=epoch, seq=0))["recovered"] is True
    assert seqs(client.take()) == list(range(1, 51))


async def test_so_many_bytes_are_too_many(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """As so many messages are."""
    monkeypatch.setattr(limits, "MAX_RESUMED_BYTES", 10_000)
    epoch = await epoch_of(hall)
    for _ in range(3):
        await hall.room.publish(type="x", data="x" * 4_000)
    client = await hall.open_quietly()
    answer = await client.result("resume", epoch=epoch, seq=0)
    assert answer["reason"] == "insufficient_state"
    assert (await client.result("resume", epoch=epoch, seq=1))["recovered"] is True
