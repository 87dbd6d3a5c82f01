"""`python -m benchmarks.seed_history DIRECTORY COUNT ROOM...`: rooms in a data directory of our server,
with so many messages in the history of each."""

from __future__ import annotations

import sys
from functools import partial
from unittest.mock import patch

import uvloop

from roomhost.actors import messages, module, realtime
from roomhost.actors.room import Room
from roomhost.actors.room_state import RoomState
from roomhost.actors.types import RealtimeMessageInput
from roomhost.bindings import App
from roomhost.runtime import Host

from .network_app import COLLAB

MESSAGE = RealtimeMessageInput(type="bench", data={"text": "x" * 70})
MESSAGES_AT_ONCE = 5_000  # of one commit


class SeededRoom(Room):
    """A room with one more method."""

    async def seed(self, count: int) -> None:
        """Have so many messages, as if each had been published by itself."""
        await self._turns.before_write()
        for begun in range(0, count, MESSAGES_AT_ONCE):
            self._turns.run(partial(record, count=min(MESSAGES_AT_ONCE, count - begun)))
            await self.ctx.storage.sync()


def record(state: RoomState, now_ms: int, count: int) -> None:
    """Publish them, to nobody."""
    now_ms = state.begin_write(now_ms)
    for _ in range(count):
        messages.record(state, MESSAGE, None, now_ms)
        state.pushes.clear()


async def main(directory: str, count: int, rooms: list[str]) -> None:
    """Seed them."""
    with patch.dict(module.ACTORS, rooms=SeededRoom):
        app = App(name="seed", bindings={"COLLAB": realtime(name=COLLAB)})
        async with Host(app, data_dir=directory) as host:
            for room in rooms:
                await host.env.COLLAB.stub("room", room).seed(count)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
