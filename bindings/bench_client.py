"""The process that holds the sockets of `roomhost bench`, so that host and clients have a core each.

It reads one line of JSON, a `Job`, and answers with one, an `Outcome`. Nothing here is more than it
takes to load a server: frames are counted, not decoded.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import uvloop

from . import limits
from .bench_socket import BenchSocket
from .latencies import Latencies

if TYPE_CHECKING:
    from collections.abc import Sequence


class Job(msgspec.Struct, frozen=True):
    """So many sockets for each of these paths, one path for each room; and for how long what is said."""

    host: str
    port: int
    paths: list[str]
    sockets: int
    headers: dict[str, str]
    message: str
    seconds: float


class Outcome(msgspec.Struct, frozen=True):
    """`heard`: frames, of `sent` messages that each reached `reach` sockets; `busy`: the share of a core
    that this process took; `counts`: of `Latencies`, from sending to the last one that heard. `error`:
    why there is nothing else."""

    sent: int = 0
    heard: int = 0
    reach: int = 0
    seconds: float = 1.0
    busy: float = 0.0
    counts: dict[int, int] = {}
    error: str = ""


class Exchange:
    """One who speaks, again whenever all who hear it have."""

    def __init__(self, sender: BenchSocket, hearers: Sequence[BenchSocket], frames: int) -> None:
        self._sender = sender
        self._frames = frames  # that one message causes
        self._seen = 0
        self._sent_at = 0
        self._deadline = 0
        self.latencies = Latencies()
        self.ended = asyncio.Event()
        for socket in hearers:
            socket.heard = self._hear

    def begin(self, deadline: int) -> None:
        """Speak until then."""
        self._deadline = deadline
        self._speak(time.perf_counter_ns())

    def _speak(self, now: int) -> None:
        self._seen, self._sent_at = 0, now
        self._sender.say()

    def _hear(self, _socket: BenchSocket) -> None:
        self._seen += 1
        if self._seen < self._frames:
            return

        now = time.perf_counter_ns()
        self.latencies.add(now - self._sent_at)
        if now < self._deadline:
            self._speak(now)
        else:
            self.ended.set()


async def run(job: Job) -> Outcome:
    """Open, find out who hears what, and measure. TimeoutError, OSError: the message says what."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    rooms = [[BenchSocket(job, path, failed) for _ in range(job.sockets)] for path in job.paths]
    try:
        for socket in (socket for room in rooms for socket in room):
            await socket.open()
        hearers = await probe(rooms[0], failed)
        if len(hearers) > 1:
            frames = sum(hearers.values())
            exchanges = [Exchange(room[0], room, frames) for room in rooms]
        else:
            frames = max(hearers.values())
            exchanges = [Exchange(one, [one], frames) for room in rooms for one in room]
        return await measure(exchanges, frames, job.seconds, failed)
    finally:
        failed.cancel()
        for socket in (socket for room in rooms for socket in room):
            socket.close()


async def probe(room: list[BenchSocket], failed: asyncio.Future[None]) -> Counter[BenchSocket]:
    """How many frames each socket hears of one message of the first. TimeoutError: nobody any."""
    counts: Counter[BenchSocket] = Counter()
    anybody = asyncio.Event()

    def hear(socket: BenchSocket) -> None:
        counts.update((socket,))
        anybody.set()

    for socket in room:
        socket.heard = hear
    await quiet(counts)  # what is said when a socket opens
    counts.clear()
    anybody.clear()
    room[0].say()
    await first(anybody, failed)
    await quiet(counts)
    return counts


async def first(anybody: asyncio.Event, failed: asyncio.Future[None]) -> None:
    """Until somebody heard. TimeoutError: nobody."""
    waited = asyncio.ensure_future(anybody.wait())
    await asyncio.wait(
        (waited, failed),
        timeout=limits.BENCH_ANSWER_SECONDS,
        return_when=asyncio.FIRST_COMPLETED,
    )
    waited.cancel()
    if failed.done():
        failed.result()
    if not anybody.is_set():
        raise TimeoutError(
            f"nobody heard the message within {limits.BENCH_ANSWER_SECONDS:g} s: name one that the "
            "room answers, by --message"
        )


async def quiet(counts: Counter[BenchSocket]) -> None:
    """Until nothing more is heard for a moment."""
    before = -1
    while before != counts.total():
        before = counts.total()
        await asyncio.sleep(limits.BENCH_QUIET_SECONDS)


async def measure(
    exchanges: list[Exchange], frames: int, seconds: float, failed: asyncio.Future[None]
) -> Outcome:
    """All of them at once."""
    begun, busy = time.perf_counter_ns(), time.process_time()
    for exchange in exchanges:
        exchange.begin(begun + int(seconds * 1e9))
    ends = asyncio.gather(*(exchange.ended.wait() for exchange in exchanges))
    wait = seconds + limits.BENCH_ANSWER_SECONDS
    done, _ = await asyncio.wait((ends, failed), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    if not done:
        ends.cancel()
        raise TimeoutError("a message was not heard by all who heard the first one")

    if failed.done():
        ends.cancel()
        failed.result()
    spent = (time.perf_counter_ns() - begun) / 1e9
    busy = (time.process_time() - busy) / spent
    counts: Counter[int] = Counter()
    for exchange in exchanges:
        counts.update(exchange.latencies.counts)
    sent = counts.total()
    return Outcome(sent, sent * frames, frames, spent, busy, dict(counts))


async def main() -> None:
    """Do what standard input says."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    try:
        outcome = await run(job)
    except OSError as error:
        outcome = Outcome(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")


if __name__ == "__main__":
    uvloop.run(main())
