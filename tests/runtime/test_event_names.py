"""What events are called: by their method, or by what it was asked to do."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import Room, realtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.event_names import events_named, name_of_call
from roomhost.runtime.testing import host_for


class Desk(DurableObject):
    """Does what it is told by its first argument."""

    @events_named(lambda arguments: arguments[0] if list(arguments) == ["sign"] else "other")
    async def handle(self, *what: Any) -> int:
        return len(what)

    async def plain(self) -> None: ...


app = App(name="names", bindings={"DESK": Desk, "LIVE": realtime(name="live")})


async def test_events_are_called_by_what_was_asked_for() -> None:
    """In a module: the operation; what is none has the name of the method."""
    async with host_for(app, inspector=True) as host:
        desk = host.env.DESK.get_by_name("a")
        await desk.handle("sign")
        await desk.handle("sign", 2)
        await desk.plain()
        await host.env.LIVE.room("lobby").publish(type="chat")
        of_desk = [event.what for event in host.observer.recent("DESK")]
        of_room = [event.what for event in host.observer.recent("LIVE.rooms")]
    assert of_desk == ["plain", "other", "sign"]
    assert "publish" in of_room
    assert "operate" not in of_room


@pytest.mark.parametrize("arguments", [[], [1], [["publish"]], ["no operation"]])
async def test_whatever_is_sent_has_a_name(arguments: list[Any]) -> None:
    """A holder of a key may call anything: nothing is made a name of."""
    assert name_of_call(Room.operate, "operate", arguments) == "operate"
    assert name_of_call(Desk.plain, "plain", arguments) == "plain"
    assert name_of_call(None, "absent", arguments) == "absent"
