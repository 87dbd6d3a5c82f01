"""(j) Documents over real sockets, ours beside pycrdt-websocket and y-websocket.

Every server is a process of its own, started once, with a new document for each measurement; and anew
where memory is measured. One load generator, another process, is the client of all. Ours has every
update on disk before anybody sees it; the others have it in memory, and the one with SQLite writes it
at some later time.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import children, crdt_cold, yjs_updates
from .children import Child
from .measure import Figure, Results, Row, progress, skipped
from .network import in_turn
from .serve_ours import KEY
from .yjs_peers import EVICTABLE, OURS, PEERS, PYCRDT, Peer

UPDATES_A_SECOND = 60_000  # that no server exceeds
CASES = ((1, 1), (512, 10), (512, 50))  # updates in flight, readers
WARM_UP = 0.3  # of the time of a figure
DOCUMENTS, DOCUMENT_UPDATES = 100, 1_000
WARM_DOCUMENTS = 20  # that are open before memory is looked at
LOGS = (10_000, 50_000)  # updates in the document of a cold load


@dataclass(frozen=True, slots=True)
class Bench:
    """What every part needs. `scale`: of the sizes, below one where a second is not wanted."""

    directory: Path
    load: Child
    peers: Sequence[Peer]
    rounds: int
    seconds: float

    @property
    def scale(self) -> float:
        """How large documents are, of their usual size."""
        return min(1.0, self.seconds)


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with its reference: pycrdt-websocket without a store, but for itself."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        directory = Path(name)
        updates = yjs_updates.typed(max(int(UPDATES_A_SECOND * seconds), DOCUMENT_UPDATES))
        yjs_updates.write(directory / "updates", updates)
        present = [peer for peer in PEERS if not peer.missing()]
        async with children.started(
            children.module("yjs_load", str(directory / "updates"))
        ) as load:
            await load.answer()
            bench = Bench(directory, load, present, rounds, seconds)
            results = await spread(bench)
            results += await memory(bench)
        results += await crdt_cold.run(directory, [int(log * bench.scale) for log in LOGS], rounds)
    absent = [skipped(peer.name, peer.missing()) for peer in PEERS if peer.missing()]
    return [*results, *(Row("j", figure) for figure in absent)]


async def spread(bench: Bench) -> Results:
    """One writer's updates to all readers: how many, and how late they are."""
    results: Results = []
    async with AsyncExitStack() as stack:
        running = [
            (peer, await stack.enter_async_context(serving(bench, peer))) for peer in bench.peers
        ]
        for window, readers in CASES:
            results += await Spread(bench, window, readers).measured(running)
    return results


class Spread:
    """So many updates in flight to so many readers."""

    def __init__(self, bench: Bench, window: int, readers: int) -> None:
        name = f"{readers} reader(s), {window} in flight"
        names = [peer.name for peer in bench.peers]
        self._bench = bench
        self._window = window
        self._readers = readers
        self._rates = {peer: Figure(f"{peer}, {name}", "updates/s") for peer in names}
        self._late = {peer: Figure(f"{peer}, {name}, p99", "µs") for peer in names}
        self._work = {peer: Figure(f"{peer}, {name}, CPU", "µs/update") for peer in names}

    async def measured(self, running: Sequence[tuple[Peer, tuple[Child, str]]]) -> Results:
        """The figures of all, who take turns."""
        for number in range(self._bench.rounds):
            for peer, (server, url) in in_turn(running, number):
                found = await self._once(
                    server.pid, f"{url}{self._window}-{self._readers}-{number}"
                )
                self._rates[peer.name].rates.append(found["rate"])
                self._rates[peer.name].notes.append(busy(found))
                progress(self._rates[peer.name])
                self._late[peer.name].rates.append(found["p99"] * 1e6)
                self._late[peer.name].notes.append(f"p50 {found['p50'] * 1e6:,.0f} µs")
                self._work[peer.name].rates.append(found["server"] / found["rate"] * 1e6)
        return [
            *beside(self._rates, less_is_better=False),
            *beside(self._late),
            *beside(self._work),
        ]

    async def _once(self, pid: int, url: str) -> dict[str, Any]:
        """Of a new document, once the server is warm."""
        bench = self._bench
        common = {"do": "spread", "key": KEY, "pid": pid, "readers": self._readers}
        common["window"] = self._window
        await bench.load.ask(**common, url=f"{url}-warm", seconds=bench.seconds * WARM_UP)
        return await bench.load.ask(**common, url=url, seconds=bench.seconds)


def busy(found: dict[str, Any]) -> str:
    """How busy both sides were."""
    limited = ", limited by the client" if found["limited"] else ""
    return f"server {found['server']:.0%} busy, client {found['busy']:.0%}{limited}"


async def memory(bench: Bench) -> Results:
    """What a document costs while it is open, a socket each; and ours when it has left memory. One
    round: it is not a matter of speed."""
    documents = max(1, int(DOCUMENTS * bench.scale))
    updates = max(1, int(DOCUMENT_UPDATES * bench.scale))
    name = f"{documents} documents of {updates} updates"
    figures = {peer.name: Figure(f"{peer.name}, {name}", "KiB each") for peer in bench.peers}
    evicted = Figure(f"{OURS}, {name}, evicted", "KiB each")
    for peer in bench.peers:
        if peer.name == OURS:
            peer = replace(peer, command=EVICTABLE)
        async with serving(bench, peer) as (server, url):
            common = {"do": "fill", "key": KEY, "updates": updates}
            await bench.load.ask(**common, url=f"{url}warm", documents=WARM_DOCUMENTS)
            before = children.memory_kib(server.pid)
            await bench.load.ask(**common, url=f"{url}each", documents=documents)
            grown(figures[peer.name], server, before, documents)
            if peer.name == OURS:
                await server.ask(do="evict")
                grown(evicted, server, before, documents)
            await bench.load.ask(do="drop")
    return [*beside(figures), Row("j", evicted, figures.get(PYCRDT), less_is_better=True)]


def grown(figure: Figure, server: Child, before: dict[str, int], documents: int) -> None:
    """How much its memory has grown for each document."""
    now = children.memory_kib(server.pid)
    figure.rates.append((now["own"] - before["own"]) / documents)
    figure.notes.append(f"{(now['all'] - before['all']) / documents:.0f} with pages of files")


def beside(figures: dict[str, Figure], less_is_better: bool = True) -> Results:
    """Each beside pycrdt-websocket, where that is there."""
    reference = figures.get(PYCRDT)
    return [
        Row("j", figure, None if figure is reference else reference, None, less_is_better)
        for figure in figures.values()
    ]


@asynccontextmanager
async def serving(bench: Bench, peer: Peer) -> AsyncGenerator[tuple[Child, str]]:
    """One of the servers, on an empty directory; and what a document's URL begins with."""
    with tempfile.TemporaryDirectory(dir=bench.directory, ignore_cleanup_errors=True) as name:
        async with children.started(peer.command(Path(name))) as server:
            port = (await server.answer())["port"]
            yield server, f"ws://127.0.0.1:{port}{peer.path}"
