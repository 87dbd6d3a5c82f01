"""(i) Messages published to rooms and delivered to their subscribers, beside plain durable puts: within
the process, then over real sockets."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import Host

from . import realtime_sockets
from .measure import Figure, Results, Row, progress, quantile, rate
from .workloads import Counter, Put

if TYPE_CHECKING:
    from roomhost.actors import RealtimeInstance, RoomHandle
    from roomhost.runtime import WebSocket

CALLERS = 64
CASES = tuple(itertools.product((1, 100), (1, 10, 100)))  # rooms, subscribers of each
TEXT = "x" * 70  # with the rest of its data a message has about 100 bytes
SENT = '"at":'

app = App(name="bench", bindings={"COUNTER": Counter, "COLLAB": realtime(name="collab")})


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with its reference."""
    results: Results = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        async with Host(app, data_dir=Path(directory) / "state") as host:
            stubs = [host.env.COUNTER.get_by_name(str(number)) for number in range(100)]
            for rooms, subscribers in CASES:
                name = f"{rooms} room(s), {subscribers} subscriber(s)"
                puts = Figure(f"durable puts, {CALLERS} caller(s), {rooms} room(s)", "puts/s")
                acked = Figure(f"published, {name}", "messages/s")
                heard = Figure(f"delivered, {name}", "frames/s")
                async with anyio.create_task_group() as group:
                    audience = Audience()
                    handles = await audience.fill(group, host.env.COLLAB, rooms, subscribers)
                    for _ in range(rounds):
                        puts.rates.append((await rate(Put(stubs[:rooms]), CALLERS, seconds))[0])
                        await audience.hear(handles, seconds, acked, heard)
                    group.cancel_scope.cancel()
                results += [Row("i", puts), Row("i", acked, puts), Row("i", heard, puts)]

            async def put(rooms: int) -> float:
                return (await rate(Put(stubs[:rooms]), CALLERS, seconds))[0]

            return results + await realtime_sockets.run(rounds, seconds, put)


class Audience:
    """Those who listen, by sockets within the process."""

    def __init__(self) -> None:
        self._delivered = 0
        self._subscribers = 0
        self._latencies: list[float] = []
        self._heard = anyio.Event()

    async def fill(
        self, group: Any, collab: RealtimeInstance, rooms: int, subscribers: int
    ) -> list[RoomHandle]:
        """Open the sockets; the rooms. One reader of each room looks at the time."""
        self._subscribers = subscribers
        handles = [collab.room(f"{rooms}-{subscribers}-{number}") for number in range(rooms)]
        for handle, number in itertools.product(handles, range(subscribers)):
            ws = await handle.connect()._open_socket(None, 0)  # pyright: ignore[reportPrivateUsage]
            group.start_soon(self._listen, ws, number == 0)
        return handles

    async def hear(
        self, handles: list[RoomHandle], seconds: float, acked: Figure, heard: Figure
    ) -> None:
        """Publish for a while, and wait until everybody has everything."""
        self._delivered, self._latencies = 0, []
        begun = time.perf_counter()
        speed, published = await rate(Publish(handles), CALLERS, seconds)
        while self._delivered < published * self._subscribers:
            self._heard = anyio.Event()
            await self._heard.wait()
        acked.rates.append(speed)
        heard.rates.append(self._delivered / (time.perf_counter() - begun))
        p50, p99 = (quantile(self._latencies, share) * 1000 for share in (0.5, 0.99))
        heard.notes.append(f"sent to heard: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        progress(heard)

    async def _listen(self, ws: WebSocket, looks: bool) -> None:
        while True:
            text = str(await ws.receive())
            if SENT not in text:
                continue

            self._delivered += 1
            self._heard.set()
            if looks:
                sent = text.split(SENT, 1)[1].split(",", 1)[0]
                self._latencies.append(time.perf_counter() - float(sent))


class Publish:
    """The next message, in the next room."""

    def __init__(self, handles: list[RoomHandle]) -> None:
        self._handles = itertools.cycle(handles)

    def __call__(self) -> Any:
        """The call, made."""
        data = {"at": time.perf_counter(), "text": TEXT}
        return next(self._handles).publish(type="bench", data=data)
