"""A WebSocket client on a simulated connection: real handshake, real frames, by websockets' ClientProtocol."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .sockets import Link

ABNORMAL = 1006  # RFC 6455, 7.4.1
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


class Ended(Exception):
    """The connection is over. `code`: of the close; 1006: it was lost."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the connection ended with {code}")
        self.code = code


class ClientSocket:
    """One connection. What comes is kept until it is taken by `receive`."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.code: int | None = None  # it has ended, by this close
        self._protocol = ClientProtocol(parse_uri("ws://host/"), max_size=MAX_MESSAGE_BYTES)
        self._messages: deque[str | bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._gone = False
        link.down.take = self._take
        link.down.ended = self._ended

    async def open(self, path: str, headers: Mapping[str, str], seconds: float) -> None:
        """Upgrade. Ended: it was refused, lost, or not answered within `seconds`."""
        request = self._protocol.connect()
        request.path = path
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()
        try:
            async with asyncio.timeout(seconds):
                while self._protocol.state is State.CONNECTING and self.code is None:
                    await self._changed()
        except TimeoutError:
            self.give_up()
        if self.code is not None or self._protocol.state is not State.OPEN:
            self.give_up()
            raise Ended(self.code or ABNORMAL)

    def send(self, message: str | bytes) -> None:
        """Send a message; on a connection that is closing it is lost."""
        if self._protocol.state is State.OPEN and not self._gone:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._flush()

    async def receive(self) -> str | bytes:
        """The next message. Ended: there is none any more."""
        while not self._messages:
            if self.code is not None:
                raise Ended(self.code)

            await self._changed()
        return self._messages.popleft()

    def close(self, code: int = 1000) -> None:
        """Begin to close; the end comes by `receive`."""
        if self._protocol.state is State.OPEN and not self._gone:
            self._protocol.send_close(code)
            self._flush()

    def give_up(self) -> None:
        """Be gone, without a word: the server hears of it by its own means alone, if a network has
        lost the connection, and otherwise soon."""
        if not self._gone:
            self.link.up.reset(0.0 if self.link.rng.random() < 0.5 else 0.05)
            self._end(ABNORMAL)

    def vanish(self) -> None:
        """Be gone as a machine is whose network is: nobody tells the server."""
        if not self._gone:
            self.link.partition()
            self._end(ABNORMAL)

    def _take(self, data: bytes) -> None:
        if self._gone:
            return

        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Response):
                if protocol.handshake_exc is not None:
                    self._end(event.status_code)
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                text = event.opcode is Opcode.TEXT
                payload = bytes(event.data)
                self._messages.append(payload.decode() if text else payload)
        self._flush()
        self._notify()

    def _ended(self, reset: bool) -> None:
        if self._gone:
            return

        if not reset:
            self._protocol.receive_eof()
        close = self._protocol.close_rcvd
        self._flush()
        self._end(ABNORMAL if close is None else int(close.code))

    def _end(self, code: int) -> None:
        self._gone = True
        self.code = code
        self._notify()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.link.up.write(data)
            else:
                self.link.up.finish()

    async def _changed(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _notify(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
