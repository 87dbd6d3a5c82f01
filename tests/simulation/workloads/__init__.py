"""The workloads of the simulation, by name."""

from __future__ import annotations

from collections.abc import Callable

from ..world import Workload

WORKLOADS: dict[str, Callable[[], Workload]] = {}
