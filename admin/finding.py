"""What a check says: one line for each finding, and what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How bad a finding is. An error is what a host would not start with, or not serve."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """`topic`: a setting, or a part of the host. `message`: one line, with the cure; no secret."""

    level: Level
    topic: str
    message: str


def ok(topic: str, message: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, topic, message)


def warning(topic: str, message: str) -> Finding:
    """It would start, but somebody should look at it."""
    return Finding(Level.WARNING, topic, _line(message))


def error(topic: str, message: str) -> Finding:
    """It would not start."""
    return Finding(Level.ERROR, topic, _line(message))


def _line(message: str) -> str:
    return " ".join(message.split())
