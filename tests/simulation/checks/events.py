"""What the core's workloads record: plain data, in the order in which it happened.

A *call* and an *instance* are numbered as they come. A *stamp* is a number that each write of an
object takes anew, rising, and stores with it: the state of an object tells which write was its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Seen(Protocol):
    """An event as it stands in a history: what happened, in which life of the host, and when in
    milliseconds of the simulation. `generation` counts from 1."""

    @property
    def at_ms(self) -> float: ...

    @property
    def generation(self) -> int: ...

    @property
    def event(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Called:
    """A client calls an object; calls of one `line`, a stub, begin in this order."""

    call: int
    name: str
    input: Any
    line: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """The client got its answer."""

    call: int
    output: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The client got an error, or lost its connection: the call may have taken effect or not."""

    call: int
    why: str


@dataclass(frozen=True, slots=True)
class Constructed:
    """An instance begins, and finds this stored: the entries, and the stamp of the last write."""

    name: str
    instance: int
    stamp: int
    found: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Began:
    """An instance begins to serve a call."""

    name: str
    instance: int
    call: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Code of an instance goes on, and storage is open to it."""

    name: str
    instance: int


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody outside an object heard that its write `stamp` was made. `how`: by what."""

    name: str
    stamp: int
    how: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A client was told all that is stored of an object."""

    name: str
    found: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fired:
    """An alarm handler begins: for the alarm that was set with the stamp `token`, due at `due_ms` by
    what the handler was told, at `now_ms`; the times are of the wall clock."""

    name: str
    instance: int
    token: int
    due_ms: int
    now_ms: int
    retry: int


@dataclass(frozen=True, slots=True)
class Ran:
    """It ends; `failed`: it raises."""

    name: str
    instance: int
    token: int
    failed: bool
