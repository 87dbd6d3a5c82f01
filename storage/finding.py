"""What a doctor says of a data directory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much it matters."""

    FINE = "ok"
    NOTE = "note"  # nothing is wrong; it explains something
    WARNING = "warning"  # the host runs, and something should be done
    ERROR = "error"  # the host does not start, or something is lost


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was found, and its `cure`: a line each; a cure is empty where nothing is to be done."""

    level: Level
    what: str
    cure: str = ""


def counted(number: int, one: str, many: str) -> str:
    """A number of things, in words: `1 entry`, `2 entries`."""
    return f"{number:,} {one if number == 1 else many}"
