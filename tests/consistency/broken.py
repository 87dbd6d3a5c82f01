"""Gates that are broken on purpose: each is a context in which the runtime breaks one promise.

They show that the properties of `checker` would notice. They reach into private parts, at the seams
that change least: the two gates, the commits, the writer, a slot's queue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import anyio.lowlevel

from roomhost.runtime import commits
from roomhost.runtime.durable_storage import Done
from roomhost.runtime.engine import Engine
from roomhost.runtime.events import CURRENT, Event
from roomhost.runtime.input_gate import InputGate, Lock
from roomhost.runtime.output_gate import OutputGate, OutputLock
from roomhost.runtime.slot import Slot
from roomhost.storage import Batch, Partition, StorageError, Writer

Open = Callable[[], object]
Refuse = Callable[[BaseException], object]
Commit = Callable[[Sequence[Batch]], None]


@contextmanager
def output_that_never_waits() -> Generator[None]:
    """Whatever an object emits leaves at once, on disk or not."""

    def when_open(_self: OutputGate, opened: Open, _refuse: Refuse) -> None:
        opened()

    with (
        patch.object(
            OutputGate, "is_open", property(lambda _self: True, lambda _self, _open: None)
        ),
        patch.object(OutputGate, "when_open", when_open),
    ):
        yield


class PrivateGate(OutputGate):
    """An output gate that looks at the writes of the event alone whose output it is."""

    __slots__ = ("_own",)

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[Event | None, int] = {}

    @property
    def is_open(self) -> bool:
        return self._settled >= self._own.get(CURRENT.get(), 0) and self.broken is None

    @is_open.setter
    def is_open(self, value: bool) -> None:
        """Asked anew each time."""

    def lock(self, confirmed: bool = True) -> OutputLock:
        lock = super().lock(confirmed)
        if confirmed:
            self._own[CURRENT.get()] = lock.sequence
        return lock

    def when_open(self, opened: Open, refuse: Refuse) -> None:
        confirmed, self._confirmed = self._confirmed, self._own.get(CURRENT.get(), 0)
        super().when_open(opened, refuse)
        self._confirmed = max(confirmed, self._confirmed)


@contextmanager
def output_gate_of_each_request() -> Generator[None]:
    """A request that wrote nothing tells of another one's write before that is on disk."""
    with patch.object(commits, "OutputGate", PrivateGate):
        yield


@contextmanager
def batches_in_two_commits() -> Generator[None]:
    """A crash or a full disk between the two leaves half a turn."""
    original = Writer.__init__

    def halves(batch: Batch) -> Iterator[Batch]:
        keys = list(batch.writes)
        first = {key: batch.writes[key] for key in keys[: len(keys) // 2]}
        if first:
            yield Batch(batch.number, batch.record, batch.clear, first, batch.alarm)
        rest = {key: batch.writes[key] for key in keys[len(first) :]}
        yield Batch(batch.number, batch.record, batch.clear and not first, rest, batch.alarm)

    def make(self: Writer, commit: Commit, *others: Any) -> None:
        def commit_each(batches: Sequence[Batch]) -> None:
            for batch in batches:
                for half in halves(batch):
                    commit([half])

        original(self, commit_each, *others)

    with patch.object(Writer, "__init__", make):
        yield


@contextmanager
def input_that_never_waits() -> Generator[None]:
    """Handlers start and resume while a critical section of another one runs."""

    def wait(self: InputGate, admit: Callable[[Lock], object], refuse: Refuse) -> None:
        if self.broken is not None:
            refuse(self.broken)
        else:
            admit(self.hold())

    with patch.object(InputGate, "wait", wait):
        yield


@contextmanager
def storage_that_suspends() -> Generator[None]:
    """Another handler runs between a get and the put that follows."""

    def wait(self: Done[Any]) -> Generator[Any, Any, Any]:
        result = yield from original(self)
        yield from anyio.lowlevel.checkpoint().__await__()
        return result

    original = Done.__await__
    with patch.object(Done, "__await__", wait):
        yield


@contextmanager
def an_instance_for_each_stub() -> Generator[None]:
    """Two callers that come first at the same time get two instances."""
    original = Engine.slot

    def slot(self: Engine, namespace: int, object_id: Any) -> Slot:
        self._slots.pop((namespace, bytes(object_id)), None)
        return original(self, namespace, object_id)

    with patch.object(Engine, "slot", slot):
        yield


@contextmanager
def a_reset_that_waits_for_no_batch() -> Generator[None]:
    """The next instance reads the disk while batches of the one before are on their way there."""
    original = Engine.may_start

    def may_start(self: Engine, slot: Slot) -> bool:
        self._unsettled.pop(slot.key, None)
        return original(self, slot)

    with patch.object(Engine, "may_start", may_start):
        yield


class Stack(list[Any]):
    """A queue whose head is what came last."""

    def append(self, item: Any, /) -> None:
        self.insert(0, item)


@contextmanager
def the_last_call_first() -> Generator[None]:
    """Calls that wait for their object to start begin in the wrong order."""
    original = Slot.__init__

    def make(self: Slot, *arguments: Any, **keywords: Any) -> None:
        original(self, *arguments, **keywords)
        self.queue = Stack()

    with patch.object(Slot, "__init__", make):
        yield


@contextmanager
def answers_before_the_commit() -> Generator[None]:
    """The writer says that a batch is on disk, and then writes it."""
    original = Writer._commit_group

    def commit_group(self: Writer, group: Any) -> list[Any]:
        self._answer([(item[1], None) for item in group if not isinstance(item, int)])
        original(self, group)
        return []

    with patch.object(Writer, "_commit_group", commit_group):
        yield


@contextmanager
def failures_that_go_unnoticed() -> Generator[None]:
    """A batch that the disk refused counts as written."""
    original = Partition.submit

    def submit(self: Partition, batch: Batch, done: Callable[[StorageError | None], Any]) -> None:
        original(self, batch, lambda _error: done(None))

    with patch.object(Partition, "submit", submit):
        yield


@contextmanager
def failures_that_are_not_forgiven() -> Generator[None]:
    """After one commit that failed the object can never write again."""

    def forgive(_self: Partition, _number: int) -> None:
        pass

    with patch.object(Partition, "forgive", forgive):
        yield


Broken = Callable[[], AbstractContextManager[None]]

# Each, with the property that notices.
VARIANTS: tuple[tuple[Broken, str], ...] = (
    (output_that_never_waits, "visible"),
    (output_gate_of_each_request, "visible"),
    (answers_before_the_commit, "visible"),
    (failures_that_go_unnoticed, "visible"),
    (batches_in_two_commits, "atomic"),
    (a_reset_that_waits_for_no_batch, "atomic"),
    (input_that_never_waits, "turns"),
    (storage_that_suspends, "turns"),
    (storage_that_suspends, "updates"),
    (an_instance_for_each_stub, "instances"),
    (the_last_call_first, "order"),
    (failures_that_are_not_forgiven, "endings"),
)
