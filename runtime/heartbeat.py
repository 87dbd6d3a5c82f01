"""Whether an event loop goes on, judged from outside of it: pure code, told the time."""

from __future__ import annotations

from dataclasses import dataclass

WORKED_SHARE = 0.1  # of a time: with less of it on a CPU, a process was stopped, or starved


@dataclass(frozen=True, slots=True)
class Held:
    """The loop has answered nothing for so many `seconds`. `over`: it goes on, or did for a moment."""

    seconds: float
    over: bool


class Heartbeat:
    """Asks the loop for an answer, and tells when that takes more than `most_seconds`.

    A looker that is late was kept from looking. By code that holds the interpreter's lock, which the loop's
    does: then the time counts, though nobody was there to ask. Or because the process was stopped or got
    no CPU: then it does not.
    """

    def __init__(self, most_seconds: float, look_seconds: float) -> None:
        """It is looked at every `look_seconds`."""
        self._most_seconds = most_seconds
        self._look_seconds = look_seconds
        self._asked = 0.0
        self._answered: float | None = 0.0
        self._told = False
        self._last: tuple[float, float] | None = None  # when it was looked, and the CPU time then

    @property
    def answered(self) -> bool:
        """Whether the loop has answered what it was asked last."""
        return self._answered is not None

    def ask(self, now: float) -> None:
        """The loop is asked again; it calls `answer`."""
        self._asked = now
        self._answered = None

    def answer(self, now: float) -> None:
        """The loop goes on. In the loop's thread."""
        self._answered = now

    def look(self, now: float, cpu: float) -> Held | None:
        """What is to be told at this time, with so much CPU time used by the process, if anything is;
        seconds both. The first time, and when it is over, each time the loop is held."""
        late, worked = self._lateness(now, cpu)
        if late and not worked:
            self._asked += late
        answered = self._answered
        until = now if answered is None else max(answered, self._asked)
        seconds = max(until - self._asked, late if worked else 0.0)
        told, self._told = self._told, answered is None and seconds >= self._most_seconds
        if answered is None:
            return Held(seconds, over=False) if self._told and not told else None

        return Held(seconds, over=True) if told or seconds >= self._most_seconds else None

    def _lateness(self, now: float, cpu: float) -> tuple[float, bool]:
        """By how much the looker is late, 0 where it is hardly, and whether the process worked then."""
        last, self._last = self._last, (now, cpu)
        late = 0.0 if last is None else now - last[0] - self._look_seconds
        if last is None or late < self._look_seconds:
            return 0.0, False

        return late, cpu - last[1] >= late * WORKED_SHARE
