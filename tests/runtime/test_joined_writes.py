"""`JoinedWrites`: fewer writes, the same bytes in the same order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roomhost.runtime.joined_writes import JoinedWrites
from roomhost.runtime.limits import MAX_JOINED_BYTES


class Recorded(asyncio.Transport):
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.calls.append(bytes(data))

    def close(self) -> None:
        self.calls.append("close")
        self.closing = True

    def abort(self) -> None:
        self.calls.append("abort")
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return "pause" not in self.calls

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


@pytest.fixture
def anyio_backend() -> str:
    """What serves connections."""
    return "asyncio"


async def test_writes_of_one_turn_are_one() -> None:
    """They wait for the end of the turn, and go as one; those of the next turn are another."""
    inner = Recorded()
    joined = JoinedWrites(inner, asyncio.get_running_loop())

    joined.write(b"a")
    joined.write(bytearray(b"b"))

    assert inner.calls == []
    await asyncio.sleep(0)
    joined.write(b"c")
    await asyncio.sleep(0)
    assert inner.calls == [b"ab", b"c"]


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_an_end_comes_after_what_was_written_before(end: str) -> None:
    """A close frame, say, is on its way before the connection is closed; and nothing after that."""
    inner = Recorded()
    joined = JoinedWrites(inner, asyncio.get_running_loop())

    joined.write(b"bye")
    getattr(joined, end)()
    joined.write(b"too late")
    await asyncio.sleep(0)

    assert inner.calls == [b"bye", end]
    assert joined.is_closing()


async def test_what_a_lost_connection_leaves_is_dropped() -> None:
    """The peer is gone before the turn ends: nothing is written to a closing transport."""
    inner = Recorded()
    joined = JoinedWrites(inner, asyncio.get_running_loop())

    joined.write(b"a")
    inner.closing = True
    await asyncio.sleep(0)

    assert inner.calls == []


async def test_what_waits_is_bounded() -> None:
    """As much as MAX_JOINED_BYTES is written at once, so that the system's buffer is felt."""
    inner = Recorded()
    joined = JoinedWrites(inner, asyncio.get_running_loop())

    joined.write(b"a")
    joined.write(bytes(MAX_JOINED_BYTES))

    assert [len(call) for call in inner.calls] == [MAX_JOINED_BYTES + 1]
    await asyncio.sleep(0)
    assert len(inner.calls) == 1


async def test_reading_is_the_other_transports() -> None:
    """Pausing, resuming and what it knows of the connection are passed on."""
    inner = Recorded()
    joined = JoinedWrites(inner, asyncio.get_running_loop())

    joined.pause_reading()

    assert not joined.is_reading()
    joined.resume_reading()
    assert inner.calls == ["pause", "resume"]
    assert joined.get_extra_info("socket", "none") == "none"
