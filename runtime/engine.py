"""What runs the objects of one host: its slots, and all that they share.

No application, no network: a `Host` gives it both.
"""

from __future__ import annotations

import logging
import random
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..storage import Batch, Partition
from ..storage.limits import EntryLimits
from .activation import Activation
from .alarm_event import AlarmEvent, AlarmOutcome
from .alarm_scheduler import AlarmScheduler
from .channel import LocalChannel
from .commits import Commits
from .durable_object import ActorClass, DurableObject
from .errors import OverloadedError, unserved
from .event_kind import ResetCause
from .events import CURRENT, RunEvent
from .instance_limit import InstanceLimit
from .object_id import RecordedId
from .slot import Slot
from .task_pool import TaskPool
from .timers import Timers
from .watchdog import CommitWatchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio.abc import TaskGroup

    from .alarm_retry import Retries
    from .backend import Backend
    from .clock import Clock
    from .events import CallEvent, Event
    from .meter import Meter
    from .object_id import DurableObjectId, IdFactory
    from .settings import HostSettings

logger = logging.getLogger("roomhost.runtime")


class Engine:
    """The running objects of one partition."""

    def __init__(
        self,
        group: TaskGroup,
        backend: Backend,
        clock: Clock,
        partition: Partition,
        settings: HostSettings,
        meters: Mapping[int, Meter],
    ) -> None:
        """`meters`: by namespace number, as `Observer.meters`."""
        self.backend = backend
        self.clock = clock
        self.partition = partition
        self.settings = settings
        self.meters = meters
        self.entry_limits = EntryLimits(settings.max_key_bytes, settings.max_entry_bytes)
        self.idle_eviction_ms = round(settings.idle_eviction_seconds * 1000)
        self.pool = TaskPool(group, backend)
        self.timers = Timers(clock, backend)
        self.alarms = AlarmScheduler(
            partition, self.timers, clock, self._fire_alarm, self._give_up_alarm, random.random
        )
        self.classes: dict[int, ActorClass] = {}  # by namespace number
        self.ids_of: dict[int, Callable[[str | None], IdFactory]] = {}  # likewise
        # How calls are delivered; otherwise while a deploy ends instances of older code.
        self.deliver: Callable[[Slot, CallEvent], None] = self.deliver_plainly
        # Why nothing more is delivered, once the host stops.
        self.refusal: Callable[[], BaseException] | None = None
        # A slot lives as long as anyone cares: a stub, or the host while something is in memory.
        self._slots: WeakValueDictionary[tuple[int, bytes], Slot] = WeakValueDictionary()
        self._resident: dict[Slot, None] = {}  # in order of arrival
        self.instances = InstanceLimit(settings.max_instances, clock, lambda: self.resident)
        # Objects that were reset while the writer had batches of theirs: see `may_start`.
        self._unsettled: dict[tuple[int, bytes], list[Callable[[], object]]] = {}
        self._on_quiet: list[Callable[[], object]] = []
        partition.on_idle(self.became_quiet)
        self._watchdog = CommitWatchdog(partition, self.timers, self._commits_are_stuck)

    @property
    def known(self) -> list[Slot]:
        """Every slot that a stub holds, or of which something is in memory."""
        return list(self._slots.values())

    @property
    def resident(self) -> list[Slot]:
        """The slots of which something is in memory."""
        return list(self._resident)

    def resident_slot(self, namespace: int, data: bytes) -> Slot | None:
        """The slot of the object with these bytes for an id, if something of it is in memory."""
        slot = self._slots.get((namespace, data))
        return slot if slot in self._resident else None

    @property
    def resident_count(self) -> int:
        """How many they are."""
        return len(self._resident)

    @property
    def quiet(self) -> bool:
        """Whether the writer has answered everything."""
        return self.partition.idle

    def when_quiet(self, callback: Callable[[], object]) -> None:
        """Call `callback()` once, when the writer has answered everything; at once if it has."""
        if self.quiet:
            callback()
        else:
            self._on_quiet.append(callback)

    def slot(self, namespace: int, object_id: DurableObjectId) -> Slot:
        """The slot of an object; it starts nothing."""
        key = (namespace, bytes(object_id))
        slot = self._slots.get(key)
        if slot is None:
            actor_class = self.classes.get(namespace)
            if actor_class is None:  # of a stub that is older than the last deploy
                slot = self.new_slot(namespace, ActorClass(DurableObject), object_id)
                slot.broken = unserved("of this object")
                return slot

            slot = self._slots[key] = self.new_slot(namespace, actor_class, object_id)
        return slot

    def new_slot(self, namespace: int, actor_class: ActorClass, object_id: DurableObjectId) -> Slot:
        """A slot for an object that has none."""
        return Slot(self, namespace, actor_class, object_id)

    def channel(self, namespace: int, object_id: DurableObjectId) -> LocalChannel:
        """The way to an object, for a stub."""
        return LocalChannel(self, namespace, object_id)

    def activation(self, slot: Slot) -> Activation:
        """A new activation for a slot that has none."""
        commits = self.commits_of(slot)
        slot.meter.activations += 1
        self.instances.count += 1
        return Activation(slot, self, slot.actor_class, commits)

    def commits_of(self, slot: Slot) -> Commits:
        """What makes writes of an object durable, for its one owner."""
        number = slot.number
        if number is None:
            number = self.partition.find(slot.namespace, bytes(slot.id))
            if number is None:
                number = self.partition.allocate()
            slot.number = number
        return Commits(self.partition, self.backend, number, self.entry_limits)

    def may_start(self, slot: Slot) -> bool:
        """Whether an instance of the object may start now.

        Not while batches of an instance that was reset are with the writer: the new one would read
        the state before them, and they would land under it. Nor while one of older code is there.
        Its events wait until then.
        """
        self._resident[slot] = None
        if slot.retired is not None:
            return False

        waiting = self._unsettled.get(slot.key)
        if waiting is None:
            return True

        waiting.append(partial(self.pool.run, slot))
        return False

    def discard(self, slot: Slot, activation: Activation, *, dead: bool = True) -> None:
        """An activation was reset. `dead`: its slot is too, the next stub finds another."""
        if dead:
            self.forget(slot)
            self.unlist(slot)
        self._unsettled.setdefault(slot.key, [])
        if activation.commits.in_flight == 0:
            self.settled(slot, activation.commits)

    def unlist(self, slot: Slot) -> None:
        """The next stub of the object finds another slot."""
        if self._slots.get(slot.key) is slot:
            del self._slots[slot.key]

    def hold(self, slot: Slot) -> bool:
        """Let no instance of an object start until `settled`; whether none is there, or about to be."""
        if slot.running is not None or slot.queue or slot.key in self._unsettled:
            return False

        self._unsettled[slot.key] = []
        return True

    def settled(self, slot: Slot, commits: Commits) -> None:
        """The last batch of an activation that was reset, or of what held its object, is done: the
        object may start again."""
        waiting = self._unsettled.pop(slot.key, None)
        if waiting is None:
            return

        self.partition.forgive(commits.number)
        for callback in waiting:
            callback()

    def forget(self, slot: Slot) -> None:
        """Nothing of the object is in memory."""
        self._resident.pop(slot, None)

    def deliver_plainly(self, slot: Slot, event: CallEvent) -> None:
        """Deliver a call to an object, once what the calling object wrote before is durable."""
        caller = CURRENT.get()
        if caller is None:
            # What comes from outside is refused while the host stops; what runs may still call.
            if self.refusal is None:
                slot.deliver(event)
            else:
                event.fail(self.refusal())
        elif (gate := caller.activation.commits.gate).is_open:
            slot.deliver(event)
        else:
            gate.when_open(partial(self.deliver_late, caller, slot, event), event.fail)

    def deliver_late(self, caller: Event, slot: Slot, event: CallEvent) -> None:
        """Deliver a call that the handler of `caller` has made, perhaps before a deploy."""
        event.carried = caller.carried or caller.activation.slot.of_older_code
        if event.carried and slot.retired is not None:
            slot.retired.carry(event)
        else:
            slot.deliver(event)

    def became_quiet(self) -> None:
        """The writer has answered everything, or will answer no more."""
        waiting, self._on_quiet = self._on_quiet, []
        for callback in waiting:
            callback()

    def _commits_are_stuck(self) -> None:
        """The disk has not answered for 30 s: what waits for it is told so (4.3)."""
        for slot in self.resident:
            activation = slot.running
            if activation is not None and activation.commits.in_flight:
                activation.reset(
                    OverloadedError(
                        "Durable Object storage operation exceeded timeout which caused object to "
                        "be reset."
                    ),
                    ResetCause.COMMIT_TIMEOUT,
                )

    def _fire_alarm(self, number: int, due_ms: int, retries: Retries) -> None:
        record = self.partition.record(number)
        if record is None or record.namespace not in self.classes:
            logger.warning("an alarm of an unknown object (number %d) is passed over", number)
            self.alarms.finished(number, due_ms, AlarmOutcome(ran=False))
            return

        object_id = RecordedId(record.id, record.name, self.ids_of[record.namespace])
        event = AlarmEvent(
            object_id, due_ms, retries, partial(self.alarms.finished, number, due_ms)
        )
        slot = self.slot(record.namespace, object_id)
        slot.meter.alarm_fires((self.clock.now_ms() - due_ms) / 1_000, retries.total > 0)
        slot.number = number
        slot.recorded = object_id
        slot.deliver(event)

    def _give_up_alarm(self, number: int, due_ms: int) -> None:
        """Delete an alarm that failed too often, unless a newer one took its place."""
        record = self.partition.record(number)
        if record is None:
            return

        unsettled = self._unsettled.get((record.namespace, record.id))
        slot = self._slots.get((record.namespace, record.id))
        if unsettled is not None:
            # The instance that failed may have set a newer one, which is on its way to the disk.
            unsettled.append(partial(self._give_up_alarm, number, due_ms))
            return

        self.meters[record.namespace].alarms_given_up += 1
        if slot is not None and (activation := slot.running) is not None:
            # Through the gate: a transaction that runs must not undo it.
            give_up = partial(_delete_alarm, activation.commits, due_ms)
            activation.run_soon(RunEvent(give_up, _ignore, _ignore), activation.input_gate)
        elif self.partition.store(number).alarm() == due_ms:
            batch = Batch(number=number, record=None, clear=False, writes={}, alarm=None)
            self.partition.submit(batch, partial(self._gave_up, number))

    def _gave_up(self, number: int, error: BaseException | None) -> None:
        if error is None:
            self.alarms.changed(number, None)
        else:
            self.partition.forgive(number)


def _delete_alarm(commits: Commits, due_ms: int) -> None:
    if commits.use().get_alarm() == due_ms:
        commits.overlay.set_alarm(None)
        commits.wrote(confirmed=False)


def _ignore(_outcome: object) -> None:
    """Nobody waits for it."""
