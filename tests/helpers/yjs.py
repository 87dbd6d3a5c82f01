"""Yjs updates for tests, made by pycrdt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycrdt import Array, Doc, Text


def updates_of(change: Callable[[Doc[Any]], None], client_id: int = 1) -> list[bytes]:
    """What a change of a new document is made of, one for each transaction."""
    doc: Doc[Any] = Doc(client_id=client_id)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    change(doc)
    return updates


def typed(text: str, client_id: int = 1) -> list[bytes]:
    """The updates of the root `text`, typed letter by letter."""

    def change(doc: Doc[Any]) -> None:
        pad = doc.get("text", type=Text)
        for letter in text:
            pad += letter

    return updates_of(change, client_id)


def nested(depth: int) -> list[bytes]:
    """The updates of arrays within arrays in the root `list`, one an update."""

    def change(doc: Doc[Any]) -> None:
        inner = doc.get("list", type=Array)
        for _ in range(depth):
            inner.append(Array())
            inner = inner[0]

    return updates_of(change)


def text_of(update: bytes) -> str:
    """The root `text` of a document given as an update."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    return str(doc.get("text", type=Text))
