"""The programs in files: those written by hand, and those that a random run has found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WRITTEN = HERE / "programs"
FOUND = HERE / "found"
WIDTH = 96


def program_files() -> list[Path]:
    """Every program file there is."""
    return sorted((*WRITTEN.glob("*.json"), *FOUND.glob("*.json")))


def load(path: Path) -> dict[str, Any]:
    """The program in a file."""
    program: dict[str, Any] = json.loads(path.read_text())
    return program


def written(program: dict[str, Any]) -> str:
    """A program as text for a file: what fits in a line is one line."""
    return _text(program, 0) + "\n"


def _text(value: Any, indent: int) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, list | dict) or not value or indent + len(line) <= WIDTH:
        return line

    inner = indent + 2
    if isinstance(value, list):
        opening, closing, members = "[", "]", [_text(each, inner) for each in value]
    else:
        opening, closing = "{", "}"
        members = [f"{json.dumps(key)}: {_text(each, inner)}" for key, each in value.items()]
    joined = (",\n" + " " * inner).join(members)
    return f"{opening}\n{' ' * inner}{joined}\n{' ' * indent}{closing}"
