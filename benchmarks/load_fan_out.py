"""Messages of one socket to every socket of its room."""

from __future__ import annotations

from functools import partial
from typing import Any

from .load_run import Run, Wire, all_of
from .web_socket import NONE, TEXT, Greeting, connect, framed

MESSAGE = b"x" * 64
CHECKED_BYTES = 8  # of the end of what came, where it ends with a message
# What opens a namespace of Socket.IO, whose packets are `4` of Engine.IO and `0`, or `2` for an event
# (engine.io protocol 4, socket.io protocol 5).
CONNECTED = Greeting(framed(b"40", TEXT), b'40{"sid"')
EVENT = b'42["message","%b"]' % MESSAGE


async def fan_out(
    url: str, sockets: int, window: int, pid: int, seconds: float, socket_io: bool = False
) -> dict[str, Any]:
    """The first of so many sockets sends, at most `window` messages ahead of all of them taken
    together; messages that came to a socket, a second."""
    payload = EVENT if socket_io else MESSAGE
    run = FanOut(framed(payload, TEXT), sockets, window)
    listeners = [
        Listener(run, bytes([0x80 | TEXT, len(payload)]) + payload) for _ in range(sockets)
    ]
    greeting = CONNECTED if socket_io else NONE
    await all_of(partial(connect, url, one, greeting=greeting) for one in listeners)
    run.sender = listeners[0]
    return await run.over(pid, seconds, run.begin)


class FanOut(Run):
    """What is on its way to all."""

    sender: Wire

    def __init__(self, frame: bytes, sockets: int, window: int) -> None:
        super().__init__()
        self._frame = frame
        self._sockets = sockets
        self._window = window
        self._sent = 0
        self._due = 0  # deliveries at which the next message is sent

    def begin(self) -> None:
        """Send the first ones."""
        self._sent = 0
        self._send(self._window)

    def delivered(self, count: int) -> None:
        """So many have come, to any of them."""
        self.done += count
        if self.done < self._due:
            return

        if self.open:
            self._send(1 + (self.done - self._due) // self._sockets)
        elif self.done == self._sent * self._sockets:
            self.drained()

    def _send(self, count: int) -> None:
        self._sent += count
        self._due = (self._sent - self._window + 1) * self._sockets
        self.sender.write(self._frame * count)


class Listener(Wire):
    """A socket of the room."""

    def __init__(self, run: FanOut, comes: bytes) -> None:
        super().__init__(run)
        self._delivered = run.delivered
        self._end = comes[-CHECKED_BYTES:]
        self._size = len(comes)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        count, self.rest = divmod(self.rest + len(data), self._size)
        if not self.rest and not data.endswith(self._end):
            self.run.fail(f"what came is not what was sent: {data[:80]!r}")
        elif count:
            self._delivered(count)
