"""One instance of an object at a time, in all lives of the host together, and calls in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .events import Began, Called, Constructed, Resumed, Seen


def one_at_a_time(history: Sequence[Seen]) -> Iterator[str]:
    """Once an instance was constructed, no code of an earlier one of its object runs (semantics 2.5,
    3.1)."""
    newest: dict[str, int] = {}
    for seen in history:
        match seen.event:
            case Constructed(name, instance):
                newest[name] = instance
            case Began(name, instance) | Resumed(name, instance) if newest.get(name) != instance:
                yield f"instance {instance} of {name} runs, though {newest.get(name)} has begun"
            case _:
                pass


def begin_in_order(history: Sequence[Seen]) -> Iterator[str]:
    """Calls over one stub begin in the order in which they were made, each at most once (2.5)."""
    lines: dict[int, int] = {}
    newest: dict[int, int] = {}
    for seen in history:
        match seen.event:
            case Called(call, line=line):
                lines[call] = line
            case Began(name, _, call) if call in lines:
                before = newest.get(lines[call], 0)
                if call <= before:
                    yield f"call {call} of {name} begins after call {before} over the same stub"
                newest[lines[call]] = call
            case _:
                pass
