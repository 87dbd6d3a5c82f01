"""What the room machine needs of a storage: `ctx.storage.kv`, or a dictionary in a test."""

from __future__ import annotations

from typing import Any, Protocol


class Store(Protocol):
    """Synchronous keys and values, in the order of the keys; see `ctx.storage.kv`."""

    def get(self, key: str, default: Any = None) -> Any:
        """A value."""
        ...

    def put(self, key: str, value: Any) -> None:
        """Store a value."""
        ...

    def delete(self, key: str) -> bool:
        """Remove a key; whether it was there."""
        ...

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
        """Keys and values, in order."""
        ...
