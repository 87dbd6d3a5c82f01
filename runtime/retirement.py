"""A deploy takes the objects in memory over to new code, each as soon as nothing of it runs.

It promises what holds without a deploy: one instance of an object at a time, events in the order
they were delivered, sockets that stay while no instance is there. What was delivered before the new
code came ends in the instance of the older code; what comes later waits in the object's slot for the
new one. An instance that has not ended at the deadline is reset, which fails what runs in it and
nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .activation import ActivationState
from .errors import DurableObjectError, unserved
from .event_kind import ResetCause
from .events import CURRENT
from .hibernation import SocketEvent
from .leaving import held
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .activation import Activation
    from .backend import Waiter
    from .durable_object import ActorClass
    from .engine import Engine
    from .events import CallEvent, Event
    from .web_socket import WebSocket


class RetiredSlot(Slot):
    """A slot as the last instance of older code sees it: its own is the queue, the rest is the
    object's. `ended(slot, reset)` is called once, with this one, when the instance has ended."""

    __slots__ = ("_activation", "_cut_short", "_ended", "_slot", "expired")

    of_older_code = True

    def __init__(
        self, slot: Slot, activation: Activation, ended: Callable[[RetiredSlot, bool], object]
    ) -> None:
        super().__init__(slot.engine, slot.namespace, slot.actor_class, slot.id)
        self.number = slot.number
        self.recorded = slot.recorded
        self.backlog = slot.backlog
        self.sockets = slot.sockets_of_object()
        self.activation = activation
        self.expired = False  # the deadline has come
        self._activation = activation
        self._cut_short: dict[WebSocket, None] = {}
        self._slot = slot
        self._ended = ended

    def leave(self) -> None:
        """End the instance once nothing of it runs. Sockets that cannot hibernate end now."""
        assert self.sockets is not None
        self.sockets.restart_standard()
        self.queue, self._slot.queue = self._slot.queue, []
        self.serve_soon()
        self._activation.when_idle(self._leave, pinned=True)

    def expire(self) -> None:
        """It has run for too long. Asked before the reset, which refuses what waits for the disk: the
        sockets of which a message has not ended, or that would lose a frame."""
        assert self.sockets is not None
        self.expired = True
        for event in self._activation.events:
            if isinstance(event, SocketEvent):
                self._cut_short[event.ws] = None
        self._cut_short |= dict.fromkeys(held(self.sockets.select(None)))
        self._activation.reset(updated(), ResetCause.CODE_UPDATED)

    def carry(self, event: Event) -> None:
        """Run an event that cannot wait for the new instance, and what waits for that already before
        it: calls over one stub arrive in the order they were made."""
        waiting, self._slot.queue = self._slot.queue, []
        for each in waiting:
            self.backlog.leave(each)
        self.queue += waiting
        self.serve_soon()
        self.deliver(event)

    def evicted(self, activation: Activation) -> None:
        """Nobody has noticed."""
        self.activation = None
        self.meter.evictions += 1
        self._slot.resume()
        self._ended(self, False)

    def broke(self, activation: Activation, cause: BaseException) -> None:
        """At the deadline only what runs fails, and what it held: clients whose message was cut short,
        or who miss a frame, connect anew. Any other reset is the object's, as always."""
        self.activation = None
        if self.expired:
            assert self.sockets is not None
            for ws in self._cut_short:
                self.sockets.cut_short(ws)
            self.engine.discard(self._slot, activation, dead=False)
            self._slot.queue[:0] = self.queue
            # Behind the code that is cut short, which unwinds first.
            self.engine.backend.call_soon(self._slot.resume)
        else:
            self.fail_queue(cause)
            self._slot.retired = None
            self._slot.broke(activation, cause)
        self._ended(self, self.expired)

    def _leave(self) -> None:
        activation = self._activation
        if activation.state is not ActivationState.RUNNING:
            return

        assert self.sockets is not None
        self.sockets.restart_standard()
        if not activation.evict():
            activation.when_idle(self._leave)  # somebody reads a body that it makes


class Retirement:
    """One deploy's, of all objects in memory: it begins in one step, and ends with the last of them.

    `classes`: the new ones by the number of the namespace. An object of a class that is not among
    them has no new instance: what waits for it fails.
    """

    def __init__(self, engine: Engine, classes: Mapping[int, ActorClass]) -> None:
        self._engine = engine
        self._leaving: dict[RetiredSlot, None] = {}
        self._waiter: Waiter = engine.backend.waiter()
        self.instances = 0  # that were in memory
        self.resets = 0
        for slot in engine.known:
            if slot.broken is None:
                self._retire(slot, classes.get(slot.namespace))
        engine.classes = dict(classes)
        for retired in list(self._leaving):
            retired.leave()

    async def ended(self, seconds: float) -> None:
        """Return when no instance of older code is left; those that have not ended in `seconds` are
        reset."""
        engine = self._engine
        if not self._leaving:
            return

        engine.deliver = partial(_deliver, engine)
        timer = engine.timers.after(seconds, self._expire)
        try:
            await self._waiter
        finally:
            engine.deliver = engine.deliver_plainly
            timer.cancel()

    def _retire(self, slot: Slot, actor_class: ActorClass | None) -> None:
        activation = slot.activation
        if activation is not None:
            self.instances += 1
            retired = RetiredSlot(slot, activation, self._gone)
            self._leaving[retired] = None
            slot.retired = retired
            slot.activation = None
            activation.slot = retired
        for event in slot.queue:
            event.carried = True  # who made it may be what another old instance waits for
        if actor_class is not None:
            slot.actor_class = actor_class
        else:
            slot.close(unserved(slot.actor_class.name))

    def _gone(self, retired: RetiredSlot, reset: bool) -> None:
        self._leaving.pop(retired, None)
        self.resets += reset
        if not self._leaving and not self._waiter.done():
            self._waiter.set_result(None)

    def _expire(self) -> None:
        for retired in list(self._leaving):
            retired.expire()


def _deliver(engine: Engine, slot: Slot, event: CallEvent) -> None:
    """As `Engine.deliver`, while instances of older code end: a call that one of them waits for,
    however many objects are between, may go to another one of them. Else neither would end."""
    caller = CURRENT.get()
    if caller is None:
        engine.deliver_plainly(slot, event)
    elif (gate := caller.activation.commits.gate).is_open:
        engine.deliver_late(caller, slot, event)
    else:
        gate.when_open(partial(engine.deliver_late, caller, slot, event), event.fail)


def updated() -> DurableObjectError:
    """Why an instance of older code was reset."""
    error = DurableObjectError("Durable Object reset because its code was updated.")
    error.retryable = True
    return error
