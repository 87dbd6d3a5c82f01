"""Messages that one socket of a room publishes, and others hear."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from .load_echo import Flight
from .load_run import Wire, all_of
from .measure import quantile
from .web_socket import SHORT, TEXT, Greeting, connect, framed, payload_of

JSON = "roomhost.v1.json"
WELCOME = Greeting(hears=b'"welcome"')
TEXT_OF_70 = b"x" * 70  # with the rest of its data a message has about 100 bytes
# Everybody hears a broadcast but the one it comes from, who has the acknowledgement alone.
PUBLISH = framed(
    b'{"type":"broadcast","id":1,"message":{"type":"bench","data":{"text":"%b"}}}' % TEXT_OF_70,
    TEXT,
)
ACK, MESSAGE = b'{"type":"ack"', b'{"type":"message"'
HEAD = 4  # bytes before the payload of a frame of 126 bytes or more


async def realtime(
    urls: list[str], subscribers: int, window: int, pid: int, seconds: float, key: str
) -> dict[str, Any]:
    """In the room of each of these URLs one socket publishes, at most `window` messages ahead of its
    acknowledgements and of those who listen taken together; so many do. `rate`: messages that were
    acknowledged, a second; `heard`: that came to a socket. `acked`, `delivered`: p50 and p99 of the
    seconds since a message was sent, the latter to the first one who listens."""
    run = Publishing()
    rooms = [Room(run, subscribers) for _ in urls]
    await all_of(
        partial(connect, url, wire, key=key, offered=JSON, greeting=WELCOME)
        for url, room in zip(urls, rooms, strict=True)
        for wire in (room.publisher, *room.listeners)
    )

    def begin() -> None:
        run.begin(window * len(rooms))
        for room in rooms:
            room.begin(window)

    found = await run.over(pid, seconds, begin)
    return found | {"acked": percentiles(run.acked), "delivered": percentiles(run.delivered)}


def percentiles(seconds: list[float]) -> list[float]:
    """p50 and p99."""
    return [quantile(seconds, share) for share in (0.5, 0.99)]


class Publishing(Flight):
    """What all rooms share: how long it took until a message was acknowledged, and delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.acked: list[float] = []
        self.delivered: list[float] = []

    def begin(self, left: int) -> None:
        """Forget what was measured, with so many messages in flight from now on."""
        self.left = left
        self.heard = 0
        self.acked, self.delivered = [], []

    def closed(self, result: dict[str, Any]) -> None:
        """See Run."""
        result["heard"] = self.heard / result["seconds"]


class Room:
    """One publisher and those who listen to it."""

    def __init__(self, run: Publishing, subscribers: int) -> None:
        self._run = run
        self._subscribers = subscribers
        self.publisher = Reader(run, ACK, self._acked)
        self.listeners = [
            Reader(run, MESSAGE, self._heard if number else self._heard_first)
            for number in range(subscribers)
        ]

    def begin(self, window: int) -> None:
        """Send the first ones."""
        self._sent_at: list[float] = []
        self._settled = self._acks = self._hears = self._first = 0
        self._send(window)

    def _acked(self, count: int) -> None:
        now = time.perf_counter()
        self._run.acked += [now - sent for sent in self._sent_at[self._acks : self._acks + count]]
        self._acks += count
        self._run.done += count
        self._settle()

    def _heard_first(self, count: int) -> None:
        now = time.perf_counter()
        sent_at = self._sent_at[self._first : self._first + count]
        self._run.delivered += [now - sent for sent in sent_at]
        self._first += count
        self._heard(count)

    def _heard(self, count: int) -> None:
        self._hears += count
        self._run.heard += count
        self._settle()

    def _settle(self) -> None:
        settled = min(self._acks, self._hears // self._subscribers)
        count = settled - self._settled
        if not count:
            return

        self._settled = settled
        if self._run.open:
            self._send(count)
        else:
            self._run.landed(count)

    def _send(self, count: int) -> None:
        self._sent_at += [time.perf_counter()] * count
        self.publisher.write(PUBLISH * count)


class Reader(Wire):
    """A socket to which frames of one type come."""

    def __init__(self, run: Publishing, begins: bytes, heard: Any) -> None:
        super().__init__(run)
        self._begins = begins
        self._heard = heard
        self._kept = b""

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        data = self._kept + data if self._kept else data
        at, end, count = 0, len(data), 0
        while end - at > HEAD:
            stop = at + HEAD + (data[at + 2] << 8 | data[at + 3])
            if data[at + 1] != SHORT:
                stop = payload_of(data, at)[1]
            if stop > end:
                break

            count, at = count + 1, stop
        self._kept = data[at:]
        if count and not data.startswith(self._begins, HEAD):
            self.run.fail(f"another frame than {self._begins!r}: {data[:200]!r}")
        elif count:
            self._heard(count)
