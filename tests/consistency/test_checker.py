"""The checker itself, on lists of events made by hand: good ones pass, each bad one is told."""

from __future__ import annotations

import pytest

from .checker import complaints
from .events import (
    Began,
    Called,
    Constructed,
    Crashed,
    Durable,
    Ended,
    Entered,
    Event,
    Evicted,
    Evicting,
    Finished,
    Left,
    Read,
    Received,
    Refused,
    Reset,
    Resumed,
    State,
    Suspended,
    Wrote,
)

LINE, OTHER = "stub 1 of x", "stub 2 of x"
COLD: list[Event] = [Constructed(1, "x", {}), Entered(-1, 1), Left(-1, 1)]


def begin(call: int, line: str = LINE) -> list[Event]:
    """A call, issued and entered."""
    return [Called(call, line), Began(call, 1)]


def put(call: int, key: str, number: int, stamp: int, instance: int = 1) -> Wrote:
    """A write."""
    return Wrote(call, instance, key, (number, stamp))


def commit(**state: tuple[int, int]) -> Durable:
    """A commit of `x`."""
    return Durable({"x": dict(state)})


def returns(call: int, seen: int = 0) -> list[Event]:
    """The handler ends, and so does the call."""
    return [Finished(call, 1), Ended(call, "ok", 1, seen)]


def restarted(instance: int, found: State) -> list[Event]:
    """A new instance, with nothing to do while it starts."""
    return [
        Constructed(instance, "x", found),
        Entered(-instance, instance),
        Left(-instance, instance),
    ]


# A call that writes one turn, which becomes durable; then it ends.
WRITE: list[Event] = [
    *begin(1),
    put(1, "a", 0, 1),
    put(1, "b", 0, 1),
    Finished(1, 1),
    commit(a=(0, 1), b=(0, 1)),
    Ended(1, "ok", 1, 1),
]
HALF: list[Event] = [*begin(1), put(1, "a", 0, 1), put(1, "b", 0, 1), Finished(1, 1)]

GOOD: dict[str, list[Event]] = {
    "a write": [*COLD, *WRITE],
    "two turns in one commit": [
        *COLD,
        *begin(1),
        put(1, "a", 0, 1),
        Suspended(1, 1),
        Resumed(1, 1),
        put(1, "a", 0, 2),
        Finished(1, 1),
        commit(a=(0, 2)),
        Ended(1, "ok", 1, 2),
    ],
    "an update lost with a suspension": [
        *COLD,
        *begin(1),
        Read(1, 1, "count", None),
        Suspended(1, 1),
        *begin(2),
        Read(2, 1, "count", None),
        put(2, "count", 1, 1),
        Finished(2, 1),
        Resumed(1, 1),
        put(1, "count", 1, 2),
        Finished(1, 1),
        commit(count=(1, 1)),
        commit(count=(1, 2)),
        Ended(1, "ok", 1, 2),
        Ended(2, "ok", 1, 1),
    ],
    "a transaction rolled back": [
        *COLD,
        *begin(1),
        Suspended(1, 1),
        Entered(1, 1, transaction=True),
        put(1, "a", 0, 1),
        Suspended(1, 1),
        Resumed(1, 1),
        Left(1, 1, transaction=True, kept=False),
        Resumed(1, 1),
        Read(1, 1, "a", None),
        *returns(1),
    ],
    "a failed commit": [
        *COLD,
        *HALF,
        Refused("x"),
        Ended(1, "reset"),
        Called(2, LINE),
        Ended(2, "reset"),
        *restarted(2, {}),
        Called(3, OTHER, probe=True),
        Began(3, 2),
        Finished(3, 2),
        Ended(3, "ok", 2, 0),
    ],
    "a crash": [*COLD, *WRITE, Crashed(), *restarted(2, {"a": (0, 1), "b": (0, 1)})],
    "an eviction": [*COLD, Evicting("x"), *restarted(2, {}), Evicted("x")],
    "a reader who heard after the disk": [
        *COLD,
        *HALF,
        *begin(2),
        Finished(2, 1),
        commit(a=(0, 1), b=(0, 1)),
        Received(1, 1),
        Ended(2, "ok", 1, 1),
        Ended(1, "ok", 1, 1),
    ],
}

BAD: dict[str, tuple[str, list[Event]]] = {
    "an update lost in a turn": (
        "updates",
        [
            *COLD,
            *begin(1),
            Read(1, 1, "count", None),
            *begin(2),
            put(2, "count", 1, 1),
            put(1, "count", 1, 2),
        ],
    ),
    "a stale read": (
        "updates",
        [*COLD, *begin(1), put(1, "a", 0, 1), Read(1, 1, "a", None), Finished(1, 1)],
    ),
    "a restart that lost a commit": ("updates", [*COLD, *WRITE, Crashed(), *restarted(2, {})]),
    "a restart that shows what was not committed": (
        "updates",
        [*COLD, *HALF, Crashed(), *restarted(2, {"a": (0, 1), "b": (0, 1)})],
    ),
    "a rollback that left a trace": (
        "updates",
        [
            *COLD,
            *begin(1),
            Suspended(1, 1),
            Entered(1, 1, transaction=True),
            put(1, "a", 0, 1),
            Left(1, 1, transaction=True, kept=False),
            Resumed(1, 1),
            Read(1, 1, "a", (0, 1)),
        ],
    ),
    "two turns at once": ("turns", [*COLD, *begin(1), *begin(2)]),
    "a call in the section of another": (
        "turns",
        [*COLD, *begin(1), Suspended(1, 1), Entered(1, 1), Suspended(1, 1), *begin(2)],
    ),
    "a call before the constructor is done": (
        "turns",
        [Constructed(1, "x", {}), *begin(1), Finished(1, 1)],
    ),
    "a call before the one whose section ended": (
        "turns",
        [*COLD, *begin(1), Suspended(1, 1), Entered(1, 1), Left(1, 1), *begin(2)],
    ),
    "half a turn on disk": ("atomic", [*COLD, *HALF, commit(a=(0, 1))]),
    "half a transaction on disk": (
        "atomic",
        [
            *COLD,
            *begin(1),
            Suspended(1, 1),
            Entered(1, 1, transaction=True),
            put(1, "a", 0, 1),
            Suspended(1, 1),
            commit(a=(0, 1)),
        ],
    ),
    "a later turn first": (
        "atomic",
        [*COLD, *HALF, *begin(2), put(2, "c", 0, 2), Finished(2, 1), commit(c=(0, 2))],
    ),
    "a batch that lands under the next instance": (
        "atomic",
        [*COLD, *HALF, Reset("x"), *restarted(2, {}), commit(a=(0, 1), b=(0, 1))],
    ),
    "a result before the disk": ("visible", [*COLD, *HALF, Ended(1, "ok", 1, 1)]),
    "an error before the disk": ("visible", [*COLD, *HALF, Ended(1, "raised", 1, 1)]),
    "a message before the disk": ("visible", [*COLD, *HALF, Received(1, 1)]),
    "a reader before the disk": (
        "visible",
        [*COLD, *HALF, *begin(2), Finished(2, 1), Ended(2, "ok", 1, 1)],
    ),
    "a later call first": (
        "order",
        [*COLD, Called(1, LINE), Called(2, LINE), Began(2, 1), Finished(2, 1), Began(1, 1)],
    ),
    "a second instance for no reason": ("instances", [*COLD, *restarted(2, {})]),
    "code of an instance that was reset": (
        "instances",
        [*COLD, *begin(1), Suspended(1, 1), Reset("x"), *restarted(2, {}), Resumed(1, 1)],
    ),
    "a call that never ends": ("endings", [*COLD, *begin(1), Finished(1, 1)]),
    "a call that ends twice": ("endings", [*COLD, *begin(1), *returns(1), Ended(1, "ok")]),
    "a call that starts twice": ("endings", [*COLD, *begin(1), Finished(1, 1), Began(1, 1)]),
    "a result of no handler": ("endings", [Called(1, LINE), Ended(1, "ok")]),
    "an unknown error": ("endings", [Called(1, LINE), Ended(1, "KeyError('a')")]),
    "a stub that works after its reset": (
        "endings",
        [*COLD, *begin(1), Ended(1, "reset"), Called(2, LINE), Began(2, 1)],
    ),
    "an object that does not recover": (
        "endings",
        [*COLD, *HALF, Refused("x"), Called(2, OTHER, probe=True), Ended(2, "reset")],
    ),
}


@pytest.mark.parametrize("events", GOOD.values(), ids=GOOD)
def test_what_may_happen_passes(events: list[Event]) -> None:
    """Without a complaint."""
    assert complaints(events) == []


@pytest.mark.parametrize(("name", "events"), BAD.values(), ids=BAD)
def test_what_may_not_happen_is_told(name: str, events: list[Event]) -> None:
    """By the property that it breaks."""
    assert name in {complaint.split(":")[0] for complaint in complaints(events)}
