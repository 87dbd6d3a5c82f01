"""A WebSocket client on a simulated connection: real handshake, real frames, by websockets' own
protocol without its sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from .sockets import Link

ABNORMAL = 1006  # RFC 6455, 7.4.1
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
RATE_LIMITED = 429
ERRORS = (1002, 1003, 1007, 1009)  # close codes that say that the client has broken the protocol
PERMANENT = range(4400, 4500)  # close codes after which a client does not come again


def is_refusal(code: int | None) -> bool:
    """Whether a connection that ended so was refused for good: nobody who may connect should be. What
    passes is none: a host that is overloaded or stops, a client that is too slow or was lost."""
    if code is None or code == RATE_LIMITED:
        return False

    return 400 <= code <= 500 or code in ERRORS or code in PERMANENT


class ClientSocket:
    """One connection. `heard` is called with each message, as it comes. `code`: what it ended with;
    1006: it was lost, a status of HTTP: it was refused; None: it has not ended, as far as it is known
    here."""

    def __init__(self, link: Link, heard: Callable[[str | bytes], None]) -> None:
        self.link = link
        self.code: int | None = None
        self._heard = heard
        self._protocol: ClientProtocol | None = None
        self._waiters: list[asyncio.Future[None]] = []
        link.down.take = self._take
        link.down.ended = self._ended

    @property
    def is_open(self) -> bool:
        """Whether it was accepted, and neither side has closed."""
        protocol = self._protocol
        return self.code is None and protocol is not None and protocol.state is State.OPEN

    async def open(
        self,
        path: str,
        headers: Mapping[str, str],
        seconds: float,
        subprotocols: Sequence[str] = (),
    ) -> bool:
        """Upgrade; whether it was accepted, within `seconds`."""
        protocol = self._protocol = ClientProtocol(
            parse_uri("ws://host/"),
            max_size=MAX_MESSAGE_BYTES,
            subprotocols=[cast("Subprotocol", name) for name in subprotocols] or None,
        )
        request = protocol.connect()
        request.path = path
        request.headers.update(headers)
        protocol.send_request(request)
        self._flush()
        await self.until(lambda: protocol.state is not State.CONNECTING, seconds)
        if not self.is_open:
            self.give_up()
        return self.is_open

    def send(self, message: str | bytes) -> None:
        """Send a message; on a connection that is over or closing it is lost."""
        if self.is_open:
            assert self._protocol is not None
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
            self._flush()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for it, as long as the connection lasts and `seconds`; whether it has come."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            if self.code is not None or loop.time() >= end:
                return False

            waiter = loop.create_future()
            self._waiters.append(waiter)
            timer = loop.call_at(end, self._notify)
            try:
                await waiter
            finally:
                timer.cancel()
        return True

    def close(self, code: int = 1000) -> None:
        """Begin to close: the server answers, or the connection ends otherwise."""
        if self.is_open:
            assert self._protocol is not None
            self._protocol.send_close(code)
            self.link.hurt()
            self._flush()

    def give_up(self) -> None:
        """Be gone at once, without a word: the connection is reset."""
        if self.code is None:
            self.link.hurt()
            self.link.up.reset(self.link.rng.choice((0.0, 0.05)))
            self._end(ABNORMAL)

    def vanish(self) -> None:
        """Be gone as a machine is that has lost its network: nobody tells the server."""
        if self.code is None:
            self.link.partition()
            self._end(ABNORMAL)

    def _take(self, data: bytes) -> None:
        protocol = self._protocol
        if self.code is not None or protocol is None:
            return

        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Response):
                if protocol.handshake_exc is not None:
                    self._end(event.status_code)
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                payload = bytes(event.data)
                self._heard(payload.decode() if event.opcode is Opcode.TEXT else payload)
        self._flush()
        self._notify()

    def _ended(self, reset: bool) -> None:
        if self.code is not None:
            return

        close = None
        if self._protocol is not None:
            if not reset:
                self._protocol.receive_eof()
                self._flush()
            close = self._protocol.close_rcvd
        self._end(ABNORMAL if close is None else int(close.code))

    def _end(self, code: int) -> None:
        self.code = code
        self._notify()

    def _flush(self) -> None:
        assert self._protocol is not None
        for data in self._protocol.data_to_send():
            if data:
                self.link.up.write(data)
            else:
                self.link.up.finish()

    def _notify(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
