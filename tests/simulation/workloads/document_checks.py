"""What a document promises its clients, each promise as a function over what they saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pycrdt import Doc, Map, Text

from roomhost.actors.yjs_guard import check_state_vector

from .document_events import Asked, Aware, Copy, Found, Refused, Shown

Events = Sequence[Any]
Complaints = Iterator[str]


def contains(document: bytes, part: bytes) -> bool:
    """Whether a document has all of another one, deletions too."""
    doc: Doc[Any] = Doc(client_id=1)
    doc.apply_update(document)
    before = doc.get_update()
    doc.apply_update(part)
    return doc.get_update() == before


def nothing_shown_is_lost(events: Events) -> Complaints:
    """Whoever asks finds all that was relayed or acknowledged before, whatever crashed meanwhile."""
    shown: Doc[Any] = Doc(client_id=1)
    before: dict[int, bytes] = {}
    for event in events:
        if isinstance(event, Shown):
            shown.apply_update(event.update)
        elif isinstance(event, Asked):
            before[event.number] = shown.get_update()
        elif isinstance(event, Found):
            if not contains(event.update, before[event.number]):
                yield f"reading {event.number} lacks what was shown before: {_text(event.update)!r}"
            shown.apply_update(event.update)


def documents_converge(events: Events) -> Complaints:
    """In the end all copies are equal."""
    copies = {event.client: event.update for event in events if isinstance(event, Copy)}
    contents = {client: _content(update) for client, update in copies.items()}
    for client, content in contents.items():
        if content != contents["host"]:
            yield f"{client} has {content}, the host {contents['host']}"


def awareness_converges(events: Events) -> Complaints:
    """In the end everybody knows of those who are there, and of nobody else."""
    for event in events:
        if isinstance(event, Aware) and event.known != event.expected:
            yield f"{event.client} knows of {event.known}, there are {event.expected}"


def nothing_refused(events: Events) -> Complaints:
    """Nobody is refused what it may do."""
    for event in events:
        if isinstance(event, Refused):
            yield f"{event.client} was refused: {event.code}"


CHECKS: tuple[Callable[[Events], Complaints], ...] = (
    nothing_shown_is_lost,
    documents_converge,
    awareness_converges,
    nothing_refused,
)


def _text(update: bytes) -> str:
    doc: Doc[Any] = Doc(client_id=1)
    doc.apply_update(update)
    return str(doc.get("text", type=Text))


def _content(update: bytes) -> tuple[str, Any, dict[int, int]]:
    doc: Doc[Any] = Doc(client_id=1)
    doc.apply_update(update)
    entries: Map[Any] = doc.get("map", type=Map)
    text = str(doc.get("text", type=Text))
    return text, entries.to_py(), check_state_vector(doc.get_state())
