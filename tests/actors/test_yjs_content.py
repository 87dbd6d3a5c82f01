"""What a document shows: everything of it, the same for the same, another for another."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from roomhost.actors.yjs_content import content
from tests.helpers.yjs_updates import gap, item, update

NAN = b"\x01\x7b\x7f\xf8\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x01\x02\x03",
        update([(1, 0, [item(7, b"\x00", parent="r"), item(4, b"\x02ab", parent=(1, 0))])]),
        update([(1, 0, [item(7, b"\x04", parent="r"), item(5, b"\x011", parent=(1, 0))])]),
        update(
            [(1, 0, [item(7, b"\x03\x01p", parent="r"), item(6, b"\x01b\x011", parent=(1, 0))])]
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(bad: bytes) -> None:
    """No update, or a list, a fragment or an element with text, an object or a format in it."""
    with pytest.raises(ValueError, match=r"update|text"):
        content(bad)


def test_all_roots_are_shown() -> None:
    """Each as what it holds, nested types with all of theirs; an empty one is not there."""
    doc: Doc[Any] = Doc()
    text = doc.get("text", type=Text)
    text += "plain bold"
    text.format(6, 10, {"bold": True})
    text.insert_embed(0, {"image": 1})
    doc.get("list", type=Array).extend([1, "x", None, [True], Array([Text("in")]), Map({"k": 2})])
    shared: Any = doc.get("map", type=Map)
    shared["text"] = Text("in a map")
    shared["part"] = XmlFragment([XmlElement("b")])
    element: Any = doc.get("xml", type=XmlFragment).children.append(XmlElement("p", {"id": "1"}))
    inner = element.children.append(XmlText("in XML"))
    inner.format(0, 2, {"i": True})
    inner.attributes["lang"] = "en"
    doc.get("empty", type=Map)
    doc.get("gone", type=Text).insert(0, "gone")
    doc.get("gone", type=Text).clear()
    assert content(doc.get_update()) == {
        "text": (
            [({"image": "1.0"}, None), ("plain ", None), ("bold", {"bold": "True"})],
            {},
        ),
        "list": (
            [
                "1.0",
                "x",
                None,
                ["True"],
                ("Array", [("Text", [("in", None)])]),
                ("Map", {"k": "2.0"}),
            ],
            {},
        ),
        "map": (
            [],
            {
                "text": ("Text", [("in a map", None)]),
                "part": ("XmlFragment", {}, [("b", {}, [])]),
            },
        ),
        "xml": (
            [
                (
                    "p",
                    {"id": "1"},
                    [("XmlText", {"lang": "en"}, [("in", {"i": "True"}), (" XML", None)])],
                )
            ],
            {},
        ),
    }


def test_it_is_the_same_whoever_wrote_it() -> None:
    """In one piece or in many, by others, in another order."""
    one: Doc[Any] = Doc(client_id=1)
    one.get("text", type=Text).insert(0, "hello")
    one.get("map", type=Map).update({"a": 1, "b": 2})
    two: Doc[Any] = Doc(client_id=2)
    two.get("text", type=Text).insert(0, "ho")
    three: Doc[Any] = Doc(client_id=3)
    three.get("map", type=Map).update({"b": 3, "a": 1})
    three.get("map", type=Map)["b"] = 2
    three.apply_update(two.get_update())
    three.get("text", type=Text).insert(1, "ell")
    assert content(one.get_update()) == content(three.get_update())


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, "1"), (None, 0), ([], {})])
def test_values_of_another_kind_differ(one: Any, other: Any) -> None:
    """Also where Python takes them as equal; a number that is none is itself."""
    assert shown(one) != shown(other)
    assert shown(one) == shown(one)
    none = update([(1, 0, [item(8, NAN, parent="r")])])
    assert content(none) == content(none)


def shown(value: Any) -> dict[str, Any]:
    """What a list with one value shows."""
    doc: Doc[Any] = Doc()
    doc.get("list", type=Array).append(value)
    return content(doc.get_update())


def test_a_subdocument_is_its_id() -> None:
    """What is in it is a document of its own."""
    doc: Doc[Any] = Doc()
    doc.get("list", type=Array).append(Doc({"text": Text("inner")}, guid="inner"))
    assert content(doc.get_update()) == {"list": ([("Doc", "inner")], {})}


def test_what_is_collected_hides_nothing() -> None:
    """Text beside what is collected is nowhere, and the root is what else it holds."""
    data = update(
        [(1, 0, [gap(), item(4, b"\x01a", origin=(1, 0)), item(8, b"\x01\x78", parent="r")])]
    )
    assert content(data) == {"r": (["True"], {})}
