"""What was measured: the rows of `roomhost bench`, as a table and as JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .latencies import Latencies

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured. `per_second`: None for what is no rate, as memory. `note`: what else was
    counted, for a reader; `counted` the same for a program."""

    name: str
    per_second: float | None
    latencies: Latencies | None
    note: str
    counted: dict[str, float]

    def percentile(self, name: str) -> float | None:
        """Microseconds, to one decimal."""
        value = None if self.latencies is None else self.latencies.percentile(PERCENTILES[name])
        return None if value is None else round(value, 1)

    def as_json(self) -> dict[str, Any]:
        """Plain values; `null` for what a row has not."""
        return {
            "name": self.name,
            "per_second": None if self.per_second is None else round(self.per_second, 1),
            **{f"{name}_us": self.percentile(name) for name in PERCENTILES},
            "count": 0 if self.latencies is None else self.latencies.total,
            **self.counted,
            "note": self.note,
        }


def report(app: str, options: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Everything, as JSON: what was measured, of which application, how, and where."""
    return {
        "app": app,
        "options": options,
        "roomhost": version("roomhost"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "rows": [row.as_json() for row in rows],
    }


def table(title: str, rows: Sequence[Row]) -> Table:
    """For a reader."""
    shown = Table(title=title, title_justify="left")
    shown.add_column("")
    for heading in ("per second", *PERCENTILES):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("note")
    for row in rows:
        rate = "" if row.per_second is None else f"{row.per_second:,.0f}"
        shown.add_row(row.name, rate, *(duration(row.percentile(p)) for p in PERCENTILES), row.note)
    return shown


def duration(microseconds: float | None) -> str:
    """Readable, as `123 µs` and `12.3 ms`."""
    if microseconds is None:
        return ""

    return f"{microseconds:.0f} µs" if microseconds < 1_000 else f"{microseconds / 1_000:.1f} ms"
