"""The application with one realtime module, for a process of its own."""

from __future__ import annotations

from .collab import collab

app = collab()
