"""An object as one host knows it while anything of it is in memory: its queue, its activation, its
hibernating sockets.

It promises that one object never runs twice at once: events that find no activation queue, and the
first of them to be served starts the one instance for all.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, ClassVar

from ..storage import ObjectRecord, StorageError
from . import limits
from .backlog import Backlog, waited_too_long
from .errors import OverloadedError
from .events import CURRENT
from .hibernation import HibernationManager
from .object_id import visible_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anyio import CancelScope

    from .activation import Activation
    from .durable_object import ActorClass
    from .engine import Engine
    from .events import Event
    from .object_id import DurableObjectId
    from .retirement import RetiredSlot
    from .web_socket import WebSocket


class Slot:
    """Stubs hold it, so that they meet the same object again across evictions, and stay broken with
    it after a reset: a reset slot is dead, a new stub finds a new one (semantics.md 2.6).
    """

    __slots__ = (
        "__weakref__",
        "_served",
        "_starting_late",
        "activation",
        "actor_class",
        "backlog",
        "broken",
        "engine",
        "id",
        "meter",
        "namespace",
        "number",
        "queue",
        "recorded",
        "retired",
        "sockets",
    )

    of_older_code: ClassVar[bool] = False  # whether it is that of an instance that a deploy ends

    def __init__(
        self, engine: Engine, namespace: int, actor_class: ActorClass, object_id: DurableObjectId
    ) -> None:
        self.engine = engine
        self.namespace = namespace
        self.meter = engine.meters[namespace]
        self.actor_class = actor_class
        self.id = object_id
        self.number: int | None = None  # in the partition, once it is known: it stays
        # An id that says what the object's record says, if one was made from that.
        self.recorded: DurableObjectId | None = None
        self.activation: Activation | None = None
        # Delivered, not begun, in order of delivery. A list, which is nearly always short: an empty
        # deque would take more memory than the rest of the slot.
        self.queue: list[Event] = []
        self._served = False  # a task takes from the queue, or will
        self._starting_late = False  # see `Engine.may_start`
        self.backlog = Backlog(engine.settings, engine.timers)
        self.sockets: HibernationManager | None = None
        self.broken: BaseException | None = None
        # With an instance of older code, which ends: `activation` is None until then.
        self.retired: RetiredSlot | None = None

    @property
    def running(self) -> Activation | None:
        """The instance in memory, be it of older code."""
        if self.activation is None and self.retired is not None:
            return self.retired.activation

        return self.activation

    @property
    def key(self) -> tuple[int, bytes]:
        """What identifies the object in its partition."""
        return (self.namespace, bytes(self.id))

    def deliver(self, event: Event) -> None:
        """Take an event, in order. It fails at once when the object is reset or has too much queued."""
        if self.broken is not None:
            self._refuse(event, self.broken)
            return

        if event.refusable:
            refusal = self.backlog.take(event, len(self.queue))
            if refusal is not None:
                self._refuse(event, refusal)
                return

        event.delivered = True
        self.queue.append(event)
        if self._served:
            event.arrived = perf_counter()
        else:
            self._served = True
            if self.activation is not None or self.engine.may_start(self):
                self.engine.pool.run(self)
            else:
                self._starting_late = True
        if self._starting_late:
            self.backlog.hold(event, self._overdue)

    async def serve(self, scope: CancelScope) -> None:
        """Run the first turn of each event that is queued, in order. One task at a time does this;
        when a handler suspends the task stays with it and another one takes the queue."""
        for _ in range(limits.MAX_EVENTS_AT_ONCE):
            if not self.queue:
                self._served = False
                break

            activation = self.activation or self._start()
            if activation is None or activation.broken is not None:
                break

            event = self.queue.pop(0)
            event.gate = gate = activation.input_gate
            event.activation = activation  # `adopt`
            activation.events[event] = None
            if gate.closed:
                activation.wait_at_gate(event)
                continue

            if event.size or event.overdue is not None:
                self.backlog.leave(event)

            suspended = activation.begin(event)
            if suspended is not None:
                self._serve_on()
                await activation.go_on(event, suspended, scope)
                return

        else:
            self._serve_on()
        CURRENT.set(None)

    def serve_soon(self) -> None:
        """Have a task take the queue, if none does and something is in it."""
        if not self._served:
            self._serve_on()

    def _serve_on(self) -> None:
        """Let another task take the queue, if there is one."""
        self._served = bool(self.queue)
        if self._served:
            self.engine.pool.run(self)

    def accept(self, ws: WebSocket, tags: Iterable[str]) -> None:
        """Make `ws` one of the object's hibernatable sockets."""
        self.sockets_of_object().accept(ws, tags)

    def sockets_of_object(self) -> HibernationManager:
        """The object's socket manager, made when it is first needed."""
        if self.sockets is None:
            self.sockets = HibernationManager(self)
        return self.sockets

    def unstored(self) -> ObjectRecord | None:
        """What is not stored about the object: who it is, or only its name."""
        if self.recorded is self.id:
            return None

        record = ObjectRecord(self.namespace, bytes(self.id), visible_name(self.id.name))
        partition = self.engine.partition
        try:
            stored = None if self.number is None else partition.record(self.number)
        except StorageError:
            return record  # the batch will fail too, in its turn

        known = stored is not None and (record.name is None or stored.name == record.name)
        return None if known else record

    def evicted(self, activation: Activation) -> None:
        """The activation has ended; what hibernates stays."""
        self.activation = None
        self.meter.evictions += 1
        self.release()

    def release(self) -> None:
        """Let the host forget the object, once nothing of it is left in memory."""
        sockets = self.sockets
        if self.activation is None and not self.queue and (sockets is None or sockets.empty):
            if self.retired is None:
                self.engine.forget(self)

    def resume(self) -> None:
        """The instance of older code has ended: what waits starts a new one."""
        self.retired = None
        self._served = bool(self.queue)
        if not self._served:
            self.release()
        elif self.engine.may_start(self):
            self.engine.pool.run(self)

    def close(self, cause: BaseException) -> None:
        """The object is not served any more: what comes fails, what waits and its sockets end. What
        runs may end."""
        self.broken = cause
        self.engine.unlist(self)
        self.fail_queue(cause)
        if self.sockets is not None:
            self.sockets.restart()
        self.release()

    def broke(self, activation: Activation, cause: BaseException) -> None:
        """The activation was reset: this slot is dead, its waiting events and sockets too."""
        self.broken = cause
        self.engine.discard(self, activation)
        self.fail_queue(cause)
        if self.sockets is not None:
            self.sockets.drop()

    def _start(self) -> Activation | None:
        """Start the instance. None: one of older code is there, see `resume`; or storage cannot be
        read, or there are too many in memory, and who waited has been told."""
        if self.retired is not None:
            return None

        self._starting_late = False
        self.id = self.queue[0].object_id or self.id
        try:
            # What an object must learn whatever happens is never refused.
            instances = self.engine.instances
            if instances.count >= instances.most and all(each.refusable for each in self.queue):
                instances.make_room()
            self.activation = activation = self.engine.activation(self)
        except (StorageError, OverloadedError) as error:
            self.fail_queue(error)
            self._served = False
            self.release()
            return None

        activation.start(self.id)
        return activation

    def fail_queue(self, cause: BaseException) -> None:
        """Nothing that was delivered and has not begun will begin."""
        waiting, self.queue = self.queue, []
        for event in waiting:
            self.backlog.leave(event)
            self._refuse(event, cause)

    def _overdue(self, event: Event) -> None:
        self.queue.remove(event)
        self.meter.refused(self, event, waited_too_long())

    def _refuse(self, event: Event, error: BaseException) -> None:
        self.meter.refused(self, event, error)
        event.fail(error)
