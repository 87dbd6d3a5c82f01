"""How far a copy of a map is: what is told of backups, restores and compactions."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias


class Step(Enum):
    """What a copy is at. Each is followed by the next; some have only a few of them."""

    CHECKING = "checking"
    COPYING = "copying"
    VERIFYING = "verifying"
    FINISHING = "finishing"


# Is told the step, how much of it is done, and of how much: bytes where it reads or copies, else 0 of
# 1, then 1.
Report: TypeAlias = Callable[[Step, int, int], object]


def tell_nobody(_step: Step, _done: int, _total: int) -> None:
    """A report that nobody wants."""
