"""The rows of `roomhost bench` over real sockets: a served host, and the process of the clients."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import msgspec

from ..runtime import HostError
from ..runtime.server import Server, listen
from . import limits
from .bench_client import Job, Outcome
from .bench_load import many
from .bench_rows import Row
from .latencies import Latencies

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from socket import socket

    from ..runtime import Host

ROOM = "{room}"  # in a path: the name of the room


@dataclass(frozen=True, slots=True)
class Sockets:
    """So many for each room, at this path, and what is said over them."""

    path: str
    sockets: int
    rooms: int = 1
    message: str = "hello"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def paths(self) -> list[str]:
        """Of the rooms."""
        return [self.path.replace(ROOM, f"room-{number}") for number in range(self.rooms)]


class BenchServer(Server):
    """The server of `roomhost serve`; Ctrl-C ends the whole benchmark, not the server alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serving(host: Host) -> AsyncGenerator[tuple[str, int]]:
    """Serve a host on a free port of this machine; the address. HostError: it does not start."""
    with listen(msgspec.structs.replace(host.settings, host="127.0.0.1", port=0)) as listening:
        started = anyio.Event()
        server = BenchServer(host, started.set)
        async with anyio.create_task_group() as group:
            group.start_soon(_serve, server, listening, started)
            await started.wait()
            try:
                if not server.started:
                    raise HostError(
                        "the application did not start: its lifespan failed (see above)"
                    )

                name, port = listening.getsockname()[:2]
                yield name, port
            finally:
                server.should_exit = True


async def _serve(server: Server, listening: socket, started: anyio.Event) -> None:
    # A server that is cancelled leaves its sockets open: it is told to stop, always.
    with anyio.CancelScope(shield=True):
        await server.serve([listening])
    started.set()


async def exchange(address: tuple[str, int], name: str, sockets: Sockets, seconds: float) -> Row:
    """Messages over sockets. HostError: a socket does not open, or nobody hears anything."""
    job = Job(
        *address,
        sockets.paths(),
        sockets.sockets,
        dict(sockets.headers),
        sockets.message,
        seconds,
    )
    outcome = await ask(job)
    if outcome.error:
        raise HostError(f"--socket: {outcome.error}")

    kind = f"{name}, {many(sockets.sockets, 'socket')} in {many(sockets.rooms, 'room')}"
    heard, sent = outcome.heard / outcome.seconds, outcome.sent / outcome.seconds
    reach = many(outcome.reach, "time")
    note = f"{sent:,.0f} messages/s, each heard {reach}; client {outcome.busy:.0%} busy"
    counted = {
        "messages_per_second": round(sent, 1),
        "heard_by": outcome.reach,
        "sockets": sockets.sockets,
        "rooms": sockets.rooms,
        "client_busy": round(outcome.busy, 3),
    }
    return Row(kind, heard, Latencies(outcome.counts), note, counted)


async def ask(job: Job) -> Outcome:
    """Have a process of its own do it; it dies when this is cancelled."""
    process = await anyio.open_process(
        [sys.executable, "-m", f"{__package__}.bench_client"],
        stdin=subprocess.PIPE,
        stderr=None,
        # Ctrl-C is told to this process, which ends that one.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        await process.stdin.send(msgspec.json.encode(job) + b"\n")
        answer = bytearray()
        with contextlib.suppress(anyio.EndOfStream):
            while len(answer) < limits.MAX_BENCH_ANSWER_BYTES:
                answer += await process.stdout.receive()
        if not answer:
            return Outcome(error="the process of the clients ended (see above)")

        return msgspec.json.decode(bytes(answer), type=Outcome)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
