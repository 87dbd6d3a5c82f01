"""What the clients of documents see: the history that `document_checks.py` looks at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Shown:
    """An update of the document was relayed to a client, or acknowledged to who made it."""

    client: str
    update: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A client was refused what it may do, and not because of a trouble that passes. `code`: of a
    close, of an error or of HTTP."""

    client: str
    code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Code asks for the document now; `number` of the reading."""

    number: int


@dataclass(frozen=True, slots=True)
class Found:
    """What it found: the whole document as one update."""

    number: int
    update: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the document in the end; of the host it is called `host`."""

    client: str
    update: bytes


@dataclass(frozen=True, slots=True)
class Aware:
    """Of whom a client knows in the end, by their client ids; and who is there."""

    client: str
    known: dict[int, Any] = field(hash=False)
    expected: dict[int, Any] = field(hash=False)
