"""What a Yjs document says, as text: each of its roots by name, bounded, from a copy of it."""

from __future__ import annotations

from typing import Any

import msgspec
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from ..actors.live_document import DocumentFailed, trusting
from . import limits


class DocumentText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One root. `kind`: what it was used as. `text`: its characters, XML, or JSON of a map or an
    array; `characters`: of all of it; `cut`: `text` is its beginning."""

    name: str
    kind: str
    characters: int
    text: str
    cut: bool = False


class DocumentInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document. `bytes`: of it as one update. `more_texts`: it has more roots. `unread`: why its
    text is not here."""

    bytes: int
    texts: list[DocumentText] = []
    more_texts: bool = False
    unread: str | None = None


def describe_document(update: bytes) -> DocumentInfo:
    """The document of an update. Takes milliseconds for each 100 KB: to be called in a thread."""
    size = len(update)
    if size > limits.MAX_READ_DOCUMENT_BYTES:
        most = limits.MAX_READ_DOCUMENT_BYTES
        return DocumentInfo(
            bytes=size, unread=f"it has {size} bytes; text is shown of at most {most}"
        )

    try:
        texts, more = trusting(lambda: _texts(update))
    except DocumentFailed as error:
        return DocumentInfo(bytes=size, unread=f"the library cannot read it: {error}")

    return DocumentInfo(bytes=size, texts=texts, more_texts=more)


def _texts(update: bytes) -> tuple[list[DocumentText], bool]:
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    names = sorted(doc.keys())
    found: list[DocumentText] = []
    left = limits.MAX_DOCUMENT_CHARACTERS
    for name in names[: limits.MAX_DOCUMENT_TEXTS]:
        kind, text = _root(doc, name)
        shown = text[:left]
        left -= len(shown)
        found.append(
            DocumentText(
                name=name, kind=kind, characters=len(text), text=shown, cut=len(shown) < len(text)
            )
        )
    return found, len(names) > len(found)


def _root(doc: Doc[Any], name: str) -> tuple[str, str]:
    """What a root was used as, which a document does not say: as what it has something in it."""
    text = str(doc.get(name, type=Text))
    if text:
        return "text", text

    members: Map[Any] = doc.get(name, type=Map)
    if len(members):
        return "map", str(members)

    values: Array[Any] = doc.get(name, type=Array)
    if len(values) and isinstance(values[0], XmlElement | XmlText | XmlFragment):
        return "XML", str(doc.get(name, type=XmlFragment))

    return ("array", str(values)) if len(values) else ("text", "")
