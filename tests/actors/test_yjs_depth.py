"""How deep shared types nest: the same as who walks the document sees, and never less."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from roomhost.actors.limits import MAX_TYPE_DEPTH
from roomhost.actors.yjs_depth import TOO_DEEP, Depths
from tests.helpers.yjs_editors import Editor, converge
from tests.helpers.yjs_updates import gap, item, uint
from tests.helpers.yjs_updates import update as written

Id = tuple[int, int]
ANY = b"\x08\x01\x7d\x01"  # the content of one number
ARRAY = b"\x07\x00"


def struct(
    content: bytes,
    *,
    origin: Id | None = None,
    right: Id | None = None,
    parent: Id | str = "r",
) -> bytes:
    """One struct: beside its neighbours, or in its parent."""
    return item(content[0], content[1:], origin=origin, right=right, parent=parent)


def update(*sections: tuple[int, int, list[bytes]]) -> bytes:
    """Client, first clock, and structs of each section."""
    return written(sections)


def model(value: Any, depth: int = 0) -> int:
    """The depth that who walks a shared type sees, it being at `depth`."""
    inner: list[Any] = []
    if isinstance(value, (Text, XmlText)):
        inner = [piece for piece, _ in value.diff()]
    elif isinstance(value, Array):
        inner = list(value)
    elif isinstance(value, Map):
        inner = list(value.values())
    elif isinstance(value, (XmlFragment, XmlElement)):
        inner = list(value.children)
    else:
        return 0
    return max([depth, *(model(entry, depth + 1) for entry in inner)])


def seen(doc: Doc[Any]) -> int:
    """The model of a whole document, whose roots have their types."""
    return max(model(root) for root in doc.values())


def ladder(levels: int) -> list[bytes]:
    """Updates that each nest one level deeper than the last, by another client, beside what the
    last one put in: none names a parent that is a root but the first."""
    steps = [update((1, 0, [struct(ANY)]))]
    for client in range(2, levels + 2):
        last = (client - 1, 0 if client == 2 else 1)
        steps.append(
            update((client, 0, [struct(ARRAY, origin=last), struct(ANY, parent=(client, 0))]))
        )
    return steps


def joined(updates: list[bytes], order: Random) -> bytes:
    """One update of those, which have one section each, in any order."""
    order.shuffle(updates)
    return uint(len(updates)) + b"".join(one[1:-1] for one in updates) + b"\x00"


def test_who_nests_step_by_step_is_seen() -> None:
    """65 levels, each through an origin of another client, in updates of 20 bytes."""
    depths = Depths()
    steps = ladder(MAX_TYPE_DEPTH + 1)
    assert [depths.add(step) for step in steps] == list(range(MAX_TYPE_DEPTH + 2))
    assert max(map(len, steps)) < 20
    assert depths.add(ladder(MAX_TYPE_DEPTH + 2)[-1]) == TOO_DEEP


@given(levels=st.integers(1, 80), order=st.randoms(use_true_random=False))
def test_in_one_update_in_any_order(levels: int, order: Random) -> None:
    """The same, at once, with the sections shuffled; pycrdt sees the same."""
    together = joined(ladder(levels), order)
    assert Depths().add(together) == min(levels, TOO_DEEP)
    doc: Doc[Any] = Doc()
    doc.apply_update(together)
    assert model(doc.get("r", type=Array)) == levels


def test_a_section_may_go_on_when_another_has_caught_up() -> None:
    """Two clients build on each other in turns, so neither section can be taken first."""
    one, two = [struct(ANY)], [struct(ANY, origin=(1, 0))]
    for turn in range(10):
        clock = 2 * turn
        one += [struct(ARRAY, origin=(2, clock)), struct(ANY, parent=(1, clock + 1))]
        two += [struct(ARRAY, origin=(1, clock + 2)), struct(ANY, parent=(2, clock + 1))]
    assert Depths().add(update((1, 0, one), (2, 0, two))) == 20
    assert Depths().add(update((2, 0, two), (1, 0, one))) == 20


@pytest.mark.parametrize(
    "bad",
    [
        update((1, 0, [struct(ARRAY, origin=(9, 0))])),
        update((1, 0, [struct(ARRAY, right=(9, 0))])),
        update((1, 0, [struct(ARRAY, parent=(9, 0))])),
        update((1, 0, [struct(ARRAY, parent=(1, 0))])),
        update((1, 0, [struct(ANY), struct(ARRAY, origin=(1, 0), right=(1, 7))])),
        update((1, 0, [struct(ANY, origin=(9, 0)), struct(ARRAY, origin=(1, 0))])),
        update((1, 0, [gap(5, 10), struct(ARRAY, origin=(1, 2))])),
        update((1, 0, [struct(ANY, origin=(2, 0))]), (2, 0, [struct(ANY, origin=(1, 0))])),
        b"",
        b"\x01",
        b"\x01\x01\x01\x00\x08",
        b"\x02\x01\x01\x00\x08",
    ],
)
def test_what_is_unknown_counts_as_too_deep(bad: bytes) -> None:
    """A neighbour or a parent that was never there, or comes later, or waits for it; no update."""
    assert Depths().add(bad) == TOO_DEEP


def test_only_a_type_counts() -> None:
    """A text beside what is unknown is no deeper than without; a type beside it is."""
    depths = Depths()
    assert depths.add(update((1, 0, [struct(ANY, origin=(9, 0))]))) == 0
    assert depths.add(update((2, 0, [struct(ARRAY, origin=(1, 0))]))) == TOO_DEEP
    assert depths.add(b"\x00\x00") == 0


def test_what_came_ahead_of_something_missing_is_known_from_the_whole() -> None:
    """yrs does not tell of it; a new measure of the document does, and takes the rest later."""
    updates: list[bytes] = []
    author: Doc[Any] = Doc(client_id=5)
    author.observe(lambda event: updates.append(event.update))
    shared: Any = author.get("r", type=Map)
    shared["a"] = Map({"b": Map()})
    shared["c"] = 1
    shared["d"] = Map()
    doc: Doc[Any] = Doc(client_id=6)
    doc.apply_update(updates[0])
    doc.apply_update(updates[2])
    depths = Depths()
    assert depths.add(doc.get_update()) == 2
    inside = update((7, 0, [struct(ARRAY, parent=(5, 3))]))
    assert depths.add(inside) == 2
    assert depths.add(updates[1]) == 0
    assert depths.add(update((7, 1, [struct(ARRAY, origin=(5, 2))]))) == 1


def test_a_collected_neighbour_does_not_hide_the_other() -> None:
    """yrs takes the right neighbour's place if the left one is collected: so does the measure, also
    if it still knows where the left one was."""
    deep = ladder(60)
    collected = update((90, 0, [gap(), struct(ANY)]))
    for left in ((90, 0), (90, 1)):
        depths = Depths()
        for step in [*deep, collected]:
            depths.add(step)
        assert depths.add(update((91, 0, [struct(ARRAY, origin=left, right=(61, 1))]))) == 61
    assert depths.add(update((92, 0, [struct(ARRAY, origin=(90, 0))]))) == 0
    assert depths.add(update((93, 0, [struct(ARRAY, parent=(90, 0))]))) == 0
    assert depths.add(update((93, 1, [struct(ARRAY, parent=(92, 0))]))) == 0


def test_a_clock_is_not_believed_twice() -> None:
    """Who tells a struct again, in another place, changes nothing; what is new behind it counts."""
    depths = Depths()
    for step in ladder(3):
        depths.add(step)
    depths.add(update((4, 0, [struct(ARRAY), struct(b"\x08\x02\x7d\x01\x7d\x01", origin=(4, 0))])))
    assert depths.add(update((9, 0, [struct(ARRAY, origin=(4, 1))]))) == 4
    assert depths.add(update((9, 1, [struct(ARRAY, origin=(4, 2))]))) == 3


@given(seed=st.integers(0, 2**32), group=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_what_editors_make_is_as_deep_as_it_is_seen(seed: int, group: int) -> None:
    """After each update at least what is seen; nothing is unknown; at once the same as one by one,
    but for what was collected."""
    random = Random(seed)
    editors = [Editor(client, random) for client in (7, 2**35, 3)[:group]]
    depths, deepest = Depths(), 0
    updates: list[bytes] = []
    editors[0].doc.observe(lambda event: updates.append(event.update))
    for _ in range(8):
        for editor in editors:
            editor.edit(3)
        converge(*editors)
        deepest = max([deepest, *map(depths.add, updates)])
        updates.clear()
        whole = Depths().add(editors[0].state())
        assert seen(editors[0].doc) <= whole <= deepest < TOO_DEEP


@given(levels=st.integers(1, 40), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_types_of_every_kind(levels: int, seed: int) -> None:
    """Lists in maps in lists, elements in elements: exactly as deep as the walk sees."""
    random = Random(seed)
    doc: Doc[Any] = Doc(client_id=random.randrange(2**53))
    depths = Depths()
    found = [0]
    doc.observe(lambda event: found.append(depths.add(event.update)))
    shared: Any = doc.get("root", type=Array)
    xml: Any = doc.get("xml", type=XmlFragment)
    for _ in range(levels):
        inner: Any = random.choice((Array, Map))()
        if isinstance(shared, Map):
            shared["key"] = 1
            shared["key"] = inner
        else:
            shared.extend(["before", inner, "after"])
        shared = inner
        element = xml.children.append(XmlElement("p"))
        xml.children.append("text")
        xml = element
    assert max(found) == seen(doc) == Depths().add(doc.get_update()) == levels
