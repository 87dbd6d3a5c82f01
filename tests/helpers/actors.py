"""Small actors for the tests of the runtime, whose code is written in the test itself."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, overload

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectState, Host
from roomhost.storage import Batch, StorageError

CommitFunction = Callable[[Sequence[Batch]], None]

MINUTE_SECONDS = 60.0


class Laboratory(DurableObject):
    """Runs the function that a test left in `functions`; only its number crosses the stub."""

    functions: ClassVar[dict[int, Callable[..., Any]]] = {}

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.name_in_constructor = ctx.id.name
        self.memory: list[Any] = []

    async def run(self, number: int, *arguments: Any) -> Any:
        result = Laboratory.functions.pop(number)(self, *arguments)
        return await result if inspect.isawaitable(result) else result


class Clockwork(Laboratory):
    """A laboratory with an alarm: `handler(actor, info)` runs, whatever a test has put there."""

    handler: ClassVar[Callable[[Clockwork, AlarmInfo], Any] | None] = None

    async def alarm(self, info: AlarmInfo) -> None:
        handler = Clockwork.handler
        if handler is not None:
            result = handler(self, info)
            if inspect.isawaitable(result):
                await result


@overload
async def within(stub: Any, function: Callable[[Any], Any], /) -> Any: ...


@overload
async def within(stub: Any, function: Callable[..., Any], /, *arguments: Any) -> Any: ...


async def within(stub: Any, function: Callable[..., Any], /, *arguments: Any) -> Any:
    """Run `function(actor, *arguments)` inside the object of a stub, as one call."""
    number = len(Laboratory.functions) + 1 + max(Laboratory.functions, default=0)
    Laboratory.functions[number] = function
    return await stub.run(number, *arguments)


def objects(host: Host, name: str = "a") -> Any:
    """A new stub of an object of `app`."""
    return host.env.OBJECT.get_by_name(name)


class Disk:
    """A `wrap_commit` that can hold the writer's thread, or fail, from now on."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self._failing = False
        self.groups: list[int] = []

    def __call__(self, commit: CommitFunction) -> CommitFunction:
        def wrapped(batches: Sequence[Batch]) -> None:
            if not self._go.wait(MINUTE_SECONDS):
                raise AssertionError("a test forgot the disk")
            if self._failing:
                raise StorageError("the disk is on fire")
            commit(batches)
            self.groups.append(len(batches))

        return wrapped

    def hold(self) -> None:
        """Let no commit through."""
        self._go.clear()

    def release(self) -> None:
        """Let the held commits through, and the later ones."""
        self._go.set()

    def fail(self, failing: bool = True) -> None:
        """Fail the commits that come through from now on."""
        self._failing = failing


app = App(name="laboratory", bindings={"OBJECT": Clockwork, "PLAIN": Laboratory})
