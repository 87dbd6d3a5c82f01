"""The realtime module, as actor classes: rooms, channels, presence, history, documents."""

from __future__ import annotations

__all__: tuple[str, ...] = ()
