"""A history as data: what callers and hosts do, in which order. Hypothesis makes and shrinks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st

OBJECTS = ("x", "y")
LINES = ("x", "x", "x", "y")  # the object of each stub
BARRIERS = 2
T = TypeVar("T")


@dataclass(frozen=True)
class Pause:
    """Let others run: a real suspension of so many rounds of the loop."""

    rounds: int


@dataclass(frozen=True)
class Wait:
    """A real suspension until a barrier is opened."""

    barrier: int


@dataclass(frozen=True)
class Increment:
    """Get, add one, put; with what is done between the get and the put."""

    between: tuple[Pause | Wait, ...] = ()


@dataclass(frozen=True)
class Mark:
    """Write two keys and the alarm, which must agree for ever."""


@dataclass(frozen=True)
class Soft:
    """Write a key that no output waits for."""


@dataclass(frozen=True)
class Push:
    """Send a message to every socket of the object."""


@dataclass(frozen=True)
class Tell:
    """Call an object twice over one stub, the second time after a write; await both."""

    object: str


@dataclass(frozen=True)
class Raise:
    """End the handler with an error of its own."""


@dataclass(frozen=True)
class Abort:
    """Reset the object."""


Simple = Pause | Wait | Increment | Mark | Soft


@dataclass(frozen=True)
class Section:
    """`block_concurrency_while`; when it fails the object is reset."""

    inside: tuple[Simple, ...]
    fails: bool


@dataclass(frozen=True)
class Transaction:
    """`transaction`; when it fails it is rolled back and the handler goes on."""

    inside: tuple[Simple, ...]
    fails: bool


@dataclass(frozen=True)
class Background:
    """`wait_until`."""

    inside: tuple[Simple, ...]


Op = Simple | Push | Tell | Raise | Abort | Section | Transaction | Background


@dataclass(frozen=True)
class Call:
    """Issue a call over a stub, which is replaced by a new one before, if `fresh`. As a request, it
    opens a socket."""

    line: int
    ops: tuple[Op, ...]
    fresh: bool = False
    connects: bool = False


@dataclass(frozen=True)
class Message:
    """Send a message over the newest open socket of an object, if there is one."""

    object: str
    ops: tuple[Op, ...]


@dataclass(frozen=True)
class Run:
    """Let everybody run for so many rounds of the loop; None: until nobody can go on."""

    rounds: int | None


@dataclass(frozen=True)
class Open:
    """Open a barrier, for good."""

    barrier: int


@dataclass(frozen=True)
class Hold:
    """Let no commit get further."""


@dataclass(frozen=True)
class Release:
    """Let the held commits go on."""


@dataclass(frozen=True)
class Break:
    """Refuse what this object writes."""

    object: str


@dataclass(frozen=True)
class Mend:
    """Refuse nothing any more."""


@dataclass(frozen=True)
class Evict:
    """Ask the host to drop the instance of a stub's object."""

    line: int


@dataclass(frozen=True)
class AbortAll:
    """Have the host reset every object."""


@dataclass(frozen=True)
class Crash:
    """Drop the host, as `kill -9` would, and start another one on its directory. A commit that is
    held is lost if `torn`, else it happens to be done."""

    torn: bool


Step = Call | Message | Run | Open | Hold | Release | Break | Mend | Evict | AbortAll | Crash


@dataclass(frozen=True)
class History:
    """The steps, and what the first instances do while they start, in order of construction. With
    `stored` the objects have written something before, under another host."""

    steps: tuple[Step, ...]
    starts: tuple[tuple[Simple | Raise, ...], ...] = ()
    stored: bool = False


def histories(most_rounds: int = 10) -> st.SearchStrategy[History]:
    """Histories of up to `most_rounds` rounds: something happens, then some calls come at once."""
    name = st.sampled_from(LINES)
    run = st.builds(Run, st.integers(1, 6) | st.none())
    happens = _weighted(
        (4, run),
        (6, st.just(Hold())),
        (1, st.just(Release())),
        (5, st.builds(Break, name)),
        (1, st.just(Mend())),
        (2, st.builds(Open, _barrier())),
        (1, st.builds(Evict, _line())),
        (5, st.just(AbortAll())),
        (1, st.builds(Crash, st.booleans())),
    )
    call = st.builds(Call, _line(), _ops(), st.booleans(), _seldom())
    calls = _tuples(_weighted((6, call), (1, st.builds(Message, name, _ops()))), 0, 4)
    rounds = _tuples(st.tuples(_tuples(happens, 1, 1), calls, _tuples(run, 0, 1)), 1, most_rounds)
    steps = rounds.map(lambda parts: tuple(step for part in parts for step in sum(part, ())))
    start = _weighted((6, _simple()), (1, st.just(Raise())))
    return st.builds(History, steps, _tuples(_tuples(start, 0, 2), 0, 3), st.booleans())


def _ops() -> st.SearchStrategy[tuple[Op, ...]]:
    inside = _tuples(_simple(), 0, 3)
    op: st.SearchStrategy[Op] = _weighted(
        (8, _simple()),
        (2, st.builds(Section, inside, _seldom())),
        (2, st.builds(Transaction, inside, _seldom())),
        (1, st.builds(Background, inside)),
        (2, st.just(Push())),
        (2, st.builds(Tell, st.sampled_from(OBJECTS))),
        (1, st.just(Raise())),
        (1, st.just(Abort())),
    )
    return _tuples(op, 0, 4)


def _simple() -> st.SearchStrategy[Simple]:
    suspension = st.builds(Pause, st.integers(1, 3)) | st.builds(Wait, _barrier())
    return _weighted(
        (3, st.just(Mark())),
        (2, st.just(Increment())),
        (1, st.builds(Increment, _tuples(suspension, 1, 2))),
        (3, suspension),
        (1, st.just(Soft())),
    )


def _barrier() -> st.SearchStrategy[int]:
    return st.integers(0, BARRIERS - 1)


def _line() -> st.SearchStrategy[int]:
    return st.integers(0, len(LINES) - 1)


def _seldom() -> st.SearchStrategy[bool]:
    return st.integers(0, 5).map(lambda number: number == 5)


def _tuples(
    elements: st.SearchStrategy[T], least: int, most: int
) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(elements, min_size=least, max_size=most).map(tuple)


def _weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of the choices, each as often as its number says: `one_of` takes the same strategy once
    only, but different ones for the same values."""
    table = [strategy.map(_same) for weight, strategy in choices for _ in range(weight)]
    return st.one_of(table)


def _same(value: T) -> T:
    return value
