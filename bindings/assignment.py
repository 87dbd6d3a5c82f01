"""Which recorded namespace each declared one is: data follows the class."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..runtime import limits
from ..runtime.plan import Action, Step, class_of
from ..storage import NamespaceRecord, NamespaceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..runtime.application import NamespaceDeclaration


class Refused(Exception):
    """The plan would leave objects without a class; the message says which, and the cure."""


class Assignment:
    """`records` by number; those that a declared namespace gets are changed in it, new ones added.
    `known`: see `Draft.known`."""

    def __init__(
        self,
        records: dict[int, NamespaceRecord],
        app: str,
        declared: Sequence[NamespaceDeclaration],
        count: Callable[[int], int],
        known: set[str | None],
    ) -> None:
        self._records = records
        self._app = app
        self._count = count
        self._waiting = {each.name: each for each in declared}  # without a record so far
        self._declared = dict(self._waiting)
        self._free = {
            record.number: record
            for record in records.values()
            if record.app == app
            and record.since in known
            and record.state is not NamespaceState.DELETED
        }
        self._numbers: dict[str, int] = {}
        self._steps: list[Step] = []

    def assign(
        self, deleted: Mapping[str, str], since: Callable[[str], str | None]
    ) -> tuple[dict[str, int], list[Step]]:
        """The number of each declared namespace, and what is to be said of it. `deleted`: classes
        whose objects are gone, by a tag that is undone; `since(class_name)`: the
        tag that made a class. Refused: two are meant, and data at stake."""
        self._take(lambda one, record: _same_class(one, record) and one.name == record.name)
        # What a module's ids derive from is the module's own, whatever its binding is called.
        self._take(
            lambda one, record: (
                one.unique_key == record.unique_key
                and ("." in one.name or _same_class(one, record))
            )
        )
        self._follow_classes()
        self._take_empty(since)
        number = 1 + max(self._records, default=0)
        for one in list(self._waiting.values()):
            name = class_of(one)
            made = NamespaceRecord(number, one.name, one.unique_key, self._app, name)
            if name in deleted:
                text = f"{name} starts empty: {deleted[name]} has deleted its objects"
            else:
                text = f"{name} is new, bound as {one.name}"
            self._steps.append(Step(Action.NEW, name, text))
            self._give(one, replace(made, since=since(name)))
            number += 1
        return self._numbers, self._steps

    def left(self) -> list[NamespaceRecord]:
        """The namespaces with objects that nothing declared has got, but those that are parked.
        Refused: one is another application's, and looks as if it were to be taken over."""
        taken = {each.name for each in self._declared.values()}
        classes = {class_of(each) for each in self._declared.values()}
        for record in self._records.values():
            if (
                record.app not in (self._app, None)
                and (record.name in taken or record.class_name in classes)
                and record.state is NamespaceState.SERVED
                and (count := self._count(record.number))
            ):
                raise Refused(
                    f"{record.class_name} has {objects(count)} here of the app {record.app!r}, this one "
                    f'is {self._app!r}: add Transfer(from_app="{record.app}", '
                    f'from_class="{record.class_name}", to_class="{record.class_name}") to the '
                    "transferred_classes of a Migration, or name another data directory"
                )

        served = set(self._numbers.values())
        return [
            record
            for record in self._records.values()
            if record.number not in served
            and record.app in (self._app, None)
            and record.state is NamespaceState.SERVED
            and self._count(record.number)
        ]

    def orphaned(self, record: NamespaceRecord, tag: str) -> str:
        """Why a namespace that is left is no good, with the cure. `tag`: one that is not taken."""
        count = objects(self._count(record.number))
        name = record.class_name
        if name is None or name in {class_of(each) for each in self._declared.values()}:
            return (
                f"the binding {record.name} has {count} here and is in the App no more: bind it again, "
                f'or add Migration(tag="{tag}", deleted_bindings=("{record.name}",)) to its '
                "migrations, which deletes them"
            )

        new = [step.class_name for step in self._steps if step.action is Action.NEW]
        renamed = ""
        if len(new) == 1:
            renamed = (
                f'Migration(tag="{tag}", renamed_classes={{"{name}": "{new[0]}"}}), if '
                f"{new[0]} is its new name, or "
            )
        return (
            f"the class {name} has {count} here and is in the App no more: add {renamed}"
            f'Migration(tag="{tag}", deleted_classes=("{name}",)), which deletes them, to its '
            "migrations"
        )

    def _take(self, fits: Callable[[NamespaceDeclaration, NamespaceRecord], bool]) -> None:
        """Give each declared namespace the one record that fits it."""
        for one in list(self._waiting.values()):
            fitting = [record for record in self._free.values() if fits(one, record)]
            if fitting:
                self._give(one, fitting[0])

    def _follow_classes(self) -> None:
        """The one binding of a class that is without a record gets the one set of its objects."""
        for name in {class_of(one) for one in self._waiting.values()}:
            waiting = [one for one in self._waiting.values() if class_of(one) == name]
            records = [record for record in self._free.values() if record.class_name == name]
            full = [record for record in records if self._count(record.number)]
            if len(waiting) == len(full) == 1:
                self._give(waiting[0], full[0])
            elif full:
                raise Refused(
                    f"the class {name} is bound as {_names(waiting)}, but has objects of "
                    f"{_names(full)}: say which is which by unique_keys of the App, as in "
                    f'unique_keys={{"{waiting[0].name}": "{full[0].unique_key}"}}'
                )
            else:
                for one, record in zip(waiting, records, strict=False):
                    self._give(one, record)

    def _take_empty(self, since: Callable[[str], str | None]) -> None:
        """A record without objects may be of any class."""
        named = {
            record.name: record
            for record in self._records.values()
            if record.state is not NamespaceState.DELETED
            and record.number not in self._numbers.values()
        }
        for one in list(self._waiting.values()):
            record = named.get(one.name)
            if record is not None and not self._count(record.number):
                self._give(one, replace(record, since=since(class_of(one))))

    def _give(self, one: NamespaceDeclaration, record: NamespaceRecord) -> None:
        del self._waiting[one.name]
        self._free.pop(record.number, None)
        self._numbers[one.name] = record.number
        name = class_of(one)
        if record.state is NamespaceState.PARKED:
            self._steps.append(Step(Action.SERVED, name, f"{name} is served again"))
        elif record.name != one.name:
            text = f"{name} is bound as {one.name} now, it was {record.name}"
            self._steps.append(Step(Action.BOUND, name, text))
        self._records[record.number] = replace(
            record,
            name=one.name,
            app=self._app,
            class_name=name,
            state=NamespaceState.SERVED,
        )


def _same_class(one: NamespaceDeclaration, record: NamespaceRecord) -> bool:
    return record.class_name == class_of(one)


def _names(named: Iterable[NamespaceDeclaration | NamespaceRecord]) -> str:
    return " and ".join(each.name for each in named)


def objects(count: int) -> str:
    """How many objects, in words."""
    if count > limits.MAX_COUNTED_OBJECTS:
        return f"more than {limits.MAX_COUNTED_OBJECTS} objects"

    return f"{count} object{'' if count == 1 else 's'}"
