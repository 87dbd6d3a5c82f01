"""What the actors of one run share with its clients, and how a client makes a call."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any

from roomhost.runtime import DurableObjectError, HostError, StorageError

from ..checks.events import Answered, Called, Failed, Told

# What a caller hears when its object was reset, or its host crashed.
LOST = (DurableObjectError, HostError, StorageError)


class Ledger:
    """`record` an event of the history, the calls by number, and numbers that nobody has."""

    def __init__(self) -> None:
        self.record: Callable[[Any], None] = _nowhere
        self.ops: dict[int, Any] = {}
        self.instances = itertools.count(1)
        self.stamps = itertools.count(1)
        self._calls = itertools.count(1)
        self._lines = itertools.count(1)

    async def send(self, stub: Any, name: str, ops: Sequence[Any]) -> list[Any]:
        """Call `stub.run` for each of `ops`, one behind the other, and record the answers: an output,
        and the stamp of the last write that the caller hears of. Returns the outputs there were."""
        line = next(self._lines)
        sent: list[tuple[int, Coroutine[Any, Any, Any]]] = []
        for op in ops:
            call = next(self._calls)
            self.ops[call] = op
            self.record(Called(call, name, op, line))
            sent.append((call, stub.run(call)))
        try:
            return [output async for output in self._answers(name, sent)]
        finally:
            for _, answer in sent:
                answer.close()

    async def _answers(
        self, name: str, sent: Sequence[tuple[int, Coroutine[Any, Any, Any]]]
    ) -> AsyncGenerator[Any]:
        for call, answer in sent:
            try:
                output, seen = await answer
            except LOST as error:
                self.record(Failed(call, str(error)))
            else:
                self.record(Told(name, seen, f"the answer to call {call}"))
                self.record(Answered(call, output))
                yield output


def _nowhere(_event: Any) -> None:
    """Nothing is recorded before the world is there."""
