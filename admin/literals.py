"""Stored values as text, and back: Python literals, and calls of the types that have none."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", dict: "{}"}


def literal(value: Any, limit: int) -> tuple[str, bool]:
    """A value as text, at most `limit` characters of it; and whether it was cut there."""
    parts: list[str] = []
    size = 0
    for part in _parts(value, limit):
        parts.append(part)
        size += len(part)
        if size > limit:
            return "".join(parts)[:limit], True

    return "".join(parts), False


def _parts(value: Any, limit: int) -> Iterator[str]:
    """The text of a value in pieces; none is much longer than `limit`."""
    kind = type(cast("object", value))
    if kind is dict:
        yield "{"
        for number, (key, member) in enumerate(cast("dict[object, object]", value).items()):
            yield ", " if number else ""
            yield from _parts(key, limit)
            yield ": "
            yield from _parts(member, limit)
        yield "}"
    elif kind is frozenset:
        yield "frozenset("
        yield from _members(value, "{}", limit) if value else ()
        yield ")"
    elif kind is set and not value:
        yield "set()"
    elif kind in BRACKETS:
        yield from _members(value, BRACKETS[kind], limit)
    else:
        yield _scalar(value, limit)


def _members(values: Iterable[object], brackets: str, limit: int) -> Iterator[str]:
    yield brackets[0]
    number = 0
    for number, member in enumerate(values, 1):
        yield ", " if number > 1 else ""
        yield from _parts(member, limit)
    yield "," if number == 1 and brackets == "()" else ""
    yield brackets[1]


def _scalar(value: Any, limit: int) -> str:
    if isinstance(value, (str, bytes)):
        return repr(value[: limit + 1])

    if isinstance(value, (datetime, date)):
        return f"{type(value).__name__}.fromisoformat({value.isoformat()!r})"

    if isinstance(value, timedelta):
        return repr(value).removeprefix("datetime.")

    if isinstance(value, (Decimal, UUID)):
        return f"{type(value).__name__}({str(value)!r})"

    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"

    if isinstance(value, int) and value.bit_length() > limit:
        return hex(value)  # decimal digits take time in the square of their number

    return repr(value)
