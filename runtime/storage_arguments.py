"""What a storage call is given, checked and made into what is stored: pure functions."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..storage import decode, encode, encode_user_key, prefix_end
from ..storage.limits import DEFAULT_ENTRY_LIMITS, EntryLimits
from .errors import DurableObjectError, LimitError
from .limits import MAX_ALARM_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first key, the one behind the last, and how many of `list`.
Wanted: TypeAlias = tuple[bytes | None, bytes | None, int | None]
WRONG_PUT = (
    "put() may only be called with a single key-value pair and optional options as "
    "put(key, value) or with multiple key-value pairs as put({key: value})"
)


def key_bytes(key: object, limits: EntryLimits) -> bytes:
    """A user's key as stored. TypeError: neither str nor int. ValueError: over the limit."""
    return encode_user_key(str(key) if type(key) is int else cast("str", key), limits.key_bytes)


def keys_of(operation: str, keys: object) -> Iterable[object]:
    """Several keys. TypeError: what came is no collection of keys."""
    if isinstance(keys, (list, tuple, set, frozenset)):
        return cast("Iterable[object]", keys)

    raise TypeError(f"{operation}() takes a key or a list of keys, not {type(keys).__name__}")


def entry_bytes(key: bytes, value: object, limits: EntryLimits) -> bytes:
    """A value as stored under `key`. LimitError: both together are over the limit."""
    data = encode(value)
    if len(key) + len(data) > limits.entry_bytes:
        raise LimitError(
            f"Values cannot be larger than {limits.entry_bytes} bytes, key included. "
            f"A value of size {len(data)} was provided for a key of size {len(key)}."
        )

    return data


def members_of(members: object, limits: EntryLimits) -> list[tuple[bytes, bytes]]:
    """The entries of the mapping form of `put`, checked before any of them is written."""
    if not isinstance(members, dict):
        raise TypeError(WRONG_PUT)

    entries: list[tuple[bytes, bytes]] = []
    for key, member in cast("dict[object, object]", members).items():
        encoded = key_bytes(key, limits)
        entries.append((encoded, entry_bytes(encoded, member, limits)))
    return entries


def value_of(key: bytes, data: bytes) -> Any:
    """A stored value, a fresh copy. DurableObjectError: it cannot be read; the key is named."""
    try:
        return decode(data)
    except ValueError as error:
        raise DurableObjectError(
            f"the stored value of key {key.decode()!r} is damaged: {error}"
        ) from error


def wanted_entries(
    start: str | None,
    start_after: str | None,
    end: str | None,
    prefix: str | None,
    limit: int | None,
    limits: EntryLimits,
) -> Wanted:
    """What the options of `list` ask for."""
    first, last = list_bounds(start, start_after, end, prefix, limits)
    return first, last, None if limit is None else list_limit(limit)


def list_bounds(
    start: str | None,
    start_after: str | None,
    end: str | None,
    prefix: str | None,
    limits: EntryLimits = DEFAULT_ENTRY_LIMITS,
) -> tuple[bytes | None, bytes | None]:
    """The range that `list` options name: from the first key, up to and without the last."""
    if start is not None and start_after is not None:
        raise TypeError("list() cannot be called with both start and startAfter values.")

    first = key_bytes(start, limits) if start is not None else None
    if start_after is not None:
        first = key_bytes(start_after, limits) + b"\0"
    last = key_bytes(end, limits) if end is not None else None
    if prefix:
        lowest = key_bytes(prefix, limits)
        highest = prefix_end(lowest)
        first = lowest if first is None else max(first, lowest)
        if highest is not None:
            last = highest if last is None else min(last, highest)
    return first, last


def list_limit(limit: object) -> int:
    """The `limit` of `list`, a fraction cut off. TypeError: it is not positive (5.4)."""
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not limit >= 1:
        raise TypeError("List limit must be positive.")

    return int(min(limit, 2**63 - 1))


def alarm_time(when: object) -> int:
    """A time for the alarm, in whole milliseconds since the epoch. TypeError as in 6.1."""
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise TypeError("setAlarm() takes an aware datetime: this one has no tzinfo")
        when = when.timestamp() * 1000
    if isinstance(when, bool) or not isinstance(when, (int, float)):
        raise TypeError(f"setAlarm() was called with {when!r}, which is not a valid Date.")

    if isinstance(when, float) and not math.isfinite(when):
        raise TypeError(f"setAlarm() was called with {when!r}, which is not a valid Date.")

    due_ms = int(when)
    if due_ms <= 0:
        raise TypeError("setAlarm() cannot be called with an alarm time <= 0")

    if due_ms >= MAX_ALARM_MS:
        raise TypeError("This API doesn't support dates after 2189.")

    return due_ms
