"""How long a document that is not in memory takes to answer: ours beside the stores of pycrdt.

Both write what they would have written, an update at a time, but at once, and the time begins with
the data in the page cache. Ours would have made a checkpoint at every MAX_LOG_UPDATES, so a long log
is one that a host never has: the limits are lifted for it, in the process that is measured.
"""

from __future__ import annotations

import importlib
import sqlite3
import struct
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pycrdt
import uvloop

from . import children, yjs_updates
from .crdt_rooms import filled
from .measure import Figure, Results, Row, progress

Answered = Callable[
    [], Awaitable[tuple[bytes, float]]
]  # all of the document, after so many seconds

DOCUMENT = "document"
LOG, COMPACTED = "as a log", "compacted"
CHECKPOINT_INTERVAL = 100  # of SQLiteYStore: updates between two of its checkpoints


async def run(directory: Path, logs: list[int], rounds: int) -> Results:
    """The figures, of a document of each of these numbers of updates; each with its reference."""
    results: Results = []
    for count in logs:
        updates = directory / f"updates-{count}"
        yjs_updates.write(updates, yjs_updates.typed(count))
        figures = {
            key: Figure(f"{' '.join(key)}, cold load of {count:,}", "µs")
            for key in STORES
            if key[0] == "ours" or find_spec("pycrdt.store")
        }
        async with AsyncExitStack() as stack:
            loads = {
                key: await stack.enter_async_context(loading(*key, directory, updates))
                for key in figures
            }
            for _ in range(rounds):
                for key, child in loads.items():
                    answer = await child.ask(do="load")
                    figures[key].rates.append(answer["seconds"] * 1e6)
                    figures[key].notes.append(f"{answer['bytes']:,} bytes")
                    progress(figures[key])
        results += [
            Row("j", figure, reference(key, figures), less_is_better=True)
            for key, figure in figures.items()
        ]
    return results


def reference(key: tuple[str, str], figures: dict[tuple[str, str], Figure]) -> Figure | None:
    """What ours stands beside: the store that keeps it in the same way."""
    name, form = key
    return figures.get(("SQLiteYStore", form)) if name == "ours" else None


@asynccontextmanager
async def loading(
    name: str, form: str, directory: Path, updates: Path
) -> AsyncGenerator[children.Child]:
    """A process that has such a document on disk, and loads it when it is told to."""
    own = directory / f"{updates.name}-{name}-{form}"
    own.mkdir()
    command = children.module("crdt_cold", name, form, str(own), str(updates))
    async with children.started(command) as child:
        await child.answer()
        yield child


@asynccontextmanager
async def ours(form: str, directory: Path, path: Path) -> AsyncGenerator[Answered]:
    """A host, its room evicted before each load: the actor is made, and its document read."""
    async with filled(directory, DOCUMENT, path, compact=form == COMPACTED) as room:

        async def answered() -> tuple[bytes, float]:
            await room.evict()
            return await timed(room.state)

        yield answered


@asynccontextmanager
async def file_store(form: str, directory: Path, path: Path) -> AsyncGenerator[Answered]:
    """FileYStore: a file that is read from its start to its end."""
    assert form == LOG
    kind: Any = importlib.import_module("pycrdt.store").FileYStore
    document = directory / DOCUMENT
    rows = [
        b"".join(pycrdt.write_message(part) for part in (update, b"", struct.pack("<d", number)))
        for number, update in enumerate(yjs_updates.read(path))
    ]
    document.write_bytes(f"VERSION:{kind.version}\n".encode() + b"".join(rows))

    async def answered() -> tuple[bytes, float]:
        async with kind(str(document)) as store:
            return await timed(lambda: apply_updates(store))

    yield answered


@asynccontextmanager
async def sqlite_store(form: str, directory: Path, path: Path) -> AsyncGenerator[Answered]:
    """SQLiteYStore: with the checkpoints it makes unless told otherwise, or without any."""
    base: Any = importlib.import_module("pycrdt.store").SQLiteYStore
    updates = yjs_updates.read(path)
    database = directory / "updates.db"
    kind: Any = type("Store", (base,), {"db_path": str(database)})
    async with kind(DOCUMENT) as store:
        await store.db_initialized.wait()

    covered = (len(updates) - 1) // CHECKPOINT_INTERVAL * CHECKPOINT_INTERVAL
    with sqlite3.connect(database) as connection:
        connection.executemany(
            "INSERT INTO yupdates VALUES (?, ?, ?, ?)",
            ((DOCUMENT, update, b"", float(number)) for number, update in enumerate(updates)),
        )
        if form == COMPACTED:
            checkpoint = yjs_updates.merged(updates[:covered])
            connection.execute(
                "INSERT INTO ycheckpoints VALUES (?, ?, ?)", (DOCUMENT, checkpoint, float(covered))
            )
    connection.close()

    async def answered() -> tuple[bytes, float]:
        async with kind(DOCUMENT) as store:
            await store.db_initialized.wait()
            return await timed(lambda: apply_updates(store))

    yield answered


async def timed(load: Callable[[], Awaitable[bytes]]) -> tuple[bytes, float]:
    """What it returns, and how long that took."""
    begun = time.perf_counter()
    update = await load()
    return update, time.perf_counter() - begun


async def apply_updates(store: Any) -> bytes:
    """A document of what a store has, as an update."""
    document = yjs_updates.new_document()
    await store.apply_updates(document)
    update: bytes = document.get_update()
    return update


STORES: dict[tuple[str, str], Any] = {
    ("ours", LOG): ours,
    ("SQLiteYStore", LOG): sqlite_store,
    ("FileYStore", LOG): file_store,
    ("ours", COMPACTED): ours,
    ("SQLiteYStore", COMPACTED): sqlite_store,
}


async def main(name: str, form: str, directory: Path, path: Path) -> None:
    """Have the document, and load it at each command."""
    wanted = yjs_updates.merged(yjs_updates.read(path))
    async with STORES[name, form](form, directory, path) as answered:

        async def answer(command: dict[str, Any]) -> dict[str, Any]:
            assert command == {"do": "load"}
            update, seconds = await answered()
            assert update == wanted, "the document is another one"
            return {"seconds": seconds, "bytes": len(update)}

        await answered()  # the first one loads code as well
        children.say({"ready": True})
        await children.serve(answer)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
