"""What all clients together may have on its way to a host, and what was turned away."""

from __future__ import annotations

from roomhost.runtime.intake import Intake, Reason


class Holder:
    """A connection with something that is not whole."""

    def __init__(self, intake: Intake, held_bytes: int) -> None:
        self.held_bytes = held_bytes
        self._intake = intake
        intake.incoming_bytes += held_bytes

    def give_up(self) -> None:
        """Let go of it."""
        self._intake.incoming_bytes -= self.held_bytes
        self.held_bytes = 0


def test_the_largest_is_given_up() -> None:
    """One at a time; nothing happens where there is nobody."""
    intake = Intake(100)
    intake.relieve()
    holders = [Holder(intake, size) for size in (10, 70, 30)]
    intake.connections = holders
    assert not intake.has_room
    intake.relieve()
    assert [holder.held_bytes for holder in holders] == [10, 0, 30]
    assert intake.has_room


def test_refusals_are_counted_by_reason() -> None:
    """Each by itself."""
    intake = Intake()
    for reason in (Reason.FLOOD, Reason.FLOOD, Reason.SILENT):
        intake.count(reason)
    assert intake.refusals == {Reason.FLOOD: 2, Reason.SILENT: 1}
