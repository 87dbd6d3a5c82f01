"""Rooms that change, sleep, lose their memory and crash, and are counted all the while."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime import Host
from roomhost.runtime.temporary import temporary_directory
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.counted_rooms import app, forget
from ..helpers.outcomes import failure

pytestmark = pytest.mark.anyio

NAMES = st.sampled_from(["a", "b", "c", "d"])
ADD = st.tuples(st.just("add"), NAMES)
STEPS = st.one_of(
    ADD,
    ADD,
    st.tuples(st.sampled_from(["mark", "report", "evict", "abort"]), NAMES),
    st.tuples(st.just("stats"), st.just("")),
)
TOGETHER = st.lists(STEPS, min_size=1, max_size=8)  # what happens at the same time
LIVES = st.lists(st.lists(TOGETHER, min_size=1, max_size=4), min_size=1, max_size=3)


class Model:
    """What was begun and what was acknowledged: a message each. A count taken meanwhile is
    somewhere between."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    async def take(self, host: Host, step: tuple[str, str]) -> None:
        """Do one step."""
        what, name = step
        room = host.env.COUNTED.room
        if what == "add":
            self.begun[name] += 1
            try:
                await room(name).add(1)
            except Exception:
                return  # its room was reset: whether it is counted is for the room to say

            self.done[name] += 1
        elif what == "stats":
            await self.count(host)
        elif what == "evict":
            await host.evict(room(name))
        elif what == "abort":
            await failure(room(name).abort())
        else:
            try:
                await getattr(room(name), what)()
            except Exception:
                return

    async def count(self, host: Host) -> None:
        """Take the sums: what was acknowledged before is in them, what begins later is not."""
        least, rooms = self.done.total(), len(self.done)
        found = await host.env.COUNTED.directory.stats()
        assert least <= found.messages <= self.begun.total()
        assert rooms <= found.rooms <= len(self.begun)

    async def agree(self, host: Host) -> None:
        """When nothing moves the sums are what the rooms say."""
        await host.settle()
        found = await host.env.COUNTED.directory.stats()
        figures = [await host.env.COUNTED.room(name).figures(0) for name in self.begun]
        assert found.messages == sum(one["messages"] for one in figures)
        assert found.rooms == sum(one["rooms"] for one in figures)
        listed = [one.name for one in await host.env.COUNTED.directory.rooms("room")]
        assert listed == sorted(
            name for name, one in zip(self.begun, figures, strict=True) if one["rooms"]
        )


@pytest.mark.timeout(180)
@settings(max_examples=30)
@given(lives=LIVES)
async def test_counts_are_exact_whatever_happens(
    lives: list[list[list[tuple[str, str]]]],
) -> None:
    """Each life of the host ends in a crash; what it had acknowledged is counted in the next."""
    forget()
    model = Model()
    with temporary_directory() as directory:
        for life in lives:
            async with host_for(app, clock=ManualClock(), data_dir=directory) as host:
                for together in life:
                    async with anyio.create_task_group() as group:
                        for step in together:
                            group.start_soon(model.take, host, step)
                await model.count(host)
                await host.crash()
        async with host_for(app, clock=ManualClock(), data_dir=directory) as host:
            await model.agree(host)
