"""A client that sends what it likes: bytes over TCP, frames of any shape."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import anyio
from anyio.abc import SocketAttribute, SocketStream

REPOSITORY = Path(__file__).parent.parent.parent
SECONDS = 20.0  # that a server gets to answer
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\n"
)
TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA
FIN = 0x80


class Answer(NamedTuple):
    """A response. `headers`: names in lower case; of several the last."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body of a refusal."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Raw:
    """One connection. Everything that waits gives up after SECONDS."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._rest = b""

    async def send(self, data: bytes) -> None:
        """Send bytes; nothing happens where the server has gone."""
        with anyio.fail_after(SECONDS):
            try:
                await self.stream.send(data)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass

    async def ask(self, data: bytes) -> Answer:
        """Send a request, and read its answer."""
        await self.send(data)
        return await self.answer()

    async def answer(self) -> Answer:
        """The next answer. EndOfStream: there is none."""
        head = await self._until(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines)
        }
        body = await self.take(int(headers.get("content-length", "0")))
        return Answer(int(line.split()[1]), headers, body)

    async def frame(self) -> tuple[int, bytes]:
        """The opcode and the payload of the next frame. EndOfStream: there is none."""
        first, size = await self.take(2)
        if size == 126:
            (size,) = struct.unpack("!H", await self.take(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.take(8))
        return first & 0xF, await self.take(size)

    async def closed_with(self) -> int:
        """The code of the close frame that comes, whatever comes before it; 0: the end came."""
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(payload[:2], "big")
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return 0

    async def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        try:
            while True:
                await self._more()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            rest, self._rest = self._rest, b""
            return rest

    async def take(self, size: int) -> bytes:
        """So many bytes."""
        while len(self._rest) < size:
            await self._more()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def reset(self) -> None:
        """Drop the connection with a RST."""
        raw = self.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            await self._more()
        found, _, self._rest = self._rest.partition(end)
        return found

    async def _more(self) -> None:
        with anyio.fail_after(SECONDS):
            self._rest += await self.stream.receive()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()


async def connect(url: str) -> Raw:
    """A connection to a host."""
    host, _, port = url.partition("://")[2].rpartition(":")
    return Raw(await anyio.connect_tcp(host, int(port)))


@asynccontextmanager
async def web_socket(url: str, path: str = "/mirror/ws", head: bytes = b"") -> AsyncGenerator[Raw]:
    """A WebSocket; `head`: further headers."""
    async with await connect(url) as client:
        answer = await client.ask(get(path, UPGRADE + head))
        assert answer.status == 101, answer
        yield client


def get(path: str | bytes, head: bytes = b"", host: bytes = b"localhost") -> bytes:
    """A GET; `head`: further headers."""
    path = path.encode() if isinstance(path, str) else path
    return b"GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (path, host, head)


def post(path: str, body: bytes, head: bytes = b"") -> bytes:
    """A POST; `head`: further headers."""
    size = b"Content-Length: %d\r\n" % len(body)
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s" % (path.encode(), size, head, body)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame of a client; its mask is zero."""
    size = len(payload)
    mask = 0x80 if masked else 0
    head = bytes([opcode | (FIN if fin else 0)])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65_536:
        head += bytes([mask | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if masked else b"") + payload


def open_files() -> int:
    """How many this process has."""
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def many(url: str, count: int) -> AsyncGenerator[list[Raw]]:
    """So many connections."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await connect(url)) for _ in range(count)]
