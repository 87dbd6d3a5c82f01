"""Acknowledged is durable, whole, and nothing is visible before it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from .events import Constructed, Seen, Told


def outputs_are_durable(history: Sequence[Seen]) -> Iterator[str]:
    """An instance finds every write that anybody outside its object had heard of: in an answer, in a
    message over a socket, in a call of one object by another (semantics 4.3, 4.4)."""
    heard: dict[str, Told] = defaultdict(lambda: Told("", 0, ""))
    for seen in history:
        match seen.event:
            case Told(name, stamp) as told if stamp > heard[name].stamp:
                heard[name] = told
            case Constructed(name, instance, stamp) if stamp < heard[name].stamp:
                told = heard[name]
                yield (
                    f"instance {instance} of {name} finds write {stamp}, but {told.how} told of "
                    f"write {told.stamp}"
                )
            case _:
                pass


def turns_are_whole(history: Sequence[Seen], pad: str) -> Iterator[str]:
    """What is stored under `pad`, a stamp and bytes that are that too, is of the same turn as the stamp
    that an instance finds: a turn becomes durable whole, bit by bit (4.6)."""
    for seen in history:
        match seen.event:
            case Constructed(name, instance, stamp, found) if stamp:
                padded, data = found.get(pad, (0, b""))
                if padded != stamp or data.strip(bytes((stamp % 256,))):
                    yield f"instance {instance} of {name} finds write {stamp} and part of {padded}"
            case _:
                pass
