"""What the clients of a room know of its messages, held against each other and against the host.

Pure. A message is a number of its sender. Numbers of one sender are bits of one integer, so that an
hour of them takes no memory to speak of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import limits

Key = tuple[int, int]  # a sender, and a number of its own


@dataclass(slots=True)
class Ledger:
    """Of one room. `acked`, `heard`: by sender, a bit for each number. `newest`: the keys of the last
    messages in the order of the room, as many as it keeps. `seq`: of the last one. `complaints`: what
    was wrong at once."""

    room: str
    acked: dict[int, int] = field(default_factory=dict[int, int])
    heard: dict[int, int] = field(default_factory=dict[int, int])
    newest: deque[Key] = field(default_factory=lambda: deque[Key](maxlen=limits.KEPT_MESSAGES))
    seq: int = 0
    complaints: list[str] = field(default_factory=list[str])

    def acknowledge(self, key: Key) -> None:
        """The host says that it is stored."""
        sender, number = key
        self.acked[sender] = self.acked.get(sender, 0) | 1 << number

    def hear(self, seq: int, key: Key) -> None:
        """Somebody heard a message first; others hear the same place in the order later."""
        sender, number = key
        if seq != self.seq + 1:
            self.complain(f"message {seq} came after {self.seq}")
        self.seq = seq
        known = self.heard.get(sender, 0)
        if known >> number & 1:
            self.complain(f"message {number} of {sender} is there twice, again at {seq}")
        self.heard[sender] = known | 1 << number
        self.newest.append(key)

    def complain(self, text: str) -> None:
        """Note what is wrong; the first few are enough."""
        if len(self.complaints) < 10:
            self.complaints.append(f"{self.room}: {text}")

    def lost(self) -> Iterator[str]:
        """What was acknowledged, and nobody heard."""
        for sender, acked in self.acked.items():
            missing = acked & ~self.heard.get(sender, 0)
            if missing:
                yield f"{self.room}: {missing.bit_count()} acknowledged messages of {sender} never came"

    def differs(self, history: Sequence[Key]) -> Iterator[str]:
        """How what the host has, newest first, is not the end of what was heard."""
        newest = list(self.newest)[::-1]
        if list(history[: len(newest)]) != newest:
            yield f"{self.room}: the host's history is not what was heard"


def count_complaint(name: str, found: int, acked: int, unknown: int) -> Iterator[str]:
    """A counter is what was acknowledged, and of the additions whose outcome nobody knows any."""
    if not acked <= found <= acked + unknown:
        yield f"{name}: {found}, after {acked} acknowledged additions and {unknown} unknown ones"


def document_complaints(name: str, texts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Everybody's copy of a document, by who has it: they are the same."""
    if len({tuple(text) for text in texts.values()}) > 1:
        lengths = {who: [len(part) for part in text] for who, text in texts.items()}
        yield f"{name}: the document is not the same everywhere, in characters {lengths}"


def ticker_complaints(
    name: str, report: Mapping[str, int | None], seconds: float, alarm_ms: int
) -> Iterator[str]:
    """An alarm that re-arms has fired, never early, and is set."""
    if report["early"]:
        yield f"{name}: {report['early']} alarms came early"
    if report["alarm"] is None:
        yield f"{name}: its alarm is gone"
    due = int(seconds * 1000 // alarm_ms * limits.LEAST_ALARMS_SHARE)
    fired = report["fired"] or 0
    if fired < due:
        yield f"{name}: {fired} alarms in {seconds:.0f} s, at least {due} were due"
