"""Clients of Yjs without a network: they write into a text, and say what they wrote."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from roomhost.actors.base64_text import decode_base64, encode_base64

MAX_BYTES = 2**30
EMPTY = "AAA="  # the update that says nothing
NOTHING = "AA=="  # the state vector of who has nothing


class Pen:
    """One client. Updates and state vectors are base64."""

    def __init__(self, client_id: int = 1) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self._text: Text = self.doc.get("text", type=Text)
        self._updates: list[bytes] = []
        self._subscription = self.doc.observe(self._observe)

    def __str__(self) -> str:
        return str(self._text)

    def write(self, text: str, index: int | None = None) -> str:
        """Insert at an index, in bytes; at the end if there is none. The update."""
        self._text.insert(len(self._text) if index is None else index, text)
        return self._last()

    def delete(self, start: int, end: int) -> str:
        """Take a piece out. The update."""
        del self._text[start:end]
        return self._last()

    def read(self, update: str) -> Pen:
        """Hear of an update."""
        self.doc.apply_update(decode_base64(update, "update", MAX_BYTES))
        return self

    @property
    def whole(self) -> str:
        """Everything as one update."""
        return encode_base64(self.doc.get_update())

    @property
    def vector(self) -> str:
        """Its state vector."""
        return encode_base64(self.doc.get_state())

    def _last(self) -> str:
        return encode_base64(self._updates[-1])

    def _observe(self, event: TransactionEvent) -> None:
        self._updates.append(event.update)


def text_of(update: str) -> str:
    """What somebody reads who has heard of this update alone."""
    return str(Pen(99).read(update))
