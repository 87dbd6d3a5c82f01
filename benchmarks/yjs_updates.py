"""Somebody types: the updates of a text, a character each, made once and read by every process."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, cast

import msgspec
import pycrdt

CLIENT = 1  # the Yjs client that types
TEXT = "text"  # the name of the shared text
RUN = 40  # characters between two jumps of the cursor
REACH = 2_000  # characters from the start within which it jumps: looking up a place stays cheap
ALPHABET = "abcdefgh "

new_document: Any = pycrdt.Doc  # whose content has no type of its own


def typed(count: int) -> list[bytes]:
    """`count` insertions of one character, in order; the same ones every time."""
    jumps = random.Random(count)
    updates: list[bytes] = []
    document = new_document(client_id=CLIENT)
    text = document.get(TEXT, type=pycrdt.Text)

    def keep(event: Any) -> None:
        updates.append(event.update)

    kept = document.observe(keep)
    at = 0
    for number in range(count):
        if number % RUN == 0:
            at = jumps.randint(0, min(number, REACH))

        text.insert(at, ALPHABET[number % len(ALPHABET)])
        at += 1

    document.unobserve(kept)
    return updates


def merged(updates: list[bytes]) -> bytes:
    """The state these updates lead to, as one update."""
    document = new_document()
    for update in updates:
        document.apply_update(update)
    return cast("bytes", document.get_update())


def write(path: Path, updates: list[bytes]) -> None:
    """Keep them in a file."""
    path.write_bytes(msgspec.msgpack.encode(updates))


def read(path: Path) -> list[bytes]:
    """The updates in that file."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[bytes])
