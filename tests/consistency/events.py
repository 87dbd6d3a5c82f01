"""What is recorded while a history runs: plain data, in the order in which it happened.

An *instance* is numbered in the order of construction; a *call* too, by whoever issues it, and what
an object starts by itself (its start, what it tells others, its background work) has negative numbers.
A *stamp* is a number that each write takes anew, so that a value tells which write it is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Value = tuple[int, int]  # a number, and the stamp of the write
State = dict[str, Value]
Outcome = Literal["ok", "raised", "reset", "closed"]


@dataclass(frozen=True, slots=True)
class Called:
    """A call was issued over a line: a stub, or a socket. A probe is made when all is well again."""

    call: int
    line: str
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The caller heard: a result, the handler's own error, the error of a reset, or that the socket
    closed. In the first two cases it heard too which write of the instance was the last before."""

    call: int
    outcome: Outcome | str
    instance: int = 0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """Somebody else heard from an instance: a client a message, another object a call."""

    instance: int
    seen: int


@dataclass(frozen=True, slots=True)
class Constructed:
    """A constructor ran, and this is what it found stored."""

    instance: int
    object: str
    found: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Began:
    """The handler of a call started."""

    call: int
    instance: int


@dataclass(frozen=True, slots=True)
class Suspended:
    """A handler is about to wait for something that is not storage: its turn ends."""

    call: int
    instance: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """It goes on: a new turn."""

    call: int
    instance: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The handler is about to return, or to raise an error of its own."""

    call: int
    instance: int


@dataclass(frozen=True, slots=True)
class Entered:
    """The code of a critical section started; of a transaction, if it is one."""

    call: int
    instance: int
    transaction: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """It is about to end; what it wrote is kept, or rolled back."""

    call: int
    instance: int
    transaction: bool = False
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Read:
    """A storage call returned a value; None: there is none."""

    call: int
    instance: int
    key: str
    value: Value | None


@dataclass(frozen=True, slots=True)
class Wrote:
    """A storage call took a value."""

    call: int
    instance: int
    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class Durable:
    """A commit is on disk: what it holds, by object."""

    writes: Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Refused:
    """The disk refuses what an object wrote: it will be reset."""

    object: str


@dataclass(frozen=True, slots=True)
class Reset:
    """An object is about to be reset, by its own code or by the host."""

    object: str


@dataclass(frozen=True, slots=True)
class Evicting:
    """The host was asked to drop the instance of an object; it may take its time."""

    object: str


@dataclass(frozen=True, slots=True)
class Evicted:
    """It has done so, or found that there was none."""

    object: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The host is gone; what comes is a new one, on the same directory."""


Event = (
    Called
    | Ended
    | Received
    | Constructed
    | Began
    | Suspended
    | Resumed
    | Finished
    | Entered
    | Left
    | Read
    | Wrote
    | Durable
    | Refused
    | Reset
    | Evicting
    | Evicted
    | Crashed
)
