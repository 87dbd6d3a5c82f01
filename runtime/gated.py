"""Drives a handler one turn at a time, so that it resumes only through its object's input gate.

A *turn* is what a handler runs between two real suspensions; nothing else of its object runs in it
(semantics.md 4.1). The handler's own yields pass through to the event loop, so that any library
that awaits works inside a handler, on asyncio and on trio alike.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from anyio import CancelScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from .backend import Waiter
    from .events import Event
    from .input_gate import InputGate, Lock


class Suspended(NamedTuple):
    """A handler that has suspended, and what it yielded to the event loop."""

    coroutine: Coroutine[Any, Any, Any]
    yielded: Any


def first_turn(event: Event) -> Any:
    """Call the handler of `event` and run it up to its first suspension. Returns its result, or a
    `Suspended` for `later_turns`, in the same task; raises what the handler raises."""
    started = event.invoke()
    if type(started) is types.CoroutineType:
        coroutine = cast("Coroutine[Any, Any, Any]", started)
    elif hasattr(started, "__await__"):
        coroutine = _await(started)
    else:
        return started

    try:
        return Suspended(coroutine, coroutine.send(None))
    except StopIteration as stop:
        return stop.value


@types.coroutine
def later_turns(
    event: Event, suspended: Suspended, new_waiter: Callable[[], Waiter]
) -> Generator[Any, Any, Any]:
    """Run a handler that has suspended to its end; return or raise what it does.

    Each turn waits for the gate. Cancelling the task that runs this cancels the handler, at its own
    await.
    """
    activation = event.activation
    coroutine, yielded = suspended
    while True:
        sent: Any = None
        error: BaseException | None = None
        try:
            sent = yield yielded
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as raised:
            error = raised

        if activation.broken is not None or (event.lock is None and event.gate.closed):
            try:
                yield from _enter(event, new_waiter, woken=error is None).__await__()
            except BaseException as raised:
                error = raised

        activation.begin_turn(event)
        try:
            yielded = coroutine.send(sent) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        finally:
            activation.end_turn(event)


async def _enter(event: Event, new_waiter: Callable[[], Waiter], woken: bool) -> None:
    """Wait for the gate, at the start of a turn. Raises what the handler is to get in place of what
    `woken` it.

    After a reset there is no gate: the handler only unwinds. It gets the cancellation where its
    await may raise one; else it finds it at its next await, and no storage until then.
    """
    activation = event.activation
    if activation.broken is None:
        event.lock = await _admission(event.gate, new_waiter)
    if activation.broken is not None and woken:
        await activation.engine.backend.cancelled_late()


async def _admission(gate: InputGate, new_waiter: Callable[[], Waiter]) -> Lock | None:
    """Wait for the gate. Returns the lock to run the next turn under; None when the gate breaks.

    Shielded: a deadline inside the handler that passes while it stands here must not unwind this
    wait, or the handler's cancel scopes would be left in the wrong order. The handler meets its
    cancellation at its next await.
    """
    waiter = new_waiter()

    def admit(lock: Lock) -> None:
        if waiter.done():  # the loop itself was ended
            lock.release()
        else:
            waiter.set_result(lock)

    def refuse(_cause: BaseException) -> None:
        if not waiter.done():
            waiter.set_result(None)

    gate.wait(admit, refuse)
    lock: Lock | None = None
    if waiter.done():
        lock = await waiter
    else:
        with CancelScope(shield=True):
            lock = await waiter
    return lock


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
