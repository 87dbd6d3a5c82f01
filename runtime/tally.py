"""Counters of what happens above the runtime: they are declared in a module, and counted by the object
whose code runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .events import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER = "other"

TALLIES: dict[str, Tally] = {}  # by name: all that are declared in this process


@dataclass(frozen=True, slots=True)
class Tally:
    """`name`: of the metric, without `roomhost_` and `_total`; `help`: a sentence. With a `label`, each
    of `values` is counted by itself, and what is none of them as "other"."""

    name: str
    help: str
    label: str | None = None
    values: frozenset[str] = frozenset()

    def count(self, value: str = "", by: int = 1) -> None:
        """One more, or `by` more, for the object whose code runs here; nothing where none does."""
        event = CURRENT.get()
        if event is not None:
            known = value if value in self.values or self.label is None else OTHER
            event.activation.slot.meter.tallies[self.name, known] += by


def declare(name: str, help: str, label: str | None = None, values: Iterable[str] = ()) -> Tally:
    """A new counter. ValueError: the name is taken."""
    if name in TALLIES:
        raise ValueError(f"a counter {name} is declared already")

    tally = TALLIES[name] = Tally(name, help, label, frozenset(values))
    return tally
