"""One life of an object in memory: its instance, its gates, and the events in it.

It promises the object's code that it runs one turn at a time, that it resumes only through the
input gate, and that nothing it emits leaves before what it depends on is durable. It ends in one of
two ways: evicted, when nothing is in it, so that nobody notices; or broken, at once, with a cause
that every caller in flight is told.
"""

from __future__ import annotations

import logging
from enum import Enum
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class

from .backlog import waited_too_long
from .commits import no_longer_accessible
from .errors import Aborted, DurableObjectError, reset_error
from .event_kind import ResetCause
from .events import CURRENT, CallEvent, Event, StartEvent
from .gated import Suspended, first_turn, later_turns
from .idleness import Idleness
from .input_gate import InputGate
from .interrupts import is_interrupt
from .ownership import check_owner
from .state import DurableObjectState
from .streams import gated_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope

    from ..storage import ObjectRecord
    from .commits import Commits
    from .durable_object import ActorClass
    from .engine import Engine
    from .http import Response
    from .input_gate import Lock
    from .object_id import DurableObjectId
    from .slot import Slot
    from .timers import Timer

logger = logging.getLogger("roomhost.runtime")


class ActivationState(Enum):
    """Where an activation is in its life."""

    STARTING = "starting"  # The constructor runs. Next: RUNNING, BROKEN.
    RUNNING = "running"  # Takes events. Next: EVICTED, BROKEN.
    EVICTED = "evicted"  # Dropped while nothing was in it. No next.
    BROKEN = "broken"  # Reset, with a cause. No next.


NEXT_STATES = {
    ActivationState.STARTING: {ActivationState.RUNNING, ActivationState.BROKEN},
    ActivationState.RUNNING: {ActivationState.EVICTED, ActivationState.BROKEN},
    ActivationState.EVICTED: set[ActivationState](),
    ActivationState.BROKEN: set[ActivationState](),
}


class Activation:
    """One instance of an actor class, for one object id."""

    __slots__ = (
        "_idleness",
        "actor_class",
        "broken",
        "commits",
        "engine",
        "events",
        "input_gate",
        "instance",
        "meter",
        "new_waiter",
        "pins",
        "slot",
        "state",
        "turn",
    )

    instance: Any

    def __init__(
        self, slot: Slot, engine: Engine, actor_class: ActorClass, commits: Commits
    ) -> None:
        self.slot = slot
        self.meter = slot.meter
        self.engine = engine
        self.actor_class = actor_class
        self.commits = commits
        self.input_gate = InputGate()
        self.new_waiter = engine.backend.waiter
        self.state = ActivationState.STARTING
        self.broken: BaseException | None = None
        self.events: dict[Event, None] = {}  # in order, from delivery until the outcome has left
        self.pins = 0  # accepted sockets that cannot hibernate
        self.turn: Event | None = None  # whose code runs right now
        self._idleness = Idleness(self)
        commits.owner = self

    def __repr__(self) -> str:
        what = f"{self.actor_class.name} {self.slot.id}"
        return f"<Activation {what} [{self.state.value}: {len(self.events)} events]>"

    @property
    def starting(self) -> bool:
        """Whether the constructor is running."""
        return self.state is ActivationState.STARTING

    @property
    def busy(self) -> bool:
        """Whether something is in it that will end by itself."""
        return bool(self.events) or bool(self.slot.queue) or not self.commits.settled

    @property
    def idle(self) -> bool:
        """Whether nothing is in it, so that it can be evicted unnoticed."""
        return not self.pins and not self.busy

    @property
    def idle_since_ms(self) -> int:
        """Since when, where it is idle."""
        return self._idleness.since_ms

    def start(self, object_id: DurableObjectId) -> None:
        """Run the constructor. When it raises, the object is reset with its error."""
        event = StartEvent()
        event.activation = self
        event.gate = self.input_gate
        token = CURRENT.set(event)
        self.begin_turn(event)
        try:
            ctx = DurableObjectState(self, object_id)
            self.instance = self.actor_class.type(ctx, self.actor_class.env)
        except BaseException as error:
            if not isinstance(error, Aborted):
                self.reset(error, ResetCause.CONSTRUCTOR)
            if is_interrupt(error):
                raise
        finally:
            self.end_turn(event)
            CURRENT.reset(token)
        if self.broken is None:
            self._become(ActivationState.RUNNING)

    def wait_at_gate(self, event: Event) -> None:
        """Run an adopted event when its gate, which is closed, lets it in."""
        backlog = self.slot.backlog

        def admit(lock: Lock) -> None:
            backlog.at_gate(event, -1)
            backlog.leave(event)
            if event.finished:
                lock.release()
                self._check_idle()
            else:
                event.lock = lock
                self.launch(event)

        backlog.at_gate(event, 1)
        if event.overdue is not None:
            event.overdue.cancel()  # it would look for the event in the queue that it has left
        if not event.arrived:
            event.arrived = perf_counter()
        backlog.hold(event, self._overdue)
        event.gate.wait(admit, _ignore)  # a reset tells the event itself

    def _overdue(self, event: Event) -> None:
        self.events.pop(event, None)
        self.meter.refused(self.slot, event, waited_too_long())

    def begin(self, event: Event) -> Suspended | None:
        """Run the first turn of an event that has entered. When that is all, its outcome leaves;
        otherwise `go_on` with what is returned, in the same task.

        The caller sets `CURRENT` to None before the task waits again: else it would keep the event,
        and all that holds.
        """
        CURRENT.set(event)
        event.began = perf_counter()
        self.turn = event  # `begin_turn`
        try:
            try:
                result = first_turn(event)
            finally:
                self.end_turn(event)
            if type(result) is Suspended:
                return result

            result = event.outcome(result)
        except BaseException as error:
            self._failed(event, error)
            if is_interrupt(error):
                raise
        else:
            self._ended(event, result)
        return None

    async def go_on(self, event: Event, suspended: Suspended, scope: CancelScope) -> None:
        """Run the later turns of an event, and let its outcome leave."""
        event.scope = scope
        if self.broken is not None:
            scope.cancel()
        try:
            result = event.outcome(await later_turns(event, suspended, self.new_waiter))
        except BaseException as error:
            event.scope = None
            self._failed(event, error)
            if is_interrupt(error):
                raise
        else:
            event.scope = None
            self._ended(event, result)
        finally:
            CURRENT.set(None)

    def adopt(self, event: Event) -> None:
        """The event is in flight from now on: it keeps the instance in memory."""
        event.activation = self
        self.events[event] = None

    def launch(self, event: Event) -> None:
        """Run an event that the object's own code started; it has been adopted."""
        self.engine.pool.run(Launch(self, event))

    def run_soon(self, event: Event, gate: InputGate) -> None:
        """Adopt and launch an event at the object's own gate, or at that of a section in it."""
        event.gate = gate
        self.adopt(event)
        self.launch(event)

    def begin_turn(self, event: Event) -> None:
        """Code for `event` runs from here on, synchronously, until `end_turn`."""
        self.turn = event

    def end_turn(self, event: Event) -> None:
        """It suspended or ended: its writes become one batch, and the next in line may enter."""
        self.turn = None
        if self.commits.written:
            self.commits.flush()
        if event.after_turn is not None:
            event.after_turn()
            event.after_turn = None
        lock = event.lock
        if lock is not None:
            event.lock = None
            lock.release()

    def reset(self, cause: BaseException, why: ResetCause = ResetCause.OTHER) -> None:
        """Break the activation: every caller in flight gets `cause`, nothing unwritten is kept.

        Only the first cause counts. A new stub starts a new instance from what is durable. `why` is for
        figures: a commit that failed is seen by the cause.
        """
        if self.state in (ActivationState.BROKEN, ActivationState.EVICTED):
            return

        self.meter.reset(self.slot, why, cause)
        self._become(ActivationState.BROKEN)
        self.engine.instances.count -= 1
        self.broken = reset_error(cause)
        self.commits.close(no_longer_accessible(broken=True), broken=cause)
        self.slot.broke(self, cause)
        self.input_gate.break_with(cause)
        for event in list(self.events):
            scope = event.scope
            self.slot.backlog.leave(event)
            self._count(event, cause)
            event.fail(cause)
            if scope is not None:
                scope.cancel()
        self.events.clear()
        self._idleness.end()

    def evict(self) -> bool:
        """Drop the instance if nothing is in it; whether it was dropped."""
        if self.state is not ActivationState.RUNNING or not self.idle:
            return False

        self._become(ActivationState.EVICTED)
        self.engine.instances.count -= 1
        self._idleness.end()
        self.commits.close(no_longer_accessible(broken=False))
        # Cut the circles through the instance, so that its memory is free now, not at a collection.
        self.commits.owner = None
        self.instance = None
        self.slot.evicted(self)
        return True

    def when_idle(self, callback: Callable[[], object], *, pinned: bool = False) -> None:
        """Call `callback()` once, when nothing is in it or it has ended; at once if that is so.
        With `pinned` also when only sockets of its own keep it in memory."""
        ready = self.idle or (pinned and not self.busy)
        if ready or self.state in (ActivationState.EVICTED, ActivationState.BROKEN):
            callback()
        else:
            self._idleness.wait(callback, pinned=pinned)

    async def settled(self) -> None:
        """Return when every batch handed over so far is durable; raise when one of them fails."""
        waiter = self.new_waiter()
        self.commits.gate.when_settled(partial(_set, waiter, None), partial(_refuse, waiter))
        await waiter

    async def opened(self) -> None:
        """Return when what is emitted now may leave; raise when it may not."""
        gate = self.commits.gate
        if not gate.is_open:
            waiter = self.new_waiter()
            gate.when_open(partial(_set, waiter, None), partial(_refuse, waiter))
            await waiter

    def now_ms(self) -> int:
        """The host's time, milliseconds since the epoch."""
        return self.engine.clock.now_ms()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback()` in `seconds` of the host's time."""
        return self.engine.timers.after(seconds, callback)

    def own_stream(self, response: Response) -> Response:
        """Have a streaming body of this object read under its gates, like the rest of its code."""
        return gated_stream(self, response)

    def pin(self, change: int) -> None:
        """One more (1) or one less (-1) reason to keep the instance in memory."""
        self.pins += change
        self._check_idle()

    def _ended(self, event: Event, result: Any) -> None:
        """The handler of `event` ended well: its outcome leaves when it may."""
        gate = self.commits.gate
        if gate.is_open or event.internal:
            self.events.pop(event, None)
            self.meter.ended(event)
            event.succeed(result)
            if not self.events:
                self._check_idle()
        else:
            leaving = Leaving(self, event, result)
            gate.when_open(leaving, leaving)

    def left(self, event: Event, result: Any, cause: BaseException | None) -> None:
        """The output gate opened for the outcome of `event`, or refused it with a cause."""
        self.events.pop(event, None)
        if cause is None:
            self.meter.ended(event)
            event.succeed(result)
        else:
            self._count(event, cause)
            event.fail(cause)
        self._check_idle()

    def _count(self, event: Event, error: BaseException) -> None:
        """An event ends with an error."""
        if event.began:
            self.meter.failed(event, error)
        else:
            self.meter.refused(self.slot, event, error)

    def _fail(self, event: Event, error: BaseException) -> None:
        self.events.pop(event, None)
        self._count(event, error)
        event.fail(error)
        self._check_idle()

    def _failed(self, event: Event, error: BaseException) -> None:
        """The handler of `event` ended with an error, which leaves as a result would."""
        if event.finished:
            self.events.pop(event, None)
            self._check_idle()
            return

        if isinstance(error, get_cancelled_exc_class()):
            error = DurableObjectError(
                "Connection closed: this Durable Object instance is no longer active. "
                "Reconnect or retry the request."
            )
            error.retryable = True
        if not isinstance(event, CallEvent):
            logger.debug("a handler of %r raised", self, exc_info=error)
        gate = self.commits.gate
        if gate.is_open or event.internal:
            self._fail(event, error)
        else:
            gate.when_open(partial(self._fail, event, error), partial(self._fail, event))

    def _become(self, state: ActivationState) -> None:
        if state not in NEXT_STATES[self.state]:
            raise RuntimeError(
                f"an activation that is {self.state.value} cannot become {state.value}"
            )

        self.state = state

    def unstored(self) -> ObjectRecord | None:
        """What is not stored about the object yet; asked once, for the first batch."""
        return self.slot.unstored()

    def alarm_changed(self, due_ms: int | None) -> None:
        """A batch that changed the alarm is durable."""
        self.engine.alarms.changed(self.commits.number, due_ms)

    def check_caller(self) -> None:
        """None of its turns runs. DurableObjectError: another object's does."""
        check_owner(self.slot, "this storage")

    def settled_all(self) -> None:
        """Nothing is in flight any more."""
        if self.broken is not None:
            self.engine.settled(self.slot, self.commits)
        else:
            self._check_idle()

    def _check_idle(self) -> None:
        if self.events or self.slot.queue or not self.commits.settled:
            return

        if self.state is not ActivationState.RUNNING:
            return

        if self.pins:
            self._idleness.pinned()
        else:
            self._idleness.begin()


class Leaving:
    """The outcome of one event at the output gate: both what is called when that opens, and what is
    called with the cause when it refuses."""

    __slots__ = ("_activation", "_event", "_result")

    def __init__(self, activation: Activation, event: Event, result: Any) -> None:
        self._activation = activation
        self._event = event
        self._result = result

    def __call__(self, cause: BaseException | None = None) -> None:
        self._activation.left(self._event, self._result, cause)


class Launch:
    """The job of running one event apart from the object's queue: code that the object started
    itself, or an event that waited at the gate."""

    __slots__ = ("_activation", "event")

    def __init__(self, activation: Activation, event: Event) -> None:
        self._activation = activation
        self.event = event

    async def serve(self, scope: CancelScope) -> None:
        """Run the event, unless the object was reset before it began."""
        activation, event = self._activation, self.event
        if event.finished:
            return

        if event.lock is None and event.gate.closed:
            activation.wait_at_gate(event)
            return

        suspended = activation.begin(event)
        if suspended is None:
            CURRENT.set(None)
        else:
            await activation.go_on(event, suspended, scope)


def _set(waiter: Any, result: object) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _refuse(waiter: Any, error: BaseException) -> None:
    if not waiter.done():
        waiter.set_exception(error)


def _ignore(_outcome: object) -> None:
    """Nobody waits for it."""
