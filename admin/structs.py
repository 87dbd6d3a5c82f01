"""What inputs and results of operations have in common."""

from __future__ import annotations

import msgspec


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """The input of an operation: a JSON object; a field that it does not have is refused."""


class Result(msgspec.Struct, omit_defaults=True):
    """The result of an operation, or a part of one. A field with a default is left out of the JSON
    while it has that value."""


def check_limit(limit: int, most: int) -> int:
    """How many are asked for, at most `most`. ValueError: none or less."""
    if limit < 1:
        raise ValueError(f"limit: from 1 to {most}, not {limit}")

    return min(limit, most)
