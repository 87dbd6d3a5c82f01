"""Messages that come back to who sent them."""

from __future__ import annotations

from functools import partial
from typing import Any

from .load_run import Run, Wire, all_of
from .web_socket import TEXT, connect, framed

SENT = framed(b"x" * 64, TEXT)  # a text of 64 characters
COMES = bytes([0x80 | TEXT, 64]) + b"x" * 64  # the same from a server, without a mask


async def echo(urls: list[str], window: int, pid: int, seconds: float) -> dict[str, Any]:
    """A socket of each of these URLs has `window` messages in flight; what came back, a second."""
    flight = Flight()
    frames = [SENT * count for count in range(window + 1)]
    echoes = [Echo(flight, frames) for _ in urls]
    await all_of(partial(connect, url, one) for url, one in zip(urls, echoes, strict=True))

    def begin() -> None:
        flight.left = window * len(urls)
        for one in echoes:
            one.write(frames[window])

    return await flight.over(pid, seconds, begin)


class Flight(Run):
    """What is `left` to come once nothing is sent any more."""

    left = 0

    def landed(self, count: int, whole: bool = True) -> None:
        """So many have come; `whole`: nothing else has."""
        self.left -= count
        if self.left:
            return

        if whole:
            self.drained()
        else:
            self.fail("what came back is not what was sent")


class Echo(Wire):
    """A socket that sends again what came back."""

    def __init__(self, flight: Flight, frames: list[bytes]) -> None:
        super().__init__(flight)
        self._flight = flight
        self._frames = frames

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        count, self.rest = divmod(self.rest + len(data), len(COMES))
        flight = self._flight
        flight.done += count
        if flight.open:
            self.write(self._frames[count])
        else:
            flight.landed(count, not self.rest and COMES.endswith(data[-len(COMES) :]))
