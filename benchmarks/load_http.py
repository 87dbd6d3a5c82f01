"""Requests on connections that are kept, each sent when the one before it is answered."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .load_echo import Flight
from .load_run import Wire, all_of
from .web_socket import END_OF_HEAD, dial

OK = b"HTTP/1.1 200 OK\r\n"


async def http(urls: list[str], pid: int, seconds: float) -> dict[str, Any]:
    """A connection for each of these URLs; answers a second."""
    flight = Flight()
    clients = [Client(flight, url) for url in urls]
    await all_of(partial(client.open) for client in clients)

    def begin() -> None:
        flight.left = len(urls)
        for client in clients:
            client.write(client.request)

    return await flight.over(pid, seconds, begin)


class Client(Wire):
    """A connection that asks the same again and again. All answers are of the size of the first."""

    def __init__(self, flight: Flight, url: str) -> None:
        super().__init__(flight)
        self._flight = flight
        self._url = urlsplit(url)
        self._first = b""
        self._size, self._body = 0, b""
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.request = f"GET {self._url.path} HTTP/1.1\r\nHost: {self._url.netloc}\r\n\r\n".encode()

    async def open(self) -> None:
        """Connect, and see how large an answer is.

        :raises ConnectionError: it is no 200 with a length
        """
        await dial(self._url, self)
        self.write(self.request)
        await self._answered

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self._size:
            self._measure(data)
            return

        self.rest += len(data)
        if self.rest < self._size:
            return

        flight = self._flight
        flight.done += 1
        if self.rest > self._size or not data.endswith(self._body):
            flight.fail(f"another answer than the first one: {data[:80]!r}")
        elif flight.open:
            self.rest = 0
            self.write(self.request)
        else:
            self.rest = 0
            flight.landed(1)

    def _measure(self, data: bytes) -> None:
        self._first += data
        head, found, body = self._first.partition(END_OF_HEAD)
        if not found:
            return

        _, named, rest = head.lower().partition(b"content-length: ")
        if not named or not head.startswith(OK.rstrip()):
            self._answered.set_exception(ConnectionError(self._first.decode(errors="replace")))
        elif len(body) == int(rest.split(b"\r\n", 1)[0]):
            self._size, self._body = len(self._first), body
            self._answered.set_result(None)
