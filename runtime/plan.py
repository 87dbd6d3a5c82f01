"""What a deploy does to the sets of objects in a data directory, before it does it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from ..storage import Catalogue, NamespaceRecord, NamespaceState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .application import NamespaceDeclaration


class Action(Enum):
    """What happens to a set of objects."""

    NEW = "new"  # A class has objects here for the first time, or starts empty.
    BOUND = "bound"  # The binding of a class has another name.
    RENAMED = "renamed"  # The class has another name.
    TRANSFERRED = "transferred"  # The class of another application is this one's.
    DELETED = "deleted"  # Its objects are deleted.
    UNDONE = "undone"  # A rollback takes a rename or a transfer back.
    PARKED = "parked"  # Kept and not served, as the application does not know the class.
    SERVED = "served"  # Was parked, is served again.


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a deploy does, as a line of text. `objects`: how many it concerns, where that
    was counted; no more than `MAX_COUNTED_OBJECTS` and one are."""

    action: Action
    class_name: str
    text: str
    objects: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`catalogue`: what is recorded then; `numbers`: of the namespaces by declared name; `steps`: what
    changes.

    `refusal`: why data would be lost from sight, in one line with the cure. Then the rest takes
    every namespace by its name, whatever class it was recorded for.
    """

    catalogue: Catalogue
    numbers: Mapping[str, int]
    steps: tuple[Step, ...] = ()
    refusal: str | None = None

    @property
    def deletes(self) -> bool:
        """Whether stored objects are deleted."""
        return any(step.action is Action.DELETED and step.objects for step in self.steps)


def by_name(
    recorded: Catalogue,
    app: str,
    declared: Sequence[NamespaceDeclaration],
    refusal: str | None = None,
) -> Plan:
    """The plan that asks nothing of the classes: each declared namespace is the one of its name, and
    the missing ones are made."""
    live = {
        record.name: record.number
        for record in recorded.namespaces
        if record.state is not NamespaceState.DELETED
    }
    number = recorded.next_number()
    made: list[NamespaceRecord] = []
    numbers: dict[str, int] = {}
    for each in declared:
        if each.name not in live:
            made.append(NamespaceRecord(number, each.name, each.unique_key, app, class_of(each)))
            live[each.name] = number
            number += 1
        numbers[each.name] = live[each.name]
    served = set(numbers.values())
    namespaces = with_names_free([*recorded.namespaces, *made], served)
    return Plan(replace(recorded, namespaces=namespaces), numbers, refusal=refusal)


def with_names_free(
    records: Collection[NamespaceRecord], served: Collection[int]
) -> tuple[NamespaceRecord, ...]:
    """The records by number. One that is not served, but has the name of one that is, gets another:
    no declared name has a tilde."""
    taken = {record.name for record in records if record.number in served}
    return tuple(
        replace(record, name=f"{record.name}~{record.number}")
        if record.name in taken and record.number not in served
        else record
        for record in sorted(records, key=lambda record: record.number)
    )


def class_of(declared: NamespaceDeclaration) -> str:
    """The name by which migrations know the class of a namespace: that of the namespace itself where
    it is a module's, whose classes are not the application's own."""
    return declared.name if "." in declared.name else declared.actor.__name__
