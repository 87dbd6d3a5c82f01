"""Which stored objects an application's classes get: the migrations that its data directory has not
seen, and what a rollback takes back. Pure: it decides, the host does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..runtime.plan import Action, Plan, Step, by_name, class_of, with_names_free
from ..storage import AppliedTag, Move, NamespaceRecord, NamespaceState
from .assignment import Assignment, Refused, objects
from .migration import made_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime.application import NamespaceDeclaration
    from ..storage import Catalogue
    from .migration import Migration

    Identity = tuple[str | None, str | None]


def plan_migrations(
    recorded: Catalogue,
    app: str,
    declared: Sequence[NamespaceDeclaration],
    migrations: Sequence[Migration],
    count: Callable[[int], int],
    at_ms: int,
) -> Plan:
    """What becomes of `recorded` when the application `app` takes it over at `at_ms`. `count(number)`:
    the stored objects of a namespace.

    Data follows the class, whatever its binding is called. Tags that were applied are a beginning of
    `migrations`, then the rest is applied; or the other way round, which is a rollback: renames and
    transfers are undone, and classes that the application does not know are parked. Anything that
    would leave objects without a class is refused (`Plan.refusal`).
    """
    draft = Draft(recorded, app, declared, count)
    try:
        rolled_back = draft.match(migrations, at_ms)
        assignment = Assignment(draft.records, app, declared, count, draft.known())
        # Of a class that no migration mentions: it was always there, or has come with the newest.
        newest = draft.newest if any(tag.app == app for tag in recorded.tags) else None

        def since(class_name: str) -> str | None:
            return made_by(class_name, migrations) or newest

        numbers, steps = assignment.assign(draft.deleted, since)
        draft.steps += steps
        for record in assignment.left():
            if not rolled_back and record.since in draft.known():
                raise Refused(assignment.orphaned(record, f"v{len(migrations) + 1}"))
            draft.park(record)
    except Refused as refused:
        return by_name(recorded, app, declared, str(refused))

    namespaces = with_names_free(draft.records.values(), set(numbers.values()))
    catalogue = replace(recorded, namespaces=namespaces, tags=tuple(draft.tags))
    return Plan(catalogue, numbers, tuple(draft.steps))


class Draft:
    """A catalogue while tags are applied to it, or undone."""

    def __init__(
        self,
        recorded: Catalogue,
        app: str,
        declared: Sequence[NamespaceDeclaration],
        count: Callable[[int], int],
    ) -> None:
        self.records = {record.number: record for record in recorded.namespaces}
        self.tags = list(recorded.tags)
        self.steps: list[Step] = []
        self.deleted: dict[str, str] = {}  # class to tag, of those undone
        self._app = app
        self._count = count
        # An older version recorded no classes: they are what they are bound to now.
        classes = {each.name: class_of(each) for each in declared}
        for record in recorded.namespaces:
            if record.class_name is None and record.name in classes:
                self.records[record.number] = replace(
                    record, app=app, class_name=classes[record.name]
                )

    def match(self, migrations: Sequence[Migration], at_ms: int) -> bool:
        """Bring the tags to those of the application; whether that was a rollback."""
        applied = self._tags()
        for tag, migration in zip(applied, migrations, strict=False):
            if tag.tag != migration.tag:
                raise Refused(
                    f"the data has the migration {tag.tag} where the App has {migration.tag}: "
                    "migrations are only added at the end, deploy the code that has both"
                )

            if tag.summary != migration.summary:
                raise Refused(
                    f"the migration {tag.tag} was applied as {tag.summary or 'nothing'!r} and says "
                    f"{migration.summary or 'nothing'!r} now: put the change into another, with a "
                    "tag of its own"
                )

        for tag in reversed(applied[len(migrations) :]):
            self._undo(tag)
        for migration in migrations[len(applied) :]:
            undone = self._tags(undone=True)
            if undone and undone[0].tag != migration.tag:
                self._forget(undone)
            self._apply(migration, at_ms)
        return len(applied) > len(migrations)

    def known(self) -> set[str | None]:
        """The tags of the application that are applied, and None. What another one has made sleeps: it
        is of code that was rolled back, and no tag before that one is about it."""
        return {None, *(tag.tag for tag in self._tags())}

    @property
    def newest(self) -> str | None:
        """The tag of the application that was applied last."""
        return next((tag.tag for tag in reversed(self._tags())), None)

    def park(self, record: NamespaceRecord) -> None:
        """Keep a namespace whose class is unknown here."""
        count = self._count(record.number)
        self.records[record.number] = replace(record, state=NamespaceState.PARKED)
        name = record.class_name or record.name
        text = (
            f"{name} is unknown to this code: it is kept with its {objects(count)}, and not served"
        )
        self.steps.append(Step(Action.PARKED, name, text, count))

    def _tags(self, *, undone: bool = False) -> list[AppliedTag]:
        return [tag for tag in self.tags if tag.app == self._app and tag.undone is undone]

    def _forget(self, undone: list[AppliedTag]) -> None:
        """The code went another way after a rollback: what was made behind tags that will not come
        again is as if it had always been there."""
        lost = {tag.tag for tag in undone}
        self.tags = [tag for tag in self.tags if tag not in undone]
        for record in self._live():
            if record.app == self._app and record.since in lost:
                self.records[record.number] = replace(record, since=None)

    def _apply(self, migration: Migration, at_ms: int) -> None:
        for record in self._known():
            if record.app == self._app and (
                record.class_name in migration.deleted_classes
                or record.name in migration.deleted_bindings
            ):
                self._delete(record, migration.tag)
        moved = self._moved(migration)
        self._make_room(moved, migration.tag)
        for record, (app, class_name) in moved:
            since = record.since if record.app == app else migration.tag
            self.records[record.number] = replace(
                record, app=app, class_name=class_name, since=since
            )
            self._say_moved(record, class_name or "", migration.tag)
        applied = self._applied(migration, [record for record, _ in moved], at_ms)
        undone = self._tags(undone=True)
        at = self.tags.index(undone[0]) if undone else len(self.tags)
        self.tags[at : at + 1] = [applied]  # the same tag, if it was applied before

    def _applied(
        self, migration: Migration, moved: Sequence[NamespaceRecord], at_ms: int
    ) -> AppliedTag:
        moves = [
            Move(record.number, record.app, record.class_name, record.since)
            for record in moved
            if record.app != self._app
        ]
        return AppliedTag(
            self._app,
            migration.tag,
            at_ms,
            migration.summary,
            (*migration.deleted_classes, *migration.deleted_bindings),
            tuple(migration.renamed_classes.items()),
            tuple(moves),
        )

    def _moved(self, migration: Migration) -> list[tuple[NamespaceRecord, Identity]]:
        """The namespaces that a migration renames or transfers, and what they become."""
        to: dict[Identity, Identity] = {
            (self._app, old): (self._app, new) for old, new in migration.renamed_classes.items()
        }
        for transfer in migration.transferred_classes:
            to[transfer.from_app, transfer.from_class] = (self._app, transfer.to_class)
        return [
            (record, to[record.app, record.class_name])
            for record in self._known()
            if (record.app, record.class_name) in to
        ]

    def _make_room(self, moved: list[tuple[NamespaceRecord, Identity]], tag: str) -> None:
        """Forget what is empty under the new names. Refused: something is not."""
        moving = {record.number for record, _ in moved}
        targets = {identity for _, identity in moved}
        for record in self._known():
            if record.number in moving or (record.app, record.class_name) not in targets:
                continue

            count = self._count(record.number)
            if count:
                raise Refused(
                    f"the migration {tag} gives the name {record.class_name} to another class, but "
                    f"{record.class_name} has {objects(count)} already: delete them first, by "
                    "deleted_classes in a migration before it, or choose another name"
                )
            del self.records[record.number]

    def _undo(self, tag: AppliedTag) -> None:
        """Take back what a tag did. What it made sleeps from then on: no tag that is left is about it."""
        self.tags[self.tags.index(tag)] = replace(tag, undone=True)
        self.deleted |= dict.fromkeys(tag.deleted, tag.tag)
        before = {new: old for old, new in tag.renamed}
        moves = {move.number: move for move in tag.moves}
        for record in self._known():
            name = record.class_name
            if record.app == self._app and name in before:
                self._restore(replace(record, class_name=before[name]), tag)
        for number, move in moves.items():
            taken = self.records.get(number)
            if taken is not None and taken.state is not NamespaceState.DELETED:
                back = replace(taken, app=move.app, class_name=move.class_name, since=move.since)
                self._restore(back, tag)

    def _restore(self, record: NamespaceRecord, tag: AppliedTag) -> None:
        name = self.records[record.number].class_name or record.name
        self.records[record.number] = record
        text = f"{name} is {record.class_name} again ({tag.tag} is undone)"
        self.steps.append(Step(Action.UNDONE, name, text))

    def _delete(self, record: NamespaceRecord, tag: str) -> None:
        count = self._count(record.number)
        self.records[record.number] = replace(record, state=NamespaceState.DELETED)
        name = record.class_name or record.name
        text = f"{name} is deleted with its {objects(count)} ({tag})"
        self.steps.append(Step(Action.DELETED, name, text, count))

    def _say_moved(self, record: NamespaceRecord, class_name: str, tag: str) -> None:
        if record.app == self._app:
            text = f"{record.class_name} is {class_name} now ({tag})"
            self.steps.append(Step(Action.RENAMED, class_name, text))
        else:
            text = f"{record.class_name} of {record.app} is {class_name} of {self._app} now ({tag})"
            self.steps.append(Step(Action.TRANSFERRED, class_name, text))

    def _live(self) -> list[NamespaceRecord]:
        return [
            record for record in self.records.values() if record.state is not NamespaceState.DELETED
        ]

    def _known(self) -> list[NamespaceRecord]:
        known = self.known()
        return [
            record for record in self._live() if record.app != self._app or record.since in known
        ]
