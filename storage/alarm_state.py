"""The alarm of one object as its own code sees it: pure values."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .batch import UNCHANGED, Unchanged

Alarm = int | None | Literal[Unchanged.UNCHANGED]


class AlarmState(NamedTuple):
    """`due`: when it is due, milliseconds since the epoch, None without one; UNCHANGED: the store has
    not been asked. `written`: what the open batch makes of it. `deferred`: its handler runs, so it is
    hidden, and deleted when that succeeds."""

    due: Alarm = UNCHANGED
    written: Alarm = UNCHANGED
    deferred: bool = False

    def armed(self, due_ms: int) -> AlarmState:
        """The handler of the alarm due at `due_ms` starts; the same state if that is not the one."""
        return AlarmState(self.due, self.written, True) if self.due == due_ms else self

    def finished(self, succeeded: bool) -> AlarmState:
        """The handler ended; the same state if the alarm was set or deleted meanwhile."""
        if not self.deferred:
            return self

        return AlarmState(None, None) if succeeded else AlarmState(self.due, self.written)

    def taken(self) -> AlarmState:
        """The open batch was closed; the same state if nothing was written in it."""
        if self.written is UNCHANGED:
            return self

        return AlarmState(self.due, UNCHANGED, self.deferred)


UNASKED = AlarmState()  # one for all that begin with it
