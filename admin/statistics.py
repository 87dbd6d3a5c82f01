"""`statistics`: the figures of a running host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .structs import Input

if TYPE_CHECKING:
    from ..runtime import Host
    from ..runtime.host import HostStatistics


class StatisticsInput(Input, kw_only=True):
    """Nothing."""


async def statistics(host: Host, given: StatisticsInput) -> HostStatistics:
    """What is in memory, and what was committed since the start."""
    return host.statistics()
