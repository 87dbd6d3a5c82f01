"""Changes to one object from outside of its code, by whoever operates the host.

They keep the promise that one instance alone writes into an object. While there is one, a change is
an event of the object: it enters through the input gate, behind what runs and before what waits, and
is answered when it is durable. While there is none, the change is written as it stands, and no
instance starts before it is durable: an object whose constructor fails can be mended so.

An instance does not see what changes under it: its attributes are a cache of what it has read. So
evict it after a change; what it does until then, it does by what it remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from .event_kind import EventKind
from .events import CallEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..storage import ObjectRecord
    from .commits import Commits
    from .engine import Engine
    from .events import Event
    from .object_id import DurableObjectId
    from .slot import Slot

T = TypeVar("T")


class EditEvent(CallEvent):
    """A change to an object of which an instance is in memory."""

    kind = EventKind.TASK  # none of the object's own code runs: it is no event in its figures

    def __init__(self, object_id: DurableObjectId, change: Callable[[Commits], Any]) -> None:
        super().__init__(object_id)
        self._change = change

    def invoke(self) -> Any:
        return self._change(self.activation.commits)

    def _remote(self, error: BaseException) -> bool:
        return False  # none of the object's own code ran


class Asleep:
    """Owns the writes into an object of which no instance is in memory, and holds it meanwhile."""

    turn: Event | None = None

    def __init__(self, engine: Engine, slot: Slot) -> None:
        self._engine = engine
        self._slot = slot
        self._waiter = engine.backend.waiter()
        self._failure: BaseException | None = None
        self._commits = engine.commits_of(slot)
        self._commits.owner = self

    async def write(self, change: Callable[[Commits], T]) -> T:
        """Make a change, and return its result when it is durable."""
        commits = self._commits
        try:
            result = change(commits)
        except BaseException as error:
            commits.close(error)
            self._engine.settled(self._slot, commits)
            raise

        commits.flush()
        if commits.settled:
            self._engine.settled(self._slot, commits)
            return result

        await self._waiter
        if self._failure is not None:
            raise self._failure

        return result

    def unstored(self) -> ObjectRecord | None:
        """See `Owner`."""
        return self._slot.unstored()

    def check_caller(self) -> None:
        """See `Owner`: only the host itself writes here."""

    def alarm_changed(self, due_ms: int | None) -> None:
        """See `Owner`."""
        self._engine.alarms.changed(self._commits.number, due_ms)

    def reset(self, cause: BaseException) -> None:
        """See `Owner`: there is no instance to reset."""
        self._failure = cause

    def settled_all(self) -> None:
        """See `Owner`."""
        self._engine.settled(self._slot, self._commits)
        if not self._waiter.done():
            self._waiter.set_result(None)


async def edit(
    engine: Engine, namespace: int, object_id: DurableObjectId, change: Callable[[Commits], T]
) -> T:
    """Make a change to an object by a synchronous function, which is told what to write through, and
    raises, if it does, before it writes. Returns its result when the change is durable, which it is
    as a whole.

    Raises what `change` raises, and why the object cannot take it: it was reset, it has too much
    waiting, storage failed, the host stops, or its constructor raised.
    """
    if engine.refusal is not None:
        raise engine.refusal()

    slot = engine.slot(namespace, object_id)
    if slot.broken is not None:
        raise slot.broken

    if engine.hold(slot):
        return await Asleep(engine, slot).write(change)

    event = EditEvent(object_id, change)
    engine.deliver(slot, event)
    result: T = await event.result(engine.backend.waiter)
    return result


async def evict(slot: Slot, seconds: float | None = None) -> bool:
    """Drop the instance of an object once nothing is in it; whether there was one that was dropped.

    `seconds`: of the host's time, then the answer is False, and it is dropped later, when it can be.
    """
    activation = slot.activation
    if activation is None:
        return False

    waiter = activation.new_waiter()

    def dropped() -> None:
        # At once: a caller that is told now may call again before anybody else runs.
        evicted = activation.evict()
        if not waiter.done():
            waiter.set_result(evicted)

    def give_up() -> None:
        if not waiter.done():
            waiter.set_result(False)

    activation.when_idle(dropped)
    timer = None if seconds is None or waiter.done() else activation.call_later(seconds, give_up)
    try:
        evicted: bool = await waiter
    finally:
        if timer is not None:
            timer.cancel()
    return evicted
