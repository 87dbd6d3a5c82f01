"""A room whose log is written at once, and grows as long as it likes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
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
    """A room with two more methods."""

    async def fill(self, path: str) -> None:
        """Have the updates of a file in the log, as if each had come by itself."""
        updates = yjs_updates.read(Path(path))
        await self._turns.before_write()
        for start in range(0, len(updates), ROWS_AT_ONCE):
            rows = updates[start : start + ROWS_AT_ONCE]
            self._turns.run(lambda state, now_ms, rows=rows: append(state, now_ms, rows))

    async def compact(self) -> None:
        """Have a checkpoint instead."""
        self._turns.compact()

    async def state(self) -> bytes:
        """The whole document."""
        return self._turns.load().document.diff()


def append(state: RoomState, now_ms: int, rows: list[bytes]) -> None:
    """Append them to the log."""
    state.begin_write(now_ms)
    kept = state.document.kept
    kept.begin(state.entropy(8).hex())
    for update in rows:
        kept.log.append_yjs(YjsRecord(f"u-{kept.log.seq + 1}", update, now_ms))


@asynccontextmanager
async def filled(
    directory: Path, name: str, updates: Path, compact: bool
) -> AsyncGenerator[Callable[[], Awaitable[bytes]]]:
    """A host with such a document: what loads it and answers with all of it."""
    lifted = patch.multiple(limits, MAX_LOG_UPDATES=UNLIMITED, MAX_LOG_BYTES=UNLIMITED)
    with lifted, patch.dict(module.ACTORS, rooms=FilledRoom):
        app = App(name="bench", bindings={"COLLAB": realtime(name="collab")})
        async with Host(app, data_dir=directory) as host:
            stub = host.env.COLLAB.stub("room", name)
            await stub.fill(str(updates))
            await host.evict(stub)
            if compact:
                await stub.compact()

            async def answered() -> bytes:
                await host.evict(stub)
                return await stub.state()

            yield answered
