"""The workloads of the simulation, by name."""

from __future__ import annotations

from collections.abc import Callable

from ..world import Workload
from .documents import Documents
from .rooms import Rooms
from .tallies import Tallies

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "tallies": Tallies,
    "rooms": Rooms,
    "documents": Documents,
}
