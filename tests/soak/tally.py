"""What a process of clients counts: how long things took, by kind, and what went wrong."""

from __future__ import annotations

import time
from collections import Counter
from enum import Enum
from typing import Any

from roomhost.bindings.latencies import Latencies

from . import limits


class Kind(Enum):
    """What is timed. Deliveries are: from the sending of a message, or an edit, to each who hears it."""

    DELIVERY = "publish to delivery"
    ACK = "publish to acknowledgement"
    PRESENCE = "presence to acknowledgement"
    EDIT = "edit to delivery"
    CALL = "call"
    HTTP = "HTTP"
    OPEN = "open and resume"


class Count(Enum):
    """What happened, by number."""

    ACTIONS = "actions"
    HELD_BACK = "held back"
    DELIVERIES = "deliveries"
    EDITS = "edits"
    LEFT = "left"
    RETURNED = "returned"
    RESUMED = "messages resumed"
    COMPACTIONS = "compactions"
    ERRORS = "errors"
    TOLD_BEFORE = "announced closes"


class Tally:
    """`take()` is what there was since the last time."""

    def __init__(self) -> None:
        self._latencies = {kind: Latencies() for kind in Kind}
        self._counts: Counter[Count] = Counter()
        self._errors: list[dict[str, Any]] = []
        self._told = 0

    def took(self, kind: Kind, begun_ns: int) -> None:
        """Something that began then, by the monotonic clock, is over."""
        self._latencies[kind].add(max(1, time.monotonic_ns() - begun_ns))

    def count(self, what: Count, number: int = 1) -> None:
        """It happened."""
        self._counts[what] += number

    def error(self, what: str, text: str, code: int | str | None = None) -> None:
        """Something that must not happen, unless it was announced; the judge knows what was."""
        self.count(Count.ERRORS)
        self._told += 1
        if self._told <= limits.MAX_TOLD_ERRORS:
            self._errors.append({"at": time.time(), "what": what, "text": text[:300], "code": code})

    def take(self) -> dict[str, Any]:
        """Milliseconds of p50 and p99, and how many, by kind; the counts; the errors."""
        taken = {
            "latencies": {
                kind.value: percentiles(found) for kind, found in self._latencies.items()
            },
            "counts": {what.value: self._counts[what] for what in Count},
            "errors": self._errors,
        }
        self._latencies = {kind: Latencies() for kind in Kind}
        self._counts.clear()
        self._errors = []
        return taken


def percentiles(latencies: Latencies) -> dict[str, float | int | None]:
    """Of one kind."""
    p50, p99 = latencies.percentile(0.5), latencies.percentile(0.99)
    return {
        "n": latencies.total,
        "p50": None if p50 is None else p50 / 1_000,
        "p99": None if p99 is None else p99 / 1_000,
    }
