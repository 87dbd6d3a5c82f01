"""What the person who runs a host needs: commands, the admin API, the inspector."""

from __future__ import annotations

__all__: tuple[str, ...] = ()
