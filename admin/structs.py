"""What inputs and results of operations have in common."""

from __future__ import annotations

import msgspec


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """The input of an operation: a JSON object; a field that it does not have is refused."""


class ObjectInput(Input, kw_only=True):
    """An object, by its name or by its id."""

    binding: str
    name: str | None = None
    id: str | None = None


class Result(msgspec.Struct, omit_defaults=True):
    """The result of an operation, or a part of one. A field with a default is left out of the JSON
    while it has that value."""


class ObjectResult(Result, kw_only=True):
    """What was done with an object, and which one it is."""

    namespace: str
    id: str
    name: str | None = None


def check_limit(limit: int, most: int) -> int:
    """How many are asked for, at most `most`. ValueError: none or less."""
    if limit < 1:
        raise ValueError(f"limit: from 1 to {most}, not {limit}")

    return min(limit, most)
