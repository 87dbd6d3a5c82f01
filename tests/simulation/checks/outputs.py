"""Acknowledged is durable, and nothing is visible before it is."""

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
