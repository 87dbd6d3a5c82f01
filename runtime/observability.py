"""What is logged and recorded of the events of one set of objects: how much, and from which level on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Observability:
    """`level`: the least of what is logged about events, one of `LEVELS`; None: as the application's
    logging says. `sampling`: the share of the events, from 0 to 1, that are logged, recorded and traced;
    those that fail or are slow always are, and all are counted. `labels`: of the metric
    `roomhost_binding_info`."""

    level: str | None = None
    sampling: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


EVERYTHING = Observability()


class Sampler:
    """Picks a share of what comes, evenly and always the same ones."""

    __slots__ = ("_credit", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._credit = 1.0 - share if share else 0.0  # the first one is picked

    def picks(self) -> bool:
        """Whether the next one is picked."""
        self._credit += self.share
        if self._credit < 1:
            return False

        self._credit -= 1
        return True
