"""Editing traces, as josephg/editing-traces publishes them: every keystroke of a text, and its end.

Indexes count code points. The published ones are read from where `EDITING_TRACES` says.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

DIRECTORY = os.environ.get("EDITING_TRACES")


class Patch(NamedTuple):
    """At an index, so many characters go and these come."""

    at: int
    deleted: int
    inserted: str


class Step(NamedTuple):
    """One transaction of one agent, who knew `parents`, indexes of steps, and what they knew."""

    agent: int
    parents: tuple[int, ...]
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Trace:
    """Steps in an order that agrees with what their agents knew, and the text at the end."""

    agents: int
    steps: list[Step]
    end_content: str

    @property
    def ascii(self) -> bool:
        """Whether nothing else was ever inserted, so that an index counts bytes too."""
        return all(patch.inserted.isascii() for step in self.steps for patch in step.patches)


def read_trace(path: Path) -> Trace:
    """A sequential or a concurrent trace, gzipped JSON."""
    with gzip.open(path) as file:
        found = json.load(file)
    steps = [
        Step(
            agent=given.get("agent", 0),
            # The steps of a sequential trace follow one another.
            parents=tuple(given.get("parents", (number - 1,) if number else ())),
            patches=tuple(Patch(*patch[:3]) for patch in given["patches"]),
        )
        for number, given in enumerate(found["txns"])
    ]
    return Trace(found.get("numAgents", 1), steps, found["endContent"])


def published(name: str) -> Path | None:
    """Where a published trace is, if it is here."""
    path = Path(DIRECTORY or "", f"{name}.json.gz")
    return path if DIRECTORY and path.exists() else None
