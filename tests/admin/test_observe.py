"""The operations `events`, `follow` and `sample`."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import Any

import pytest

from roomhost.actors import realtime
from roomhost.admin.errors import OperationError
from roomhost.admin.observe import (
    EventsInput,
    FollowInput,
    SampleInput,
    events,
    follow,
    sample,
)
from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio


class Room(DurableObject):
    """Logs what it hears."""

    async def hear(self, what: str) -> None:
        """Log it."""
        logging.getLogger("room").warning("%s", what)


app = App(name="observed", bindings={"ROOM": Room, "LIVE": realtime(name="live")})


async def test_events_are_those_of_an_object_a_binding_or_all() -> None:
    """A module's binding stands for its rooms and its channels."""
    async with host_for(app, inspector=True) as host:
        await host.env.ROOM.get_by_name("a").hear("1")
        await host.env.ROOM.get_by_name("b").hear("2")
        await host.env.LIVE.room("r").publish(type="note")
        await host.env.LIVE.channel("c").publish(type="note")
        of_a = await events(host, EventsInput(binding="ROOM", name="a"))
        assert [(event.what, event.name) for event in of_a.events] == [("hear", "a")]
        assert of_a.recording
        of_live = await events(host, EventsInput(binding="LIVE"))
        assert {event.binding for event in of_live.events} == {"LIVE.rooms", "LIVE.channels"}
        everything = await events(host, EventsInput(limit=2))
        assert len(everything.events) == 2


async def test_nothing_is_recorded_where_nobody_looks() -> None:
    """Which the answer says."""
    async with host_for(app) as host:
        await host.env.ROOM.get_by_name("a").hear("1")
        found = await events(host, EventsInput())
        assert (found.events, found.recording) == ([], False)


@pytest.mark.parametrize(
    "wrong", [{"name": "a"}, {"binding": "NONE"}, {"binding": "ROOM", "id": "12"}]
)
async def test_what_is_not_there_is_refused(wrong: dict[str, Any]) -> None:
    """By name."""
    async with host_for(app) as host:
        with pytest.raises(OperationError):
            await events(host, EventsInput(**wrong))


async def test_an_object_is_followed_before_it_is_there() -> None:
    """Its events and its log lines, and no others."""
    async with host_for(app) as host:
        a, b = (host.env.ROOM.get_by_name(name) for name in "ab")
        async with aclosing(follow(host, FollowInput(binding="ROOM", name="a"))) as lines:
            assert await anext(lines) == {"progress": {"following": ["ROOM"], "dropped": 0}}
            await b.hear("not this")
            await a.hear("this")
            log, event = [await anext(lines) for _ in range(2)]
        assert log["log"].message == "this"
        assert event["event"].what == "hear"


async def test_a_sample_counts_what_is_in_memory() -> None:
    """At once."""
    async with host_for(app) as host:
        await host.env.ROOM.get_by_name("a").hear("1")
        assert (await sample(host, SampleInput())).resident == 1
