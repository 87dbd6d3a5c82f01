"""Bytes on their way: in order, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextvars import Context

import pytest

from .loop import Pace, SimulatedLoop
from .pipes import WINDOW_BYTES, Flow, Pipe

SEEDS = range(20)
MAX_STEPS = 10_000


class End:
    """What came out of a pipe."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.loop = SimulatedLoop(rng, Pace(0.5, 0.5, 0.0, 0.0), MAX_STEPS)
        slow, bursts = rng.random() < 0.5, rng.random() < 0.5
        self.pipe = Pipe(self.loop, rng, slow=slow, bursts=bursts, context=Context())
        self.pieces: list[bytes] = []
        self.ends: list[bool] = []
        self.pipe.take = self.pieces.append
        self.pipe.ended = self.ends.append

    def run(self, seconds: float = 60.0) -> bytes:
        """Let time pass; all that has come."""
        future = self.loop.create_future()
        self.loop.call_later(seconds, future.set_result, None)
        self.loop.run_until_complete(future)
        return b"".join(self.pieces)

    def __enter__(self) -> End:
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_come_in_order_and_the_end_behind_them(seed: int) -> None:
    """However they are cut."""
    with End(seed) as end:
        for number in range(30):
            end.pipe.write(b"%d " % number)
        end.pipe.finish()
        end.pipe.write(b"too late")
        assert end.run() == b"".join(b"%d " % number for number in range(30))
        assert end.ends == [False]
        assert end.pipe.flow is Flow.ENDED


def test_pieces_are_cut_anywhere() -> None:
    """Some seeds cut a message, some give two at once."""
    sizes: set[int] = set()
    for seed in SEEDS:
        with End(seed) as end:
            for _ in range(10):
                end.pipe.write(b"0123456789")
            end.run()
            sizes |= {len(piece) for piece in end.pieces}
    assert any(size < 10 for size in sizes)
    assert any(size > 10 and size % 10 for size in sizes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_reset_overtakes_the_data(seed: int) -> None:
    """What has not come by then never comes."""
    with End(seed) as end:
        end.pipe.write(b"lost")
        end.pipe.reset()
        end.pipe.finish()
        assert end.run() == b""
        assert end.ends == [True]


@pytest.mark.parametrize("deed", [Pipe.finish, Pipe.reset, lambda pipe: pipe.write(b"more")])
def test_a_silent_pipe_tells_nothing(deed: Callable[[Pipe], None]) -> None:
    """Neither bytes nor an end, whatever happens at the other side."""
    with End(1) as end:
        end.pipe.write(b"lost")
        end.pipe.silence()
        deed(end.pipe)
        assert end.run() == b""
        assert end.ends == []
        assert end.pipe.is_silent


def test_a_pipe_waits_for_who_takes() -> None:
    """And takes no more than its window meanwhile."""
    with End(1) as end:
        assert end.pipe.room in WINDOW_BYTES
        end.pipe.pause()
        end.pipe.write(bytes(end.pipe.room))
        assert end.run() == b""
        assert end.pipe.room == 0
        roomy: list[int] = []
        end.pipe.roomy = lambda: roomy.append(end.pipe.room)
        end.pipe.resume()
        assert end.run() == bytes(end.pipe.room)
        assert roomy[-1] == end.pipe.room
