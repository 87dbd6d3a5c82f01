"""Clients that write, by HTTP and by WebSocket, and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from .faulty_host import FaultyHost

ANSWER_SECONDS = 30.0
AGAIN_SECONDS = 0.05  # that a client waits after a failure, as one on a network would


@dataclass
class Recorder:
    """What clients know. `acknowledged`: the numbers of each book; `failed`: by status, or by the name
    of what was raised; `waiters`: who is woken by the next acknowledgement."""

    acknowledged: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    failed: Counter[str] = field(default_factory=Counter[str])
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def total(self) -> int:
        """How many writes were acknowledged."""
        return sum(map(len, self.acknowledged.values()))

    @property
    def failures(self) -> int:
        """How many were not."""
        return self.failed.total()

    def acknowledge(self, book: str, number: int) -> None:
        """The host says that it has it."""
        self.acknowledged.setdefault(book, set()).add(number)
        self._tell()

    def fail(self, what: str) -> None:
        """It says that it has not, or nothing."""
        self.failed[what] += 1
        self._tell()

    async def more(self, acknowledged: int = 0, failed: int = 0) -> None:
        """Return once there are so many more. TimeoutError: they do not come."""
        total, failures = self.total + acknowledged, self.failures + failed
        async with asyncio.timeout(ANSWER_SECONDS):
            while self.total < total or self.failures < failures:
                await self.changed.wait()

    def _tell(self) -> None:
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


async def ask(host: FaultyHost, path: str) -> tuple[int, Any]:
    """One request on a connection of its own: the status, and the JSON of the answer, or its text."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        try:
            status, body = await exchange(reader, writer, path, "close")
        finally:
            writer.close()
    try:
        return status, json.loads(body)
    except ValueError:
        return status, body.decode()


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, after: str = "keep-alive"
) -> tuple[int, bytes]:
    """One request on a connection: the status and the body of the answer."""
    writer.write(f"POST {path} HTTP/1.1\r\nhost: h\r\nconnection: {after}\r\n".encode())
    writer.write(b"content-length: 0\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    status = int(head.split(" ", 2)[1])
    size = head.partition("content-length: ")[2].partition("\r\n")[0]
    return status, await (reader.readexactly(int(size)) if size else reader.read())


@contextlib.asynccontextmanager
async def traffic(
    host: FaultyHost, recorder: Recorder, *, clients: int = 2, size: int = 2_000
) -> AsyncGenerator[None]:
    """While the block runs, `clients` write by HTTP and as many by WebSocket, each to a book of its
    own and, in turn, to one that all share."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client(host, recorder, f"{kind}-{number}", size))
            for number in range(clients)
            for kind, client in (("http", write_by_http), ("socket", write_by_socket))
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def write_by_http(host: FaultyHost, recorder: Recorder, book: str, size: int) -> None:
    """One client that keeps its connection as long as that goes."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
            with contextlib.closing(writer):
                for number in recorder.numbers:
                    to = book if number % 2 else "shared"
                    path = f"/book/{to}/write?number={number}&size={size}"
                    status, _ = await exchange(reader, writer, path)
                    if status == 200:
                        recorder.acknowledge(to, number)
                    else:
                        recorder.fail(str(status))
                        await asyncio.sleep(AGAIN_SECONDS)
        except (OSError, asyncio.IncompleteReadError) as error:
            recorder.fail(type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)


async def write_by_socket(host: FaultyHost, recorder: Recorder, book: str, size: int) -> None:
    """One client that has one write at a time on its way, and opens its socket again when it is lost."""
    while True:
        try:
            async with open_socket(host, book) as socket:
                for number in recorder.numbers:
                    await socket.send(f"{number} {size}")
                    while (heard := int(await socket.recv())) != number:
                        recorder.acknowledge(book, heard)
                    recorder.acknowledge(book, number)
        except (OSError, WebSocketException, TimeoutError) as error:
            recorder.fail(type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)


def open_socket(host: FaultyHost, book: str) -> connect:
    """A WebSocket to a book."""
    return connect(
        f"ws://127.0.0.1:{host.port}/book/{book}/socket", ping_interval=None, open_timeout=30
    )


async def hear(socket: ClientConnection) -> str:
    """The next message. TimeoutError: there is none."""
    async with asyncio.timeout(ANSWER_SECONDS):
        return str(await socket.recv())


async def check_kept(host: FaultyHost, recorder: Recorder) -> None:
    """AssertionError: something acknowledged is missing, or half of a turn was kept."""
    for book, numbers in recorder.acknowledged.items():
        status, found = await ask(host, f"/book/{book}/read")
        assert status == 200, f"book {book} cannot be read: {status} {found}"
        missing = numbers - set(found["numbers"])
        assert not missing, f"book {book} lost {len(missing)}, {min(missing)} first"
        assert found["count"] == len(found["numbers"]), f"half of a turn is in book {book}"
