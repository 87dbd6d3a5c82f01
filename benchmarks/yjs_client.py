"""A client of one document, as cheap as it can be: of the update of one character it reads the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from .web_socket import BINARY, CLOSE, PING, PONG, SHORT, connect, framed, payload_of

SYNC, STEP_1, STEP_2, UPDATE = 0, 0, 1, 2
EMPTY_STATE_VECTOR = b"\x00"
TYPED = (
    b"\x01\x01\x01"  # how the update of one character by client 1 begins: one client, one struct
)


class Client(asyncio.Protocol):
    """A socket of one document."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._rest: bytes = b""
        self._transport: asyncio.Transport | None = None
        self._synced: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost = asyncio.Event()

    @classmethod
    async def open(
        cls, url: str, key: str, heard: Callable[[int], None] = lambda clock: None
    ) -> Client:
        """Connect; `heard` gets the clock of each update that arrives.

        :raises ConnectionError: the server does not answer 101, or closes
        """
        client = cls(heard)
        await connect(url, client, key=key)
        return client

    async def synced(self) -> None:
        """Ask for the document, and wait for it: then all that was sent before is applied, and
        every update from now on arrives."""
        self._synced = asyncio.get_running_loop().create_future()
        self.send(framed(bytes([SYNC, STEP_1, len(EMPTY_STATE_VECTOR)]) + EMPTY_STATE_VECTOR))
        await self._synced

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        assert self._transport is not None
        self._transport.write(frames)

    async def close(self) -> None:
        """Close, and wait until it is."""
        self.send(framed((1000).to_bytes(2, "big"), CLOSE))
        await self._lost.wait()

    def lose(self) -> None:
        """Drop the connection."""
        assert self._transport is not None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # which uvloop's is not by name

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._lost.set()
        if not self._synced.done():
            self._synced.set_exception(ConnectionError("the server closed the connection"))
            self._synced.exception()  # nobody need wait for it

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        data = self._rest + data if self._rest else data
        self._rest = data[self._read_frames(data, 0) :]

    def _read_frames(self, data: bytes, at: int) -> int:
        """Read the whole frames from there; where the rest begins."""
        end = len(data)
        while end - at >= 2:
            start = at + 2
            stop = start + data[at + 1]
            if data[at + 1] >= SHORT:
                start, stop = payload_of(data, at)
            if start > end or stop > end:
                break

            opcode = data[at] & 15
            at = stop
            if opcode == BINARY:
                self._read_message(data, start)
            else:
                self._control(opcode, data[start:at])
        return at

    def _read_message(self, data: bytes, at: int) -> None:
        if data[at] != SYNC:
            return

        if data[at + 1] == UPDATE:
            # A type, a kind and a length of one byte each, then the update.
            if data[at + 3 : at + 6] != TYPED:
                raise ValueError("the server sent another update than it was given")

            self._heard(read_varint(data, at + 6))
        elif data[at + 1] == STEP_2 and not self._synced.done():
            self._synced.set_result(None)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.send(framed(payload, PONG))
        elif opcode == CLOSE:
            assert self._transport is not None
            self._transport.close()


def sync_update(update: bytes) -> bytes:
    """The y-protocols message of an update shorter than 128 bytes."""
    return bytes([SYNC, UPDATE, len(update)]) + update


def read_varint(data: bytes, at: int) -> int:
    """The unsigned varint that begins there (lib0)."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number

        at, shift = at + 1, shift + 7
