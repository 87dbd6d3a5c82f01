"""Entries with newer writes over them: how an overlay lies over a store, and what is pending over LMDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Entries = list[tuple[bytes, bytes]]


def merged(
    writes: Mapping[bytes, bytes | None],
    scan: Callable[[int | None], Entries],
    start: bytes | None,
    end: bytes | None,
    reverse: bool,
    limit: int | None,
) -> Entries:
    """The entries from `start` up to, not including, `end`, in order, or backwards, at most `limit`:
    those of `scan(limit)`, which has the same bounds and order, with `writes` over them. None: deleted.
    """
    changed = [
        (key, value)
        for key, value in writes.items()
        if (start is None or key >= start) and (end is None or key < end)
    ]
    # Every deletion may take one of the older entries out of the result.
    enough = None if limit is None else limit + sum(value is None for _, value in changed)
    below = scan(enough)
    if not changed:
        return below

    found: dict[bytes, bytes | None] = dict(below)
    found.update(changed)
    ordered = sorted(found.items(), key=_key_of, reverse=reverse)
    return [(key, value) for key, value in ordered if value is not None][:limit]


def _key_of(entry: tuple[bytes, bytes | None]) -> bytes:
    return entry[0]
