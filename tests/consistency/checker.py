"""The promises of the gates, each as a function over recorded events that yields what breaks it.

Pure code: it knows the events alone, not the host that made them. Sections are those of the
semantics in the docstring of each property.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from .events import (
    Began,
    Called,
    Constructed,
    Crashed,
    Durable,
    Ended,
    Entered,
    Event,
    Evicted,
    Evicting,
    Finished,
    Left,
    Read,
    Received,
    Refused,
    Reset,
    Resumed,
    State,
    Suspended,
    Wrote,
)

Events = Sequence[Event]
Complaints = Iterator[str]


def updates(events: Events) -> Complaints:
    """Storage is what one writer after the other makes of it: an instance finds what is on disk, a
    read sees the last write, and no write falls between a read and a write of one turn."""
    disk: dict[str, State] = defaultdict(dict)
    memory: dict[int, State] = {}
    savepoints: dict[int, list[State]] = defaultdict(list)
    read: dict[int, State] = defaultdict(dict)  # by the turn that runs, of each call
    for event in events:
        match event:
            case Durable(writes):
                for name, state in writes.items():
                    disk[name] |= state
            case Constructed(instance, name, found):
                memory[instance] = dict(disk[name])
                stored = {key: value for key, value in disk[name].items() if key != "alarm"}
                if dict(found) != stored:
                    yield f"instance {instance} found {found}, on disk is {stored}"
            case Read(call, instance, key, value):
                if memory[instance].get(key) != value:
                    yield f"call {call} read {key}: {value}, not {memory[instance].get(key)}"
                read[call][key] = value or (0, 0)
            case Wrote(call, instance, key, value):
                if key in read[call] and memory[instance].get(key, (0, 0)) != read[call][key]:
                    yield f"call {call} wrote {key} over what it had not read: an update is lost"
                memory[instance][key] = read[call][key] = value
            case Entered(_, instance, transaction=True):
                savepoints[instance].append(dict(memory[instance]))
            case Left(_, instance, transaction=True, kept=kept):
                before = savepoints[instance].pop()
                memory[instance] = memory[instance] if kept else before
            case Suspended(call) | Resumed(call) | Finished(call):
                read.pop(call, None)
            case _:
                pass


def turns(events: Events) -> Complaints:
    """One turn at a time, nothing while a constructor or a section of another call lasts, and who
    asked for a section goes on first when it ends (3.1, 3.2, 4.1)."""
    running: dict[int, int | None] = {}
    sections: dict[int, list[int]] = {}
    starting: set[int] = set()
    first: dict[int, int] = {}
    waits: dict[int, int] = defaultdict(int)  # how often each call is suspended, one in the other
    for event in events:
        match event:
            case Constructed(instance):
                running[instance] = None
                sections[instance] = []
                starting.add(instance)
            case Began(call, instance) | Resumed(call, instance) | Entered(call, instance):
                resumes = isinstance(event, Resumed)
                within = sections[instance]
                if running[instance] is not None:
                    yield f"call {call} runs in the turn of call {running[instance]}"
                if within and within[-1] != call:
                    yield f"call {call} runs in the section of call {within[-1]}"
                if instance in starting and not isinstance(event, Entered):
                    yield f"call {call} runs before instance {instance} has started"
                if first.pop(instance, call) != call or (instance in first and not resumes):
                    yield f"call {call} runs before the call whose section has ended"
                starting.discard(instance)
                running[instance] = call
                waits[call] -= resumes
                if isinstance(event, Entered):
                    within.append(call)
            case Suspended(call, instance) | Finished(call, instance) | Left(call, instance):
                if running[instance] != call:
                    yield f"call {call} ends a turn of call {running[instance]}"
                running[instance] = None
                waits[call] += isinstance(event, Suspended)
                if isinstance(event, Left):
                    sections[instance].pop()
                    if waits[call]:
                        first[instance] = call
            case Read(call, instance) | Wrote(call, instance):
                if running[instance] != call:
                    yield f"call {call} has storage in a turn of call {running[instance]}"
            case _:
                pass


class Units:
    """What must become durable whole: the writes of a turn, or of a transaction."""

    def __init__(self) -> None:
        self.index: dict[int, tuple[int, int]] = {}  # stamp -> instance, number of the unit
        self.closed: dict[int, int] = defaultdict(int)  # instance -> units that were closed
        self.durable: dict[int, int] = defaultdict(int)  # instance -> units that are on disk
        self._owner: dict[str, int] = {}
        self._pending: dict[int, list[State]] = defaultdict(list)
        self._open: dict[int, list[State]] = {}  # a state for each open transaction, and one more

    def take(self, event: Event) -> Complaints:
        """Follow the writes; yields what is on disk and may not be."""
        match event:
            case Constructed(instance, name):
                self._owner[name] = instance
                self._open[instance] = [{}]
            case Wrote(_, instance, key, value):
                self._open[instance][-1][key] = value
                self.index[value[1]] = (instance, self.closed[instance])
            case Entered(_, instance, transaction=True):
                self._open[instance].append({})
            case Left(_, instance, transaction=transaction, kept=kept):
                if transaction:
                    inner = self._open[instance].pop()
                    self._open[instance][-1] |= inner if kept else {}
                self._close(instance)
            case Suspended(_, instance) | Finished(_, instance):
                self._close(instance)
            case Durable(writes):
                for name, state in writes.items():
                    if not self._committed(self._owner[name], dict(state)):
                        yield f"what was committed of {name} is not whole turns: {state}"
            case _:
                pass

    def is_durable(self, stamp: int) -> bool:
        """Whether the unit that a write is in is on disk."""
        instance, number = self.index[stamp]
        return number < self.durable[instance]

    def _close(self, instance: int) -> None:
        if len(self._open[instance]) == 1 and self._open[instance][0]:
            self._pending[instance].append(self._open[instance][0])
            self._open[instance] = [{}]
            self.closed[instance] += 1

    def _committed(self, instance: int, state: State) -> bool:
        """Whether these are the next turns of the instance that lives, in order."""
        pending = self._pending[instance]
        merged: State = {}
        for number, unit in enumerate(pending, 1):
            merged |= unit
            if merged == state:
                del pending[:number]
                self.durable[instance] += number
                return True

        return False


def atomic(events: Events) -> Complaints:
    """What reaches the disk is whole turns and whole transactions, in order, of the instance that
    lives: nothing of one that was reset lands under its successor (4.6, 5.7)."""
    units = Units()
    for event in events:
        yield from units.take(event)


def visible(events: Events) -> Complaints:
    """Whoever hears from an object hears of nothing that a crash now would undo (4.3, 4.4)."""
    units = Units()
    for event in events:
        for _ in units.take(event):
            pass
        match event:
            case Ended(call, _, _, seen) if seen and not units.is_durable(seen):
                yield f"the caller of {call} heard of write {seen}, which is not on disk"
            case Received(instance, seen) if seen and not units.is_durable(seen):
                yield f"instance {instance} told of write {seen}, which is not on disk"
            case _:
                pass


def order(events: Events) -> Complaints:
    """Calls over one line start in the order they were issued (2.5)."""
    line: dict[int, str] = {}
    place: dict[int, int] = {}
    newest: dict[str, int] = {}
    for event in events:
        match event:
            case Called(call):
                line[call] = event.line
                place[call] = len(place)
            case Began(call) if call in line:
                before = newest.get(line[call], call)
                if place[before] > place[call]:
                    yield f"call {call} starts after call {before}, over {line[call]}"
                newest[line[call]] = call
            case _:
                pass


def instances(events: Events) -> Complaints:
    """One instance at a time: a new one only after a reason to end the one before, whose code does
    nothing any more (2.5, 3.1)."""
    name_of: dict[int, str] = {}
    newest: dict[str, int] = {}
    ended: set[str] = set()  # objects whose instance may be gone
    evicting: dict[str, int] = defaultdict(int)
    for event in events:
        match event:
            case Constructed(instance, name):
                if name in newest and name not in ended and not evicting[name]:
                    yield f"instance {instance} of {name}, while {newest[name]} lives"
                name_of[instance] = name
                newest[name] = instance
                ended.discard(name)
            case Reset(name) | Refused(name):
                ended.add(name)
            case Evicting(name):
                evicting[name] += 1
            case Evicted(name):
                evicting[name] -= 1
                ended.add(name)
            case Crashed():
                ended.update(newest)
            case (
                Began(call, instance)
                | Resumed(call, instance)
                | Entered(call, instance)
                | Read(call, instance)
                | Wrote(call, instance)
            ):
                if newest[name_of[instance]] != instance:
                    yield f"call {call} runs in instance {instance}, which has a successor"
            case _:
                pass


def endings(events: Events) -> Complaints:
    """Every call starts at most once and ends once, by its handler or by a reset; a stub stays
    broken after that; a new one finds an object that works (2.6, 4.5)."""
    calls: dict[int, Called] = {}
    began: set[int] = set()
    ended: set[int] = set()
    broken: set[str] = set()
    late: set[int] = set()  # issued over a stub that had a reset
    for event in events:
        match event:
            case Called(call) if call > 0:
                calls[call] = event
                late |= {call} if event.line in broken else set()
            case Began(call) if call > 0:
                if call in began or call in late:
                    yield f"call {call} starts, twice or over a broken stub"
                began.add(call)
            case Ended(call, outcome):
                if call in ended:
                    yield f"call {call} ends twice"
                ended.add(call)
                if outcome == "reset":
                    broken.add(calls[call].line)
                elif outcome in ("ok", "raised"):
                    if call not in began:
                        yield f"call {call} ends and never began"
                elif outcome != "closed":
                    yield f"call {call} ends with {outcome}"
                if calls[call].probe and outcome != "ok":
                    yield f"call {call} to an object that has no trouble ends with {outcome}"
            case _:
                pass
    for call in calls.keys() - ended:
        yield f"call {call} never ends"


PROPERTIES: tuple[Callable[[Events], Complaints], ...] = (
    updates,
    turns,
    atomic,
    visible,
    order,
    instances,
    endings,
)


def complaints(events: Events) -> list[str]:
    """Everything that the events break."""
    return [
        f"{checked.__name__}: {complaint}"
        for checked in PROPERTIES
        for complaint in checked(events)
    ]
