"""The input gate: what may enter an object, and when.

It promises to the code of one object that nothing is delivered to it while a lock is held: events
and continuations queue, first in first out, and exactly one is let in each time the last lock is
released (semantics.md 4.1). A critical section is a gate inside a gate: it holds its parent's lock
from its start to its end, and has a queue of its own for what was started inside it. Sections nest
as a tree. When one fails the whole gate breaks, for good: every present and future wait is refused
with that first cause.

Pure state: callbacks go in, callbacks are called; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Refuse = Callable[[BaseException], object]


class Lock:
    """One hold on a gate. Whoever got it releases it exactly once."""

    __slots__ = ("_gate",)

    def __init__(self, gate: InputGate) -> None:
        self._gate: InputGate | None = gate

    def release(self) -> None:
        """Give up the hold; when it is the last one, the next in line is let in. RuntimeError: twice."""
        gate = self._gate
        if gate is None:
            raise RuntimeError("this lock of the input gate is released already")

        self._gate = None
        gate.live().unlock()


if TYPE_CHECKING:
    Admit = Callable[[Lock], object]
    Wait = tuple[Admit, Refuse]
    Waits = deque[Wait]


class InputGate:
    """The gate of one object, and the base of the critical sections inside it.

    Its queues are made when somebody has to wait: most objects never have a critical section, and
    three empty containers would take more memory than all else of an idle object's gates.
    """

    __slots__ = ("_broken", "_holds", "_sections_waiting", "_waiting", "on_broken", "sections")

    depth = 0

    def __init__(self) -> None:
        self._holds = 0
        # Sections that start inside this gate go before ordinary events of the same gate.
        self._sections_waiting: Waits | None = None
        self._waiting: Waits | None = None
        self._broken: BaseException | None = None
        self.sections: dict[CriticalSection, None] | None = None
        self.on_broken: Callable[[BaseException], object] | None = None

    @property
    def closed(self) -> bool:
        """Whether a wait would not be let in at once."""
        return self._holds > 0 or self._broken is not None

    @property
    def broken(self) -> BaseException | None:
        """The first cause of the breakage, if the gate is broken."""
        return self.root()._broken

    def root(self) -> InputGate:
        """The object's own gate, the root of the tree."""
        return self

    def live(self) -> InputGate:
        """The gate that stands for this one: itself, until it is a section that has ended."""
        return self

    def wait(self, admit: Admit, refuse: Refuse) -> None:
        """Call `admit(lock)` once in turn, at once when the gate is open, or `refuse(cause)`."""
        if self._enters(admit, refuse):
            self._waiting = _with(self._waiting, (admit, refuse))

    def wait_for_section(self, admit: Admit, refuse: Refuse) -> None:
        """As `wait`, ahead of ordinary waits: only a `CriticalSection` that starts here calls it."""
        if self._enters(admit, refuse):
            self._sections_waiting = _with(self._sections_waiting, (admit, refuse))

    def start_section(self) -> CriticalSection:
        """A new critical section inside this gate; it begins with its first `wait`."""
        return CriticalSection(self.live())

    def break_with(self, cause: BaseException) -> None:
        """Break the whole tree: the first cause stays, every wait in it is refused."""
        root = self.root()
        if root._broken is not None:
            return

        root._broken = cause
        refused: list[Refuse] = []
        for gate in (root, *(root.sections or ())):
            gate._broken = cause
            for queue in (gate._sections_waiting, gate._waiting):
                refused += [refuse for _, refuse in queue or ()]
            gate._sections_waiting = gate._waiting = None
        root.sections = None
        if root.on_broken is not None:
            root.on_broken(cause)
        for refuse in refused:
            refuse(cause)

    def hold(self) -> Lock:
        """Take a lock that is known to be free to take, or to add to one that is held."""
        self._holds += 1
        return Lock(self)

    def unlock(self) -> None:
        """One hold less; called by `Lock.release` alone."""
        self._holds -= 1
        if self._holds == 0 and self._broken is None:
            queue = self._sections_waiting or self._waiting
            if queue:
                admit, _ = queue.popleft()
                admit(self.hold())

    def _enters(self, admit: Admit, refuse: Refuse) -> bool:
        """Let it in or refuse it, if that can be said now; whether it has to queue."""
        cause = self.broken
        if cause is not None:
            refuse(cause)
        elif self._holds:
            return True
        else:
            admit(self.hold())
        return False

    def _adopt(self, child: InputGate) -> None:
        """Take over what a section that ends leaves behind: its holds and its queues."""
        self._holds += child._holds
        self._sections_waiting = _with(self._sections_waiting, *(child._sections_waiting or ()))
        self._waiting = _with(self._waiting, *(child._waiting or ()))
        child._holds = 0
        child._sections_waiting = child._waiting = None


def _with(queue: Waits | None, *waits: Wait) -> Waits | None:
    """The queue with these at its end; still None when nobody ever waited in it."""
    if waits and queue is None:
        queue = deque()
    if queue is not None:
        queue.extend(waits)
    return queue


class SectionState(Enum):
    """Where a critical section is in its life."""

    NOT_STARTED = "not started"  # Next: INITIAL_WAIT.
    INITIAL_WAIT = "initial wait"  # Waits for the parent's lock. Next: RUNNING.
    RUNNING = "running"  # Holds the parent's lock. Next: REPARENTED.
    REPARENTED = "reparented"  # Ended well; the parent stands for it. No next.


class CriticalSection(InputGate):
    """A gate that holds its parent's lock while it runs. Made by `InputGate.start_section`."""

    __slots__ = ("_parent", "_parent_lock", "_root", "depth", "state")

    def __init__(self, parent: InputGate) -> None:
        super().__init__()
        self._parent = parent
        self._root = parent.root()
        self._parent_lock: Lock | None = None
        self._broken = self._root._broken
        self.depth = parent.depth + 1
        self.state = SectionState.NOT_STARTED
        if self._broken is None:
            if self._root.sections is None:
                self._root.sections = {}
            self._root.sections[self] = None

    @property
    def closed(self) -> bool:
        if self.state is SectionState.REPARENTED:
            return self.live().closed

        return self.state is not SectionState.RUNNING or super().closed

    def root(self) -> InputGate:
        return self._root

    def live(self) -> InputGate:
        gate: InputGate = self
        # A loop, because a long chain of ended sections must not overflow the stack.
        while isinstance(gate, CriticalSection) and gate.state is SectionState.REPARENTED:
            gate = gate._parent
        if self.state is SectionState.REPARENTED:
            self._parent = gate
        return gate

    def wait(self, admit: Admit, refuse: Refuse) -> None:
        if self.state is SectionState.REPARENTED:
            self.live().wait(admit, refuse)
        elif self.state is SectionState.NOT_STARTED:
            self._start(admit, refuse)
        elif self.state is SectionState.INITIAL_WAIT and self._broken is None:
            self._waiting = _with(self._waiting, (admit, refuse))
        else:
            super().wait(admit, refuse)

    def wait_for_section(self, admit: Admit, refuse: Refuse) -> None:
        if self.state is SectionState.REPARENTED:
            self.live().wait_for_section(admit, refuse)
        else:
            super().wait_for_section(admit, refuse)

    def succeeded(self) -> Lock:
        """End the section. Returns the parent's lock: the caller's continuation runs under it, so
        before anything that waits, and then releases it. What is still held or waiting inside moves
        to the parent. RuntimeError: the section is not running.
        """
        lock = self._parent_lock
        if self.state is not SectionState.RUNNING or lock is None:
            raise RuntimeError(
                f"a critical section ends while it is running, not {self.state.value}"
            )

        self._parent_lock = None
        self._forget()
        self.state = SectionState.REPARENTED
        self._parent = self._parent.live()
        self._parent._adopt(self)
        return lock

    def failed(self, cause: BaseException) -> None:
        """Break the whole gate with the error that ended this section."""
        self.break_with(cause)

    def _start(self, admit: Admit, refuse: Refuse) -> None:
        self.state = SectionState.INITIAL_WAIT

        def begin(parent_lock: Lock) -> None:
            self.state = SectionState.RUNNING
            self._parent_lock = parent_lock
            admit(self.hold())

        def give_up(cause: BaseException) -> None:
            self._forget()
            refuse(cause)

        self._parent.live().wait_for_section(begin, give_up)

    def _forget(self) -> None:
        if self._root.sections is not None:
            self._root.sections.pop(self, None)
