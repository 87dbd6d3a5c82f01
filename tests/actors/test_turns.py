"""What holds a room together in memory, and lets go of it."""

from __future__ import annotations

import gc

import pytest
from pycrdt import Text

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime.activation import Activation
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio

app = App(name="turns", bindings={"COLLAB": realtime(name="collab")})


async def test_an_evicted_room_is_free_at_once() -> None:
    """No circle keeps it, its document and what they read for the collector: a host with many rooms
    that wake and sleep would hold a quarter of its memory in them."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        room = host.env.COLLAB.crdt_room("lobby")
        async with room.edit() as doc:
            doc.get("text", type=Text).insert(0, "hello")
        await room.publish(type="note", data={"text": "hi"})
        gc.collect()
        gc.disable()
        try:
            before = activations()
            awake = host.statistics().activations
            await clock.advance(11)
            assert host.statistics().activations == 0
            assert activations() == before - awake
        finally:
            gc.enable()


def activations() -> int:
    """How many are in memory, those that other tests left among them."""
    return sum(type(each) is Activation for each in gc.get_objects())
