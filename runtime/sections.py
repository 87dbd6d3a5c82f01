"""Critical sections: code of an object that runs while nothing else is delivered to it.

`block_concurrency_while` and `transaction` are both one (semantics.md 3.2, 5.7). The section's code
runs in a task of its own, and starts only after the code that asked for it has suspended.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from . import limits
from .errors import Aborted, DurableObjectError, OverloadedError
from .event_kind import ResetCause
from .events import CURRENT, Event, RunEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .activation import Activation
    from .backend import Waiter
    from .input_gate import CriticalSection, Lock


class SectionResult:
    """The outcome of a critical section, to be awaited by the code that asked for it, or not at all.

    Awaited by a handler, the handler goes on before anything that queued meanwhile.
    """

    __slots__ = ("_activation", "_asker", "_done", "_error", "_hands_over", "_result", "_waiter")

    def __init__(self, activation: Activation, asker: Event | None) -> None:
        self._activation = activation
        self._asker = asker
        self._waiter: Waiter | None = None
        self._hands_over = False
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        if not self._done:
            # A task that a handler started has turns of its own, which no lock can be tied to.
            self._hands_over = self._activation.turn is self._asker is not None
            self._waiter = self._activation.new_waiter()
            yield from self._waiter.__await__()
        if self._error is not None:
            raise self._error

        return self._result

    def finish(self, lock: Lock, result: Any, error: BaseException | None) -> None:
        """The section ended well for the gate; `lock` is what it gives back of its parent."""
        self._done = True
        self._result = result
        self._error = error
        waiting = self._waiter is not None and not self._waiter.done()
        asker = self._asker
        if waiting and self._hands_over and asker is not None and asker.lock is None:
            asker.lock = lock
        else:
            lock.release()
        if waiting and self._waiter is not None:
            self._waiter.set_result(None)


def current_event(activation: Activation) -> Event | None:
    """The event whose code runs now, if it is one of this activation."""
    event = CURRENT.get()
    return event if event is not None and event.activation is activation else None


def run_section(
    activation: Activation, callback: Callable[[], Any], *, resets: bool
) -> SectionResult:
    """Start a critical section around `callback`, sync or async, inside the one that runs now.

    When the callback raises, the object is reset with its error if `resets`; otherwise the error
    goes to whoever awaits the result. After 30 s the object is reset either way.
    DurableObjectError: 64 sections are around it already.
    """
    asker = current_event(activation)
    gate = (activation.input_gate if asker is None else asker.gate).live()
    if gate.depth >= limits.MAX_SECTION_DEPTH:
        raise DurableObjectError("blockConcurrencyWhile() calls are nested too deeply.")

    section = gate.start_section()
    result = SectionResult(activation, asker)
    event = SectionEvent(activation, section, callback, result, resets)
    timer = None

    def admit(lock: Lock) -> None:
        nonlocal timer
        event.lock = lock
        timer = activation.call_later(limits.SECTION_TIMEOUT_SECONDS, expire)
        event.on_end = timer.cancel
        activation.launch(event)

    def expire() -> None:
        error = OverloadedError(
            "A call to blockConcurrencyWhile() in a Durable Object waited for too long. "
            "The call was canceled and the Durable Object was reset."
        )
        activation.reset(error, ResetCause.SECTION_TIMEOUT)

    event.gate = section
    activation.adopt(event)
    section.wait(admit, event.fail)
    return result


class SectionEvent(RunEvent):
    """The frame of a critical section's code. What it does at its end are methods, not functions that
    it refers to and that refer to it: so an instance that is evicted is free at once."""

    on_end: Callable[[], object]

    def __init__(
        self,
        activation: Activation,
        section: CriticalSection,
        callback: Callable[[], Any],
        result: SectionResult,
        resets: bool,
    ) -> None:
        code = _resetting(activation, callback) if resets else callback
        super().__init__(code, _ignore, _ignore)
        self.on_end = _nothing
        self._owner = activation
        self._section = section
        self._result = result
        self._resets = resets

    def succeed(self, result: Any) -> None:
        if not self.finished:
            self.finished = True
            self.on_end()
            self._result.finish(self._section.succeeded(), result, None)

    def fail(self, error: BaseException) -> None:
        if self.finished:
            return

        self.finished = True
        self.on_end()
        if self._owner.broken is not None:
            return

        if self._resets:
            self._owner.reset(error, ResetCause.SECTION)
        else:
            self._result.finish(self._section.succeeded(), None, error)


def _resetting(activation: Activation, callback: Callable[[], Any]) -> Callable[[], Any]:
    """`callback`, which resets the object in the turn in which it raises: what that turn wrote is
    dropped with it, as `abort()` drops it."""

    async def run() -> Any:
        try:
            result = callback()
            return await result if inspect.isawaitable(result) else result
        except Exception as error:
            activation.reset(error, ResetCause.SECTION)
            raise Aborted(str(error)) from error

    return run


def _nothing() -> None:
    """There is no timer to cancel yet."""


def _ignore(_outcome: Any) -> None:
    """The event's own methods see to it."""
