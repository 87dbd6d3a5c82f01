"""The client's side of a WebSocket, as cheap as it can be: it masks with zeros and checks no UTF-8.

Who sends and hears is a protocol of its own, which takes over the connection once it is open: then
nothing lies between it and the transport.
"""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import cast
from urllib.parse import SplitResult, urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SHORT, MEDIUM = 126, 127  # lengths that say that two, or eight, bytes of length follow
END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What must be said on an open socket before it is one of a room. `says`: frames of the client.
    `hears`: in the answer, an object of JSON, which is the last thing that comes unasked."""

    says: bytes = b""
    hears: bytes = b""

    def is_over(self, heard: bytes) -> bool:
        """Whether this is all of it."""
        return not self.hears or (self.hears in heard and heard.endswith(b"}"))


NONE = Greeting()


class Handshake(asyncio.Protocol):
    """A connection until it is open and greeted, or refused."""

    def __init__(self, request: bytes, greeting: Greeting) -> None:
        self._request = request
        self._greeting = greeting
        self._open = False
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Have another protocol take what comes, and what has come already but the greeting."""
        assert self._transport is not None
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._read and self._greeting is NONE:
            protocol.data_received(self._read)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's is not by name
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._read += data
        if not self._open and not self._opens():
            return

        if not self.done.done() and self._greeting.is_over(self._read):
            self.done.set_result(None)

    def _opens(self) -> bool:
        head, found, rest = self._read.partition(END_OF_HEAD)
        if not found or self.done.done():
            return False

        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self.done.set_exception(ConnectionError(self._read.decode(errors="replace")))
            return False

        assert self._transport is not None
        self._open, self._read = True, rest
        self._transport.write(self._greeting.says)
        return True


async def connect(
    url: str,
    protocol: asyncio.Protocol,
    *,
    key: str = "",
    offered: str = "",
    greeting: Greeting = NONE,
) -> None:
    """Open a socket for this protocol; with an API key and a subprotocol, where they are given.

    :raises ConnectionError: the server does not answer 101, or closes
    """
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    handshake = Handshake(upgrade(parts.netloc, path, key, offered), greeting)
    await dial(parts, handshake)
    await handshake.done
    handshake.hand_over(protocol)


async def dial(parts: SplitResult, protocol: asyncio.Protocol) -> None:
    """Connect this protocol to the server that a URL names, with its port."""
    assert parts.hostname is not None
    assert parts.port is not None
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: protocol, parts.hostname, parts.port)


def upgrade(host: str, path: str, key: str = "", offered: str = "") -> bytes:
    """The request that opens a socket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if offered:
        lines.append(f"Sec-WebSocket-Protocol: {offered}")
    return "\r\n".join((*lines, "", "")).encode()


def framed(payload: bytes, opcode: int = BINARY) -> bytes:
    """One WebSocket frame of a client (RFC 6455 5.2), at most 64 KiB, under a mask of zeros."""
    size = len(payload)
    if size < SHORT:
        length = bytes([0x80 | size])
    else:
        length = bytes([0x80 | SHORT]) + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


def payload_of(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame that begins there starts and ends, which may be behind what is
    there; so it is for a head that is not whole."""
    length, start = data[at + 1], at + 2
    if length == SHORT:
        start, length = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
    elif length == MEDIUM:
        start, length = at + 10, int.from_bytes(data[at + 2 : at + 10], "big")
    return start, start + length
