"""Rooms that are broken on purpose, each with the events that show it: the model would notice."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from roomhost.actors import members, messages, socket_events
from roomhost.actors.deadlines import Deadline, Deadlines
from roomhost.actors.room_state import RoomState

from ..consistency.broken import output_that_never_waits
from .room_driver import Event

Broken = Callable[[], AbstractContextManager[None]]


@contextmanager
def a_resume_that_skips_one() -> Generator[None]:
    """The first message that was missed is not replayed."""

    def after(state: RoomState, epoch: str, seq: int) -> list[bytes] | str:
        return messages.after(state, epoch, seq)[1:]

    with patch.object(socket_events, "after", after):
        yield


@contextmanager
def a_leave_that_is_told_twice() -> Generator[None]:
    """Whoever finds that a member has gone tells it, though it was told before."""
    original = members._leave

    def leave(state: RoomState, record: Any, left_ms: int, reason: Any) -> None:
        original(state, record, left_ms, reason)
        state.pushes.append(state.pushes[-1])

    with patch.object(members, "_leave", leave):
        yield


@contextmanager
def a_key_that_is_forgotten() -> Generator[None]:
    """A message with a known idempotency key is recorded again."""
    with patch.object(messages, "_first_result", lambda *_: None):
        yield


@contextmanager
def a_deadline_that_is_dropped() -> Generator[None]:
    """Nobody looks for members who went without a word."""
    original = Deadlines.at_latest

    def at_latest(self: Deadlines, deadline: Deadline, when_ms: int) -> None:
        if deadline is not Deadline.PRESENCE:
            original(self, deadline, when_ms)

    with patch.object(Deadlines, "at_latest", at_latest):
        yield


@contextmanager
def a_fan_out_before_the_commit() -> Generator[None]:
    """Listeners hear of a message that the disk then refuses."""
    with output_that_never_waits():
        yield


@contextmanager
def a_new_life_that_is_not_stored() -> Generator[None]:
    """A room that began anew is destroyed again for the next instance."""
    original = RoomState._recreate

    def recreate(self: RoomState) -> None:
        original(self)
        self.head.written = True

    with patch.object(RoomState, "_recreate", recreate):
        yield


PUBLISH: Event = ("publish", 1, None, False)
LISTEN: Event = ("connect", None, None, False)
JOIN: Event = ("join", "a", None)

VARIANTS: list[tuple[Broken, list[Event]]] = [
    (a_resume_that_skips_one, [LISTEN, PUBLISH, PUBLISH, ("connect", None, 0, True)]),
    (a_leave_that_is_told_twice, [LISTEN, JOIN, ("leave", "a")]),
    (a_leave_that_is_told_twice, [LISTEN, JOIN, ("advance", 60)]),
    (a_key_that_is_forgotten, [("publish", 1, "k", False), ("publish", 1, "k", False)]),
    (a_deadline_that_is_dropped, [LISTEN, JOIN, ("advance", 300)]),
    (a_fan_out_before_the_commit, [LISTEN, PUBLISH, ("failed",)]),
    (a_new_life_that_is_not_stored, [PUBLISH, ("destroy", False), PUBLISH, ("evict",)]),
]
