"""A simulated connection behaves as one of asyncio does, for the protocol that is served on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextvars import Context

import pytest

from .loop import Pace, SimulatedLoop
from .pipes import CALM, WINDOW_BYTES, Conditions
from .sockets import HIGH_WATER_BYTES, LOW_WATER_BYTES, Link, ServerTransport

MAX_STEPS = 10_000
LARGE = 2 * max(WINDOW_BYTES) + 2 * HIGH_WATER_BYTES


class Served(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.data = b""
        self.told: list[str] = []

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.told.append("end")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost" if exc is None else type(exc).__name__)


class Connected:
    """Both ends of a connection."""

    def __init__(self, seed: int = 1, conditions: Conditions = CALM) -> None:
        rng = random.Random(seed)
        self.loop = SimulatedLoop(rng, Pace(0.5, 0.5, 0.0, 0.0), MAX_STEPS)
        self.link = Link(self.loop, rng, conditions, Context())
        self.protocol = Served()
        self.transport = ServerTransport(self.link, self.protocol, ("127.0.0.1", 1))
        self.link.server = self.transport
        self.heard = b""
        self.ends: list[bool] = []
        self.link.down.take = self._hear
        self.link.down.ended = self.ends.append

    def run(self, seconds: float = 60.0) -> None:
        """Let time pass."""
        future = self.loop.create_future()
        self.loop.call_later(seconds, future.set_result, None)
        self.loop.run_until_complete(future)

    def _hear(self, data: bytes) -> None:
        self.heard += data

    def __enter__(self) -> Connected:
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.close()


def test_a_server_closes_behind_what_it_wrote() -> None:
    """Whatever the network's window is; nothing is written or heard after that."""
    with Connected() as both:
        both.transport.write(bytes(LARGE))
        both.transport.close()
        both.transport.write(b"too late")
        both.link.up.write(b"too late")
        both.run()
        assert both.heard == bytes(LARGE)
        assert both.ends == [False]
        assert both.protocol.told == ["pause", "resume", "lost"]
        assert both.protocol.data == b""
        assert both.link.is_over
        assert both.link.hurt_at == 0.0


def test_a_client_that_does_not_read_is_felt() -> None:
    """The protocol is told to write no more, and goes on when there is room."""
    with Connected() as both:
        both.link.down.pause()
        both.transport.write(bytes(LARGE))
        both.run()
        assert both.protocol.told == ["pause"]
        assert both.transport.get_write_buffer_size() > LOW_WATER_BYTES
        both.link.down.resume()
        both.run()
        assert both.protocol.told == ["pause", "resume"]
        assert both.heard == bytes(LARGE)


def test_a_server_that_reads_no_further_is_waited_for() -> None:
    """The bytes come when it reads on."""
    with Connected() as both:
        both.transport.pause_reading()
        both.link.up.write(b"patience")
        both.run()
        assert (both.protocol.data, both.transport.is_reading()) == (b"", False)
        both.transport.resume_reading()
        both.run()
        assert both.protocol.data == b"patience"


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda link: link.up.finish(), ["end", "lost"]),
        (lambda link: link.reset(), ["ConnectionResetError"]),
        (lambda link: link.partition(), []),
        (lambda link: link.crash(), []),
    ],
)
def test_a_server_hears_of_an_end_once(deed: Callable[[Link], None], told: list[str]) -> None:
    """If it can hear of it at all."""
    with Connected() as both:
        deed(both.link)
        both.run()
        both.transport.abort()
        both.transport.close()
        both.run()
        assert both.protocol.told == (told or ([] if both.transport.dead else ["lost"]))


def test_a_crash_is_heard_of_by_the_client_alone() -> None:
    """What the process still writes is written nowhere."""
    with Connected() as both:
        both.link.crash()
        both.transport.write(b"of a dead process")
        both.link.up.write(b"to a dead process")
        both.run()
        assert (both.heard, both.ends) == (b"", [True])
        assert both.protocol.data == b""


def test_what_befalls_a_connection_is_of_the_seed() -> None:
    """All of it happens to some, with its share; and nothing on a calm network."""
    always = Conditions(partitions=1, resets=1, stalls=1)
    ends = set[str]()
    for seed in range(10):
        with Connected(seed, always) as both:
            both.run()
            ends.add("silent" if both.link.is_silent else "reset")
    assert ends == {"silent", "reset"}
    with Connected() as both:
        both.run()
        assert both.link.hurt_at is None
