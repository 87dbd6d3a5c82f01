"""`statistics`: the figures of a running host."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .structs import Input, Result

if TYPE_CHECKING:
    from ..runtime import Host


class StatisticsInput(Input, kw_only=True):
    """Nothing."""


class Statistics(Result, kw_only=True):
    """See `HostStatistics`."""

    objects_in_memory: int
    activations: int
    events_in_flight: int
    web_sockets: int
    alarms_running: int
    commits: int
    batches: int
    largest_group: int
    failed_batches: int


async def statistics(host: Host, given: StatisticsInput) -> Statistics:
    """What is in memory, and what was committed since the start."""
    return Statistics(**asdict(host.statistics()))
