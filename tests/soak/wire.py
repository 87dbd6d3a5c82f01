"""One WebSocket of a client, as cheap as it can be: what comes is handed over, and not looked into."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from typing import cast

from roomhost.bindings.bench_socket import CLOSE, KEY, PING, PONG, TEXT, frame_at, framed

from . import limits

BINARY = 0x2
NORMAL, AWAY, LOST = 1_000, 1_001, 1_006
END_OF_HEAD = b"\r\n\r\n"


class Wire(asyncio.Protocol):
    """A connection from its upgrade to its end. `heard` gets each message; `ended` the code of the
    close, 1006 without one. Neither is called once this side has left."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._request = b""
        self._opened: asyncio.Future[None] | None = None
        self._code = LOST
        self._left = False
        self.is_open = False

    def heard(self, payload: bytes) -> None:
        """A message, whole."""

    def ended(self, code: int) -> None:
        """The other side has gone."""

    async def open(self, port: int, path: str, protocols: Sequence[str]) -> None:
        """Connect. OSError: it was refused, or took too long; the message says which."""
        loop = asyncio.get_running_loop()
        self._request = upgrade(port, path, protocols)
        self._opened = loop.create_future()
        try:
            async with asyncio.timeout(limits.OPEN_SECONDS):
                await loop.create_connection(lambda: self, "127.0.0.1", port)
                await self._opened
        except TimeoutError:
            self.leave(clean=False)
            raise TimeoutError(f"{path} did not open in {limits.OPEN_SECONDS:g} s") from None

    def say(self, payload: bytes, opcode: int = TEXT) -> None:
        """Send a message."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed(opcode, payload))

    def leave(self, *, clean: bool) -> None:
        """Go: with a close, or as when the network is lost."""
        self._left, self.is_open = True, False
        if self._transport is None:
            return

        if clean and not self._transport.is_closing():
            self._transport.write(framed(CLOSE, struct.pack("!H", NORMAL)))
            self._transport.close()
        else:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's is not by name
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.is_open = False
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(ConnectionError(f"lost while it opened: {exc}"))
        elif not self._left:
            self._left = True
            self.ended(self._code)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        if self._opened is not None and not self._opened.done() and not self._opens():
            return

        self._read_frames()

    def _opens(self) -> bool:
        assert self._opened is not None
        head, end, rest = bytes(self._buffer).partition(END_OF_HEAD)
        if not end:
            return False

        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if " 101 " not in status:
            said = f"{status}: {rest[:200].decode(errors='replace')}"
            self._opened.set_exception(ConnectionError(said))
            self.leave(clean=False)
            return False

        self._buffer = bytearray(rest)
        self.is_open = True
        self._opened.set_result(None)
        return True

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while (found := frame_at(buffer, at)) is not None:
            begin, end = found
            opcode = buffer[at] & 0x0F
            payload = bytes(buffer[begin:end])
            at = end
            if opcode in (TEXT, BINARY):
                if not self._left:
                    self.heard(payload)
            elif opcode == PING:
                self.say(payload, PONG)
            elif opcode == CLOSE:
                self._closed(payload)
        del buffer[:at]

    def _closed(self, payload: bytes) -> None:
        self._code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1_005
        self.is_open = False
        self.say(payload[:2], CLOSE)
        if self._transport is not None:
            self._transport.close()


def upgrade(port: int, path: str, protocols: Sequence[str]) -> bytes:
    """The request that opens a socket."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        f"Sec-WebSocket-Protocol: {', '.join(protocols)}",
    )
    return "\r\n".join((*lines, "", "")).encode()
