"""Which stored objects an application's classes get: decided by pure code, beside a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.bindings.migration import Migration, Transfer, check_migrations
from roomhost.bindings.migrations import plan_migrations
from roomhost.runtime import DurableObject
from roomhost.runtime.application import NamespaceDeclaration
from roomhost.runtime.plan import Action, Plan
from roomhost.storage import Catalogue, NamespaceRecord, NamespaceState


@dataclass
class Directory:
    """A data directory as far as a plan sees it: what each namespace holds, by number."""

    recorded: Catalogue = field(default_factory=Catalogue)
    stored: dict[int, set[str]] = field(default_factory=dict)
    app: str = "demo"

    def plan(self, bindings: dict[str, str], migrations: Sequence[Migration] = ()) -> Plan:
        """The plan for an application with these classes by binding."""
        return plan_migrations(
            self.recorded,
            self.app,
            declared(bindings, self.app),
            migrations,
            lambda number: len(self.stored.get(number, ())),
            at_ms=7,
        )

    def deploy(self, bindings: dict[str, str], migrations: Sequence[Migration] = ()) -> Plan:
        """Do what the plan says, the deletion too."""
        plan = self.plan(bindings, migrations)
        assert plan.refusal is None, plan.refusal
        kept = [
            record
            for record in plan.catalogue.namespaces
            if record.state is not NamespaceState.DELETED
        ]
        names = [record.name for record in plan.catalogue.namespaces]
        assert len(set(names)) == len(names)
        before = {record.number: record.unique_key for record in self.recorded.namespaces}
        assert all(before.get(one.number, one.unique_key) == one.unique_key for one in kept)
        self.recorded = replace(plan.catalogue, namespaces=tuple(kept))
        self.stored = {record.number: self.stored.get(record.number, set()) for record in kept}
        self.numbers = dict(plan.numbers)
        return plan

    def put(self, binding: str, value: str) -> None:
        """Store an object."""
        self.stored[self.numbers[binding]].add(value)

    def get(self, binding: str) -> set[str]:
        """The objects that a binding reaches."""
        return self.stored[self.numbers[binding]]


def declared(bindings: dict[str, str], app: str = "demo") -> list[NamespaceDeclaration]:
    """Classes by binding; a module's have a dot in their name."""
    return [
        NamespaceDeclaration(binding, f"{app}/{binding}", type(class_name, (DurableObject,), {}))
        for binding, class_name in bindings.items()
    ]


def actions(plan: Plan) -> list[Action]:
    """What a plan does."""
    return [step.action for step in plan.steps]


RENAMED = Migration(tag="v2", renamed_classes={"Counter": "Tally"})
V1 = Migration(tag="v1", new_classes=("Counter",))


@pytest.fixture
def directory() -> Directory:
    """One with an object of a class."""
    directory = Directory()
    directory.deploy({"COUNTER": "Counter"}, [V1])
    directory.put("COUNTER", "a")
    return directory


def test_a_class_that_is_gone_is_refused_with_the_line_that_cures_it(directory: Directory) -> None:
    """It names the class and how many objects it has; the rest of the plan goes by names."""
    plan = directory.plan({"TALLY": "Tally"}, [V1])
    assert plan.refusal == (
        "the class Counter has 1 object here and is in the App no more: add "
        'Migration(tag="v2", renamed_classes={"Counter": "Tally"}), if Tally is its new name, or '
        'Migration(tag="v2", deleted_classes=("Counter",)), which deletes them, to its migrations'
    )
    assert plan.numbers == {"TALLY": 2}
    assert [record.number for record in plan.catalogue.namespaces] == [1, 2]
    assert directory.plan({"COUNTER": "Tally"}, [V1]).numbers == {"COUNTER": 1}
    refusal = directory.plan({}, [V1]).refusal
    assert refusal is not None
    assert "renamed" not in refusal


def test_an_empty_class_goes_and_comes_as_it_likes() -> None:
    """Nothing is lost with it; its place may be of another class."""
    directory = Directory()
    directory.deploy({"COUNTER": "Counter"})
    assert directory.deploy({"COUNTER": "Tally"}).numbers == {"COUNTER": 1}
    assert directory.deploy({}).steps == ()
    assert actions(directory.deploy({"OTHER": "Room"})) == [Action.NEW]


def test_data_follows_the_class_when_its_binding_is_renamed(directory: Directory) -> None:
    """And swapped bindings are swapped sets."""
    plan = directory.deploy({"C": "Counter", "COUNTER": "Other"}, [V1])
    assert sorted(map(str, actions(plan))) == ["Action.BOUND", "Action.NEW"]
    assert directory.get("C") == {"a"}
    directory.put("COUNTER", "b")
    directory.deploy({"C": "Other", "COUNTER": "Counter"}, [V1])
    assert (directory.get("C"), directory.get("COUNTER")) == ({"b"}, {"a"})


def test_two_bindings_over_one_class_are_told_apart_by_name(directory: Directory) -> None:
    """One renamed is clear, two are not; then `unique_keys` says which is which."""
    directory.deploy({"COUNTER": "Counter", "B": "Counter"}, [V1])
    directory.put("B", "b")
    directory.deploy({"COUNTER": "Counter", "C": "Counter"}, [V1])
    assert (directory.get("COUNTER"), directory.get("C")) == ({"a"}, {"b"})
    refusal = directory.plan({"D": "Counter", "E": "Counter"}, [V1]).refusal
    assert refusal == (
        "the class Counter is bound as D and E, but has objects of COUNTER and C: say which is which by "
        'unique_keys of the App, as in unique_keys={"D": "demo/COUNTER"}'
    )
    named = [
        NamespaceDeclaration("D", "demo/B", type("Counter", (DurableObject,), {})),
        NamespaceDeclaration("E", "demo/COUNTER", type("Counter", (DurableObject,), {})),
    ]
    plan = plan_migrations(directory.recorded, "demo", named, [V1], lambda _: 1, 7)
    assert plan.refusal is None
    assert plan.numbers == {"D": 2, "E": 1}


def test_one_of_two_bindings_goes_only_by_name(directory: Directory) -> None:
    """Its class is still there: the cure names the binding."""
    directory.deploy({"COUNTER": "Counter", "B": "Counter"}, [V1])
    directory.put("B", "b")
    refusal = directory.plan({"COUNTER": "Counter"}, [V1]).refusal
    assert refusal == (
        "the binding B has 1 object here and is in the App no more: bind it again, or add "
        'Migration(tag="v2", deleted_bindings=("B",)) to its migrations, which deletes them'
    )
    plan = directory.deploy(
        {"COUNTER": "Counter"}, [V1, Migration(tag="v2", deleted_bindings=("B",))]
    )
    assert plan.deletes
    assert directory.get("COUNTER") == {"a"}


def test_a_module_keeps_its_objects_whatever_it_is_bound_as(directory: Directory) -> None:
    """What their ids derive from is its own; its classes have the names of their namespaces."""

    def module(binding: str) -> list[NamespaceDeclaration]:
        actor = type("Room", (DurableObject,), {})
        return [NamespaceDeclaration(f"{binding}.rooms", '["realtime","rooms"]', actor)]

    plan = plan_migrations(Catalogue(), "demo", module("COLLAB"), (), lambda _: 0, 7)
    assert plan.catalogue.namespaces[0].class_name == "COLLAB.rooms"
    plan = plan_migrations(plan.catalogue, "demo", module("LIVE"), (), lambda _: 9, 7)
    assert (plan.refusal, plan.numbers) == (None, {"LIVE.rooms": 1})


def test_a_renamed_class_keeps_its_objects_and_a_rollback_takes_it_back(
    directory: Directory,
) -> None:
    """Each tag is applied once."""
    plan = directory.deploy({"COUNTER": "Tally"}, [V1, RENAMED])
    assert [step.text for step in plan.steps] == ["Counter is Tally now (v2)"]
    assert directory.deploy({"COUNTER": "Tally"}, [V1, RENAMED]).steps == ()
    assert [(tag.tag, tag.at_ms) for tag in directory.recorded.tags] == [("v1", 7), ("v2", 7)]
    plan = directory.deploy({"COUNTER": "Counter"}, [V1])
    assert [step.text for step in plan.steps] == ["Tally is Counter again (v2 is undone)"]
    assert [tag.undone for tag in directory.recorded.tags] == [False, True]
    assert directory.get("COUNTER") == {"a"}


def test_a_rename_onto_objects_is_refused(directory: Directory) -> None:
    """One of the two sets would be lost."""
    directory.deploy({"COUNTER": "Counter", "TALLY": "Tally"}, [V1])
    directory.put("TALLY", "t")
    refusal = directory.plan({"TALLY": "Tally"}, [V1, RENAMED]).refusal
    assert refusal is not None
    assert "Tally has 1 object already" in refusal


def test_a_deleted_class_is_deleted_once_and_empty_after_a_rollback(directory: Directory) -> None:
    """The plan says both."""
    gone = [V1, Migration(tag="v2", deleted_classes=("Counter",))]
    plan = directory.plan({"ROOM": "Room"}, gone)
    assert plan.deletes
    assert "Counter is deleted with its 1 object (v2)" in [step.text for step in plan.steps]
    directory.deploy({"ROOM": "Room"}, gone)
    directory.put("ROOM", "r")
    plan = directory.deploy({"COUNTER": "Counter"}, [V1])
    assert {step.text for step in plan.steps} == {
        "Counter starts empty: v2 has deleted its objects",
        "Room is unknown to this code: it is kept with its 1 object, and not served",
    }
    assert directory.get("COUNTER") == set()
    plan = directory.deploy({"ROOM": "Room"}, gone)
    assert Action.SERVED in actions(plan)
    assert directory.get("ROOM") == {"r"}


def test_tags_that_went_another_way_are_refused(directory: Directory) -> None:
    """By tag, and by what a tag says."""
    directory.deploy({"COUNTER": "Tally"}, [V1, RENAMED])
    other = Migration(tag="v2b")
    refusal = directory.plan({"COUNTER": "Tally"}, [V1, other]).refusal
    assert refusal is not None
    assert "has the migration v2 where the App has v2b" in refusal
    refusal = directory.plan({"COUNTER": "Tally"}, [V1, Migration(tag="v2")]).refusal
    assert refusal is not None
    assert "applied as 'renames Counter to Tally' and says 'nothing' now" in refusal


def test_a_rollback_that_goes_another_way_can_take_what_was_parked(directory: Directory) -> None:
    """By the name of its class."""
    directory.deploy({"COUNTER": "Counter", "ROOM": "Room"}, [V1, Migration(tag="v2")])
    directory.put("ROOM", "r")
    directory.deploy({"COUNTER": "Counter"}, [V1])
    directory.deploy({"COUNTER": "Counter", "R": "Room"}, [V1, Migration(tag="other")])
    assert directory.get("R") == {"r"}


def test_another_application_takes_a_class_over_only_by_a_transfer(directory: Directory) -> None:
    """With other classes the two live side by side; a rollback gives it back."""
    directory.app = "next"
    assert directory.plan({"ROOM": "Room"}).refusal is None
    for bindings in ({"COUNTER": "Room"}, {"X": "Counter"}):
        refusal = directory.plan(bindings).refusal
        assert refusal is not None
        assert 'Transfer(from_app="demo", from_class="Counter", to_class="Counter")' in refusal
    transfer = Transfer(from_app="demo", from_class="Counter", to_class="Mine")
    moved = Migration(tag="v9", transferred_classes=(transfer,))
    plan = directory.deploy({"X": "Mine"}, [moved])
    assert plan.steps[0].text == "Counter of demo is Mine of next now (v9)"
    assert directory.get("X") == {"a"}
    directory.deploy({}, [])
    directory.app = "demo"
    directory.deploy({"COUNTER": "Counter"}, [V1])
    assert directory.get("COUNTER") == {"a"}


def test_what_an_older_version_stored_is_of_the_class_it_is_bound_to() -> None:
    """It recorded none."""
    directory = Directory(Catalogue((NamespaceRecord(4, "COUNTER", "key"),)), {4: {"a"}})
    refusal = directory.plan({"OTHER": "Other"}).refusal
    assert refusal is not None
    assert "the binding COUNTER has 1 object" in refusal
    directory.deploy({"COUNTER": "Counter"})
    assert directory.get("COUNTER") == {"a"}
    assert directory.recorded.namespaces[0].class_name == "Counter"


@pytest.mark.parametrize(
    ("migrations", "message"),
    [
        ([V1, V1], "two migrations have the tag 'v1'"),
        (
            [V1, Migration(tag="v2", deleted_classes=("Counter",))],
            "migration v2 deletes or renames",
        ),
        ([V1, RENAMED], "migration v2 deletes or renames the class Counter"),
    ],
)
def test_an_app_with_migrations_that_contradict_it_cannot_be(
    migrations: list[Migration], message: str
) -> None:
    """A later `new_classes` says that another class of that name is meant."""
    with pytest.raises(ValueError, match=message):
        check_migrations(migrations, {"Counter"})
    check_migrations(
        [V1, RENAMED, Migration(tag="v3", new_classes=("Counter",))], {"Counter", "Tally"}
    )


@pytest.mark.parametrize("fields", [{"tag": ""}, {"tag": "a", "deleted_classes": "Old"}])
def test_a_migration_is_checked_when_it_is_made(fields: dict[str, str]) -> None:
    """A text is not a tuple of names."""
    with pytest.raises(ValueError, match=r"Migration has a tag|is a tuple of names"):
        Migration(**fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@dataclass
class Version:
    """One version of an application. `sets`: which set of the model each binding reaches."""

    bindings: dict[str, str] = field(default_factory=dict)
    sets: dict[str, int] = field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    deletes: frozenset[int] = frozenset()


@st.composite
def histories(draw: st.DrawFn) -> list[Version]:
    """Versions, each with one change more than the one before."""
    versions = [Version()]
    fresh = 0
    for index in range(draw(st.integers(2, 8))):
        last = versions[-1]
        bindings, sets = dict(last.bindings), dict(last.sets)
        changes: dict[str, object] = {}
        deletes: frozenset[int] = frozenset()
        kinds = ["add", "add"] + ["rename", "delete", "rebind"] * bool(bindings)
        kind = draw(st.sampled_from(kinds))
        unused = [name for name in "ABCDEF" if name not in bindings.values()]
        places = [name for name in ("P", "Q", "R", "S", "T", "U") if name not in bindings]
        if kind == "add" and places and unused:
            place, name = draw(st.sampled_from(places)), draw(st.sampled_from(unused))
            bindings[place], sets[place] = name, fresh
            fresh += 1
            changes["new_classes"] = (name,)
        elif kind == "rename" and bindings and unused:
            place = draw(st.sampled_from(sorted(bindings)))
            new = draw(st.sampled_from(unused))
            changes["renamed_classes"] = {bindings[place]: new}
            bindings[place] = new
        elif kind == "delete" and bindings:
            place = draw(st.sampled_from(sorted(bindings)))
            deletes = frozenset((sets.pop(place),))
            changes["deleted_classes"] = (bindings.pop(place),)
        elif kind == "rebind" and bindings and places:
            old, new = draw(st.sampled_from(sorted(bindings))), draw(st.sampled_from(places))
            bindings[new], sets[new] = bindings.pop(old), sets.pop(old)
        migration = Migration(tag=f"v{index}", **changes)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        versions.append(Version(bindings, sets, (*last.migrations, migration), deletes))
    return versions


@settings(max_examples=150)
@given(versions=histories(), data=st.data())
def test_any_way_through_a_history_loses_nothing(
    versions: list[Version], data: st.DataObject
) -> None:
    """Forwards and back: each version finds what was stored in its sets, by whatever version, but for
    those that a migration on the way has deleted."""
    directory, model, at = Directory(), dict[int, set[str]](), 0
    for step in range(data.draw(st.integers(1, 8))):
        to = data.draw(st.integers(0, len(versions) - 1))
        version = versions[to]
        for passed in versions[at + 1 : to + 1]:
            for number in passed.deletes:
                model.pop(number, None)
        directory.deploy(version.bindings, version.migrations)
        at = to
        for binding, number in version.sets.items():
            assert directory.get(binding) == model.get(number, set())
            if data.draw(st.booleans()):
                directory.put(binding, str(step))
                model.setdefault(number, set()).add(str(step))
