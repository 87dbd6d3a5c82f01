"""Whether a recorded history of one object could have come from a sequential one: pure code.

The search of Wing and Gong, with Lowe's memory of what was seen: operations are put in an order that
respects which ended before which began, one at a time, each as the model allows it; a set of placed
operations that led to the same state before is not tried again. An operation whose answer nobody got
may be left out, but never be placed after its end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

MAX_NODES = 500_000  # of one search, which has some hundred in a history of this folder

State = TypeVar("State", bound=Hashable)


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()  # the output of an operation that nobody saw end


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody did to the object, between two positions in the history: it took effect at some
    time from `begin` to `end`, both included. With `output` UNKNOWN, then or not at all. `reads`: it
    changes no state."""

    begin: float
    end: float
    input: Any
    output: Any = UNKNOWN
    reads: bool = False

    @property
    def required(self) -> bool:
        """Whether it is known to have taken effect."""
        return self.output is not UNKNOWN


# The states in which the object may be after `input` answered with `output`, or with anything when
# that is UNKNOWN; none: it cannot have.
Model = Callable[[State, Any, Any], Iterable[State]]


class SearchTooLongError(Exception):
    """A history for which the search takes too long: make it smaller."""


@dataclass(frozen=True, slots=True)
class Node(Generic[State]):
    """`placed`: a bit for each operation that has its place, or that cannot have one any more; `latest`:
    the last begin of one that has; `left`: how many that must be placed are not."""

    placed: int
    latest: float
    left: int
    state: State


class Search(Generic[State]):
    """One search. `fault()` is its result."""

    def __init__(
        self, operations: Iterable[Operation], initial: State, model: Model[State]
    ) -> None:
        told = [each for each in operations if each.required or not each.reads]
        self._operations = sorted(told, key=_begin_of)
        self._required = [
            index for index, operation in enumerate(self._operations) if operation.required
        ]
        self._optional = [
            index for index, operation in enumerate(self._operations) if not operation.required
        ]
        self._model = model
        self._furthest = Node(0, float("-inf"), len(self._required), initial)
        self._nodes = 0

    def fault(self) -> str | None:
        """None: there is an order. Otherwise where every attempt at one ends."""
        seen: set[tuple[int, State]] = set()
        stack = [self._furthest]
        while stack:
            node = stack.pop()
            if not node.left:
                return None

            key = (node.placed, node.state)
            if key in seen:
                continue

            seen.add(key)
            self._nodes += 1
            if self._nodes > MAX_NODES:
                raise SearchTooLongError(
                    f"over {MAX_NODES} steps: {len(self._operations)} operations"
                )

            if node.left < self._furthest.left:
                self._furthest = node
            stack += self._next(node)
        return self._explain()

    def _next(self, node: Node[State]) -> list[Node[State]]:
        """With one more operation placed; the best guess last."""
        found: list[tuple[float, Node[State]]] = []
        for index, operation in self._minimal(node):
            left = node.left - operation.required
            latest = max(node.latest, operation.begin)
            states = self._model(node.state, operation.input, operation.output)
            placed = self._without(node.placed | 1 << index, latest)
            successors = [Node(placed, latest, left, state) for state in states]
            if operation.reads and successors and not self._cut_off(node, operation.begin):
                # It could be placed later in any order there is, so it can be placed now.
                return successors

            # Those that change nothing and may be left out are.
            found += [
                (operation.end, successor)
                for successor in successors
                if operation.required or successor.state != node.state
            ]
        found.sort(key=_end_of, reverse=True)
        return [successor for _, successor in found]

    def _without(self, placed: int, latest: float) -> int:
        """`placed`, and what ended before `latest`: whether that was left out counts for nothing."""
        for index in self._optional:
            if self._operations[index].end < latest:
                placed |= 1 << index
        return placed

    def _cut_off(self, node: Node[State], begin: float) -> bool:
        """Whether an operation that may still be placed could not be any more, after this begin."""
        return any(
            not node.placed >> index & 1 and self._operations[index].end < begin
            for index in self._optional
        )

    def _minimal(self, node: Node[State]) -> Iterator[tuple[int, Operation]]:
        """The operations that may be the next: none that has to be placed ended before they began."""
        operations, placed = self._operations, node.placed
        horizon = min(operations[index].end for index in self._required if not placed >> index & 1)
        for index, operation in enumerate(operations):
            if operation.begin > horizon:
                return
            if not placed >> index & 1:
                yield index, operation

    def _explain(self) -> str:
        node = self._furthest
        stuck = [operation for _, operation in self._minimal(node)]
        placed = len(self._required) - node.left
        return f"after {placed} operations the state is {node.state}, which allows none of {stuck}"


def linearization_fault(
    operations: Sequence[Operation], initial: State, model: Model[State]
) -> str | None:
    """Why there is no sequential order of `operations` from `initial` that `model` allows; None: there
    is one. SearchTooLongError: too many of them overlap."""
    return Search(operations, initial, model).fault()


def _begin_of(operation: Operation) -> float:
    return operation.begin


def _end_of(found: tuple[float, Any]) -> float:
    return found[0]
