"""Each object behaves as if its calls came one after the other, whatever crashed in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..linearizable import UNKNOWN, Model, Operation, linearization_fault
from .events import Answered, Began, Called, Constructed, Seen

State = TypeVar("State", bound=Hashable)
INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Found:
    """The input of an operation that stands for the start of an instance, which reads everything."""


FOUND = Found()


class Calls:
    """What became of each call of a history: the operations that a search takes."""

    def __init__(self, history: Sequence[Seen]) -> None:
        self._called: dict[int, tuple[int, Called]] = {}
        self._began: dict[int, Began] = {}
        self._answered: dict[int, tuple[int, Answered]] = {}
        self._starts: dict[str, list[tuple[int, Constructed]]] = defaultdict(list)
        for position, seen in enumerate(history):
            match seen.event:
                case Called(call) as event:
                    self._called[call] = (position, event)
                case Answered(call) as event:
                    self._answered[call] = (position, event)
                case Began(_, _, call) as event:
                    self._began[call] = event
                case Constructed(name) as event:
                    self._starts[name].append((position, event))
                case _:
                    pass

    def operations(
        self, found: Callable[[Mapping[str, Any]], Hashable]
    ) -> dict[str, list[Operation]]:
        """By name of the object. `found`: the output of FOUND, of what an instance found. The inputs
        say of themselves whether they are `reads`."""
        end: float
        by_name: dict[str, list[Operation]] = defaultdict(list)
        for call, (position, called) in self._called.items():
            if call in self._answered:
                end, answered = self._answered[call]
                output = answered.output
            elif call in self._began:
                end, output = self._end(call), UNKNOWN
            else:
                continue

            what, reads = called.input, called.input.reads
            by_name[called.name].append(Operation(position, end, what, output, reads))
        for name, starts in self._starts.items():
            by_name[name] += [
                Operation(position, position, FOUND, found(event.found))
                for position, event in starts
            ]
        return by_name

    def _end(self, call: int) -> float:
        """Until when a call that was cut off may take effect: its object's next instance finds it
        on the disk, or nobody ever does."""
        began = self._began[call]
        later = (
            position - 0.5  # before what that instance finds
            for position, event in self._starts[began.name]
            if event.instance > began.instance
        )
        return next(later, INFINITE)


def linearizable(
    history: Sequence[Seen],
    initial: State,
    model: Model[State],
    found: Callable[[Mapping[str, Any]], Hashable],
) -> Iterator[str]:
    """The calls of each object, and what its instances find, have an order that `model` allows from
    `initial`, and in which what ended before something began comes before it (4.1, 4.6).

    `found`: what an instance found, as the model has it. Not for a history in which a write failed of
    which nobody knows whether the disk has it, until the next host finds out.
    """
    for name, operations in Calls(history).operations(found).items():
        fault = linearization_fault(operations, initial, model)
        if fault is not None:
            yield f"{name}: {fault}"
