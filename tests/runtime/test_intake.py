"""What all clients together may have on its way to a host, and what was turned away."""

from __future__ import annotations

import pytest

from roomhost.runtime import limits
from roomhost.runtime.intake import Intake, Reason, allow_many_files, connections_of_files


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


@pytest.mark.parametrize(
    ("files", "wanted", "expected"),
    [(1_024, 65_536, 1_024 - limits.RESERVED_FILES), (1_024, 10, 10), (10, 10, 1), (-1, 70, 70)],
)
def test_connections_leave_files_for_the_host(
    monkeypatch: pytest.MonkeyPatch, files: int, wanted: int, expected: int
) -> None:
    """At least one may come; -1 is no limit."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    assert connections_of_files(wanted) == expected


def test_a_host_takes_as_many_files_as_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hard limit is what an operator means."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.setrlimit", lambda _, limit: given.append(limit))
    monkeypatch.setattr("resource.getrlimit", lambda _: (1_024, 4_096))
    allow_many_files()
    monkeypatch.setattr("resource.getrlimit", lambda _: (4_096, 4_096))
    allow_many_files()
    assert given == [(4_096, 4_096)]
