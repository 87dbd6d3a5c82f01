"""A room whose log is written at once, and grows as long as it likes."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from roomhost.actors import limits, module, realtime
from roomhost.actors.room import Room
from roomhost.actors.room_state import RoomState
from roomhost.actors.update_log import YjsRecord
from roomhost.bindings import App
from roomhost.runtime import Host

from . import yjs_updates

UNLIMITED = 1 << 40
ROWS_AT_ONCE = 10_000  # of one commit


class FilledRoom(Room):
    """A room with one more method."""

    async def fill(self, path: str) -> None:
        """Have the updates of a file in the log, as if each had come by itself."""
        updates = yjs_updates.read(Path(path))
        await self._turns.before_write()
        for start in range(0, len(updates), ROWS_AT_ONCE):
            rows = updates[start : start + ROWS_AT_ONCE]
            self._turns.run(partial(append, rows=rows))


def append(state: RoomState, now_ms: int, rows: list[bytes]) -> None:
    """Append them to the log."""
    state.begin_write(now_ms)
    kept = state.document.kept
    kept.begin(state.entropy(8).hex())
    for update in rows:
        kept.log.append_yjs(YjsRecord(f"u-{kept.log.seq + 1}", update, now_ms))


class Kept:
    """The document of such a room, on a host."""

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._room = host.env.COLLAB.crdt_room(name)
        self._stub = host.env.COLLAB.stub("room", name)

    async def fill(self, updates: Path, compact: bool) -> None:
        """Have these updates."""
        await self._stub.fill(str(updates))
        await self.evict()
        if compact:
            await self._room.compact()

    async def evict(self) -> None:
        """Nothing of it is in memory."""
        await self._host.evict(self._stub)

    async def state(self) -> bytes:
        """All of it."""
        answer = await self._room.sync_yjs(limit=0)
        return base64.b64decode(answer.update_base64 or "")


@asynccontextmanager
async def filled(directory: Path, name: str, updates: Path, compact: bool) -> AsyncGenerator[Kept]:
    """A host with such a document."""
    lifted = patch.multiple(limits, MAX_LOG_UPDATES=UNLIMITED, MAX_LOG_BYTES=UNLIMITED)
    with lifted, patch.dict(module.ACTORS, rooms=FilledRoom):
        app = App(name="bench", bindings={"COLLAB": realtime(name="collab")})
        async with Host(app, data_dir=directory) as host:
            kept = Kept(host, name)
            await kept.fill(updates, compact)
            yield kept
