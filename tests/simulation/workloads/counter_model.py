"""Counters under keys, one call after the other: what `workloads.counters` is held to."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..checks.linear import Found
from ..linearizable import UNKNOWN

Entries = tuple[tuple[str, int], ...]  # in the order of their keys
# What is durable for certain, and the states after it that unconfirmed writes made: the last is now.
CounterState = tuple[Entries, ...]
EMPTY: CounterState = ((),)
STAMP = "stamp"  # the key of the stamp
PAD = "pad"  # of the same stamp, with some bytes that say it too: written in the same turn


@dataclass(frozen=True, slots=True)
class Op:
    """One call. `within`: the read and the write stand in a critical section with a wait between
    them. `then`: what the handler does afterwards. `pause_ms`: how long it waits before that. `pad`:
    with how many bytes its write is filled up, to be more than a sector of the disk."""

    what: Literal["add", "get", "list", "delete", "clear"]
    key: str = ""
    by: int = 0
    confirmed: bool = True
    within: bool = False
    then: Literal["", "tell", "push", "sync", "abort"] = ""
    pause_ms: int = 0
    pad: int = 0

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, whatever the state."""
        return self.what in ("get", "list")


def entries_of(found: Mapping[str, Any]) -> Entries:
    """The counters in what is stored."""
    return tuple(sorted((key, value) for key, value in found.items() if key not in (STAMP, PAD)))


def pad_of(stamp: int, size: int) -> tuple[int, bytes]:
    """What is stored under PAD."""
    return stamp, bytes((stamp % 256,)) * size


def counters(state: CounterState, op: Op | Found, output: Hashable) -> Iterator[CounterState]:
    """The model. An instance that starts finds what is durable, and of the unconfirmed writes as many
    of the first as reached the disk."""
    now = state[-1]
    if isinstance(op, Found):
        yield from ((entries,) for entries in dict.fromkeys(state) if entries == output)
        return

    result, after = apply(dict(now), op)
    if output is not UNKNOWN and output != result:
        return

    if after == now and op.what != "clear":
        yield state
    elif op.confirmed:
        yield (after,)
    else:
        yield (*state, after)


def apply(entries: dict[str, int], op: Op) -> tuple[Hashable, Entries]:
    """What `op` answers, and what it leaves."""
    result: Hashable = None
    match op.what:
        case "add":
            result = entries[op.key] = entries.get(op.key, 0) + op.by
        case "get":
            result = entries.get(op.key, 0)
        case "list":
            result = tuple(sorted(entries.items()))
        case "delete":
            result = entries.pop(op.key, None) is not None
        case "clear":
            entries.clear()
    return result, tuple(sorted(entries.items()))
