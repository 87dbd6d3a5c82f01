"""What an alarm handler is told about its run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmInfo:
    """The argument of `alarm(info)` (semantics.md 6.2).

    `scheduled_time`: when it was due, milliseconds since the epoch. `retry_count`: 0 on the first
    run, then the number of runs that failed and counted. `is_retry`: whether an earlier run of this
    alarm failed.
    """

    scheduled_time: int
    retry_count: int = 0
    is_retry: bool = False
