"""A client's end of a WebSocket that says one thing again and again, and counts what it hears."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import TYPE_CHECKING, Protocol, cast

from . import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY = base64.b64encode(bytes(16)).decode()
NO_MASK = bytes(4)  # a client masks what it says; this mask changes nothing
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
FINAL, MASKED = 0x80, 0x80
CONTROL = 0x8
MEDIUM, LARGE = 126, 127  # what a length says whose own bytes follow it


class Place(Protocol):
    """Where to connect, and what to say there."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def message(self) -> str: ...


class BenchSocket(asyncio.Protocol):
    """`heard(socket)` is called for each message; `failed` gets an OSError when it is lost."""

    def __init__(self, place: Place, path: str, failed: asyncio.Future[None]) -> None:
        self._place = place
        self._path = path
        self._failed = failed
        self._frame = framed(TEXT, place.message.encode())
        self._buffer = bytearray()
        self._opened: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self.heard: Callable[[BenchSocket], object] = ignore

    async def open(self) -> None:
        """Connect. OSError: the server refused, or said nothing for too long."""
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        await loop.create_connection(lambda: self, self._place.host, self._place.port)
        try:
            await asyncio.wait_for(self._opened, limits.BENCH_START_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"the WebSocket {self._path} did not open in time") from None

    def say(self) -> None:
        """The message."""
        assert self._transport is not None
        self._transport.write(self._frame)

    def close(self) -> None:
        """Go, without waiting for anybody."""
        self._closing = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed(CLOSE, struct.pack("!H", 1_000)))
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        lines = [
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._place.host}:{self._place.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {KEY}",
            *(f"{name}: {value}" for name, value in self._place.headers.items()),
        ]
        self._transport.write("\r\n".join((*lines, "", "")).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Not expected before `close`."""
        self._fail("the host ended the WebSocket")

    def data_received(self, data: bytes) -> None:
        """The answer to the request, then frames."""
        self._buffer += data
        if self._opened is not None and not self._opened.done():
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return

            status = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")[2]
            if not status.startswith("101"):
                self._fail(f"the host answers {status!r}")
                return

            self._buffer = bytearray(rest)
            self._opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while (found := frame_at(buffer, at)) is not None:
            begin, end = found
            opcode = buffer[at] & 0x0F
            if opcode == CLOSE:
                code = struct.unpack("!H", buffer[begin : begin + 2])[0] if end > begin else 1_005
                self._fail(f"the host closed the WebSocket with {code}")
            elif opcode == PING and self._transport and not self._transport.is_closing():
                self._transport.write(framed(PONG, bytes(buffer[begin:end])))
            elif opcode < CONTROL and buffer[at] & FINAL:
                self.heard(self)
            at = end
        del buffer[:at]

    def _fail(self, why: str) -> None:
        if self._closing:
            return

        error = ConnectionError(f"{self._path}: {why}")
        for future in (self._opened, self._failed):
            if future is not None and not future.done():
                future.set_exception(error)
                return


def framed(opcode: int, payload: bytes) -> bytes:
    """A frame of a client."""
    size = len(payload)
    if size < MEDIUM:
        head = bytes((FINAL | opcode, MASKED | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", FINAL | opcode, MASKED | MEDIUM, size)
    else:
        head = struct.pack("!BBQ", FINAL | opcode, MASKED | LARGE, size)
    return head + NO_MASK + payload


def frame_at(buffer: bytearray, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at `at` begins and ends; None: it is not all there."""
    if len(buffer) < at + 2:
        return None

    size, begin = buffer[at + 1], at + 2
    if size in (MEDIUM, LARGE):
        begin += 2 if size == MEDIUM else 8
        size = int.from_bytes(buffer[at + 2 : begin], "big")
    end = begin + size
    return (begin, end) if len(buffer) >= end else None


def ignore(_socket: BenchSocket) -> None:
    """Nobody counts yet."""
