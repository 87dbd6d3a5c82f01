"""Rooms and documents that are broken on purpose, each with the check that must notice."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary, WeakSet

from roomhost.actors import limits, member_record, members, messages, socket_events, yjs_sockets
from roomhost.actors.awareness import Awareness, Changes
from roomhost.actors.document import Document
from roomhost.actors.errors import DocumentEpochChanged
from roomhost.actors.live_document import LiveDocument
from roomhost.actors.room_state import RoomState
from roomhost.actors.update_log import UpdateLog

from ...consistency.broken import output_that_never_waits
from ...helpers.room_broken import (
    a_deadline_that_is_dropped,
    a_key_that_is_forgotten,
    a_resume_that_skips_one,
)
from ..world import Workload
from .documents import Documents
from .rooms import Rooms

Broken = Callable[[], AbstractContextManager[None]]


@contextmanager
def a_resume_that_repeats_one() -> Generator[None]:
    """The last message that was heard is replayed too."""

    def after(state: RoomState, epoch: str, seq: int) -> list[bytes] | str:
        return messages.after(state, epoch, max(0, seq - 1))

    with patch.object(socket_events, "after", after):
        yield


@contextmanager
def a_resume_that_is_refused() -> Generator[None]:
    """Nobody can go on from where it was, though little was missed."""
    with patch.object(socket_events, "after", lambda *_: "insufficient_state"):
        yield


@contextmanager
def a_leave_that_nobody_hears_of() -> Generator[None]:
    """A member leaves, and those who listen are not told."""
    original = members._leave

    def leave(state: RoomState, record: Any, left_ms: int, reason: Any) -> None:
        original(state, record, left_ms, reason)
        state.pushes.pop()

    with patch.object(members, "_leave", leave):
        yield


@contextmanager
def a_sweep_of_the_living() -> Generator[None]:
    """Who says nothing for long is taken for gone, though its connection is well."""

    def end_of(state: RoomState, record: Any) -> int:
        end_ms, _ = member_record.ends_at(record, member_record.ttl_ms(state))
        return end_ms

    def is_over(state: RoomState, record: Any, now_ms: int) -> bool:
        return record.left_ms is None and now_ms >= end_of(state, record) - 1

    def looked_at_again(state: RoomState, record: Any, _now_ms: int) -> int:
        if record.left_ms is None:
            return end_of(state, record)

        left_ms: int = record.left_ms
        return left_ms + 1_000 * limits.KEPT_LEFT_MEMBERS_SECONDS

    with (
        patch.object(members, "is_over", is_over),
        patch.object(members, "_looked_at_again", looked_at_again),
    ):
        yield


@contextmanager
def a_key_that_knows_the_time() -> Generator[None]:
    """A message that is tried again is taken for another one with its key."""
    original = messages._digests

    def digests(state: RoomState, message: Any) -> tuple[str, bytes]:
        digest, payload = original(state, message)
        return digest, payload + state.seq.to_bytes(8, "big")

    with patch.object(messages, "_digests", digests):
        yield


@contextmanager
def a_checkpoint_without_the_last_update() -> Generator[None]:
    """What is folded is the document as it was before its last update."""
    before: WeakKeyDictionary[LiveDocument, bytes] = WeakKeyDictionary()
    original = LiveDocument._apply

    def apply(self: LiveDocument, update: bytes) -> bytes | None:
        before[self] = self.diff()
        return original(self, update)

    def checkpoint(self: LiveDocument) -> bytes:
        return before.get(self) or self.diff()

    with (
        patch.object(LiveDocument, "_apply", apply),
        patch.object(LiveDocument, "checkpoint", checkpoint),
    ):
        yield


@contextmanager
def an_update_that_is_not_kept() -> Generator[None]:
    """Every third update of the document is applied and relayed, and not stored."""
    original = UpdateLog.append_yjs

    def append(self: UpdateLog, record: Any) -> int:
        if self.seq % 3 != 2:
            return original(self, record)

        self.seq += 1
        return self.seq

    with patch.object(UpdateLog, "append_yjs", append):
        yield


@contextmanager
def an_update_that_is_not_relayed() -> Generator[None]:
    """Others do not hear of what a client of y-protocols has changed."""
    with patch.object(yjs_sockets, "push_update", lambda *_: None):
        yield


@contextmanager
def an_update_that_is_refused() -> Generator[None]:
    """The first update after a document was loaded is taken for one of an earlier document."""
    original = Document._check
    refused: WeakSet[Any] = WeakSet()

    def check(self: Document, loaded: Any, shape: Any, size: int) -> None:
        if loaded.live not in refused:
            refused.add(loaded.live)
            raise DocumentEpochChanged("this update is of a document that was replaced")

        original(self, loaded, shape, size)

    with patch.object(Document, "_check", check):
        yield


@contextmanager
def awareness_that_stays() -> Generator[None]:
    """Nobody is told that a client has gone with its connection, which stays in the table."""

    def gone(_self: Awareness, _connection_id: str, _now_ms: int) -> Changes:
        return Changes()

    with patch.object(Awareness, "gone", gone):
        yield


VARIANTS: tuple[tuple[Broken, Callable[[], Workload], str], ...] = (
    (output_that_never_waits, Rooms, "one_order"),
    (a_key_that_is_forgotten, Rooms, "acknowledged_once"),
    (a_key_that_knows_the_time, Rooms, "nothing_refused"),
    (a_resume_that_skips_one, Rooms, "without_gaps"),
    (a_resume_that_repeats_one, Rooms, "without_gaps"),
    (a_resume_that_is_refused, Rooms, "without_gaps"),
    (a_leave_that_nobody_hears_of, Rooms, "presence_converges"),
    (a_deadline_that_is_dropped, Rooms, "presence_converges"),
    (a_sweep_of_the_living, Rooms, "the_living_stay"),
    (output_that_never_waits, Documents, "nothing_shown_is_lost"),
    (an_update_that_is_not_kept, Documents, "nothing_shown_is_lost"),
    (a_checkpoint_without_the_last_update, Documents, "nothing_shown_is_lost"),
    (an_update_that_is_not_relayed, Documents, "documents_converge"),
    (an_update_that_is_refused, Documents, "nothing_refused"),
    (awareness_that_stays, Documents, "awareness_converges"),
)
