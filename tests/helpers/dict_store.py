"""A storage that is a dictionary: what the pure room machine needs of `ctx.storage.kv`."""

from __future__ import annotations

import copy
from typing import Any


class DictStore:
    """Keys in the order of their UTF-8 bytes; values copied in and out."""

    def __init__(self, rows: dict[str, Any] | None = None) -> None:
        self.rows: dict[str, Any] = {} if rows is None else rows
        self.puts: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or `default`."""
        return copy.deepcopy(self.rows.get(key, default))

    def put(self, key: str, value: Any) -> None:
        """Store a value."""
        self.puts.append(key)
        self.rows[key] = copy.deepcopy(value)

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        there = key in self.rows
        self.rows.pop(key, None)
        return there

    def list(
        self,
        *,
        start: str | None = None,
        start_after: str | None = None,
        end: str | None = None,
        prefix: str | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """From `start` or behind `start_after`, before `end`, with `prefix`; the last first if
        `reverse`. ValueError: both starts, or no positive limit."""
        if start is not None and start_after is not None:
            raise ValueError("start or start_after, not both")

        if limit is not None and limit <= 0:
            raise ValueError("limit is positive")

        found = [
            key
            for key in sorted(self.rows, key=str.encode, reverse=reverse)
            if (start is None or key.encode() >= start.encode())
            and (start_after is None or key.encode() > start_after.encode())
            and (end is None or key.encode() < end.encode())
            and (prefix is None or key.startswith(prefix))
        ]
        return {key: self.get(key) for key in found[:limit]}
