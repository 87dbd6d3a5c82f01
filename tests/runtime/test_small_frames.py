"""Frames that carry next to nothing have a rate."""

from __future__ import annotations

from roomhost.runtime import limits
from roomhost.runtime.message_frames import carries_little
from roomhost.runtime.small_frames import SmallFrames

from ..hostile import raw


def taken(small: SmallFrames, now: float) -> int:
    """How many are taken at once."""
    count = 0
    while small.take(now):
        count += 1
    return count


def test_so_many_at_once_and_so_many_a_second() -> None:
    """Whatever time it is."""
    for now in (0.0, 10**9):
        small = SmallFrames()
        assert taken(small, now) == limits.SMALL_FRAMES_BURST
        assert taken(small, now + 1) == limits.SMALL_FRAMES_PER_SECOND
        assert taken(small, now + 1_000) == limits.SMALL_FRAMES_BURST


def test_which_frames_carry_little() -> None:
    """All that are no data, and fragments of a few bytes."""
    for frame in (raw.frame(raw.PING, b"x" * 125), raw.frame(raw.TEXT, b"x" * 15, fin=False)):
        assert carries_little(frame, 0)
    for frame in (
        raw.frame(raw.TEXT, b"x" * 16, fin=False),
        raw.frame(raw.TEXT, b"x" * 999),
        b"\x00",
    ):
        assert not carries_little(frame, 0)


def test_an_empty_frame_may_end_a_message() -> None:
    """Some clients write the end so; one that ends next to nothing carries that."""
    end = raw.frame(0, b"")
    assert not carries_little(end, 1_000)
    assert carries_little(end, 3)


def test_a_close_is_no_flood() -> None:
    """There is one."""
    assert not carries_little(raw.frame(raw.CLOSE, b""), 0)
