"""`Migration`: what one version of an application did to its actor classes, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The objects of a class of another application, in the same data directory, become those of a
    class of this one, with all that they stored."""

    from_app: str
    from_class: str
    to_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of an application's history: `App(migrations=[Migration(tag="v1", ...), ...])`.

    A data directory applies each tag once, in order; never change one that was deployed, add another.
    `new_classes`: said for the reader; a class is made when it is bound. `renamed_classes`: from the
    old name to the new one, whose objects it keeps. `deleted_classes`: their objects are deleted.
    `deleted_bindings`: likewise the objects of one of several bindings over a class.
    `transferred_classes`: taken over from another application.

    The class of a module's objects has the name of their namespace, `"COLLAB.rooms"`.
    ValueError: no tag, or a name that is no name.
    """

    tag: str
    new_classes: tuple[str, ...] = ()
    renamed_classes: Mapping[str, str] = field(default_factory=dict[str, str])
    deleted_classes: tuple[str, ...] = ()
    deleted_bindings: tuple[str, ...] = ()
    transferred_classes: tuple[Transfer, ...] = ()

    def __post_init__(self) -> None:
        if not self.tag:
            raise ValueError("a Migration has a tag: it is applied once for each")

        for name in ("new_classes", "deleted_classes", "deleted_bindings"):
            if isinstance(getattr(self, name), str):
                raise ValueError(f"{name} of the migration {self.tag} is a tuple of names")

        if not isinstance(self.renamed_classes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"renamed_classes of the migration {self.tag} is {{old: new}}")

    @property
    def made(self) -> set[str]:
        """The classes of the application that have objects by this migration."""
        transferred = {transfer.to_class for transfer in self.transferred_classes}
        return {*self.new_classes, *self.renamed_classes.values()} | transferred

    @property
    def summary(self) -> str:
        """What it does to stored objects, in one line; nothing: an empty one."""
        parts = [f"deletes {name}" for name in (*self.deleted_classes, *self.deleted_bindings)]
        parts += [f"renames {old} to {new}" for old, new in self.renamed_classes.items()]
        parts += [
            f"transfers {transfer.from_class} of {transfer.from_app} to {transfer.to_class}"
            for transfer in self.transferred_classes
        ]
        return ", ".join(parts)


def made_by(class_name: str, migrations: Sequence[Migration]) -> str | None:
    """The tag that made a class, by whatever name at first. None: no migration says so."""
    name = class_name
    for migration in reversed(migrations):
        old = next((one for one, new in migration.renamed_classes.items() if new == name), None)
        if old is not None:
            name = old
        elif name in migration.made:
            return migration.tag

    return None


def check_migrations(migrations: Sequence[Migration], classes: Collection[str]) -> None:
    """ValueError: two have the same tag, or one deletes a class that is in `classes`, those that the
    application has."""
    tags = [migration.tag for migration in migrations]
    for tag in tags:
        if tags.count(tag) > 1:
            raise ValueError(f"two migrations have the tag {tag!r}: each has its own")

    gone: dict[str, str] = {}
    for migration in migrations:
        lost = (*migration.deleted_classes, *migration.renamed_classes)
        gone |= dict.fromkeys(lost, migration.tag)
        for name in migration.made:
            gone.pop(name, None)
    for name in classes:
        if name in gone:
            raise ValueError(
                f"the migration {gone[name]} deletes or renames the class {name}, which is bound: "
                "unbind it, or name it in new_classes of a later migration"
            )
