"""Seeds that failed once: a file of `found/` for each, which is run again with every change.

A seed says what runs next only as long as the product takes the same steps. So a story that matters
has a test of its own beside it, which the file names.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "found"


@dataclass(frozen=True)
class Kept:
    """`seeds` of a `workload` that failed; `what` was wrong, in words; `test`: of the story, if it has
    one, as a path and a name from the root of the repository."""

    name: str
    workload: str
    seeds: tuple[int, ...]
    what: str
    test: str | None


def kept(folder: Path = FOLDER) -> list[Kept]:
    """All of them. KeyError: a file lacks a field."""
    found: list[Kept] = []
    for path in sorted(folder.glob("*.toml")):
        fields = tomllib.loads(path.read_text())
        found.append(
            Kept(
                path.stem,
                fields["workload"],
                tuple(fields["seeds"]),
                fields["what"],
                fields.get("test"),
            )
        )
    return found
