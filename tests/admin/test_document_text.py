"""What is shown of a document: every root, as what it was used, and no more than fits."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from roomhost.admin import document_text, limits
from roomhost.admin.document_text import describe_document


def shown(doc: Doc[Any]) -> list[tuple[str, str, str]]:
    """Name, kind and text of each root, as described."""
    described = describe_document(doc.get_update())
    return [(text.name, text.kind, text.text) for text in described.texts]


def test_each_root_is_what_it_was_used_as() -> None:
    """Texts, XML, maps and arrays, in order of their names; a text that was emptied is an empty one."""
    doc: Doc[Any] = Doc()
    doc["body"] = Text("Grüße, 🌍")
    doc["cells"] = Array([1, "two"])
    doc["emptied"] = emptied = Text("gone")
    del emptied[0:4]
    doc["page"] = XmlFragment([XmlElement("p", {"class": "x"}, [XmlText("para")])])
    doc["settings"] = Map({"title": "T"})
    assert shown(doc) == [
        ("body", "text", "Grüße, 🌍"),
        ("cells", "array", '[1,"two"]'),
        ("emptied", "text", ""),
        ("page", "XML", '<p class="x">para</p>'),
        ("settings", "map", '{"title":"T"}'),
    ]


def test_a_long_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is one for all roots together, and how long each is stays known."""
    monkeypatch.setattr(limits, "MAX_DOCUMENT_CHARACTERS", 12)
    doc: Doc[Any] = Doc()
    doc["a"] = Text("0123456789")
    doc["b"] = Text("0123456789")
    texts = describe_document(doc.get_update()).texts
    assert [(text.text, text.characters, text.cut) for text in texts] == [
        ("0123456789", 10, False),
        ("01", 10, True),
    ]


def test_many_roots_are_not_all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones, and that there are more."""
    monkeypatch.setattr(limits, "MAX_DOCUMENT_TEXTS", 3)
    doc: Doc[Any] = Doc()
    for number in range(4):
        doc[f"root {number}"] = Text("x")
    described = describe_document(doc.get_update())
    assert [text.name for text in described.texts] == ["root 0", "root 1", "root 2"]
    assert described.more_texts


def test_a_document_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is told, and why there is no text."""
    monkeypatch.setattr(limits, "MAX_READ_DOCUMENT_BYTES", 8)
    doc: Doc[Any] = Doc()
    doc["body"] = Text("a text")
    described = describe_document(doc.get_update())
    assert described.texts == []
    assert described.unread is not None
    assert "at most 8" in described.unread


def test_what_the_library_cannot_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A panic of it ends nothing."""

    def panic(update: bytes) -> None:
        raise BaseException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(document_text, "_texts", panic)
    described = describe_document(b"\0\0")
    assert described.unread is not None
    assert "cannot read it" in described.unread
