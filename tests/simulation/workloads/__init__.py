"""What is simulated, by name."""

from __future__ import annotations

from collections.abc import Callable

from ..world import Workload
from .alarms import Alarms
from .counters import Counters
from .documents import Documents
from .rooms import Rooms
from .tallies import Tallies
from .transfers import Transfers

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "tallies": Tallies,
    "counters": Counters,
    "transfers": Transfers,
    "alarms": Alarms,
    "rooms": Rooms,
    "documents": Documents,
}
