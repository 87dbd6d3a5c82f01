"""Operations on a data directory whose host does not run: this process opens it for the while."""

from __future__ import annotations

import queue
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import anyio.from_thread
import msgspec

from ..runtime import Host, HostError, HostSettings
from ..runtime.stored_application import StoredApplication
from ..storage import DataDirectoryHeldError
from .api import as_refusal, decode
from .client import as_object, encode_input
from .operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import TracebackType

    from anyio.from_thread import BlockingPortal

    from .operations import Operation


class OfflineTarget:
    """A host of what is stored, in this process: no code of the application runs, no alarm."""

    running = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._portal: BlockingPortal
        self._host: Host

    def __enter__(self) -> Self:
        settings = HostSettings(data_dir=str(self._directory))
        host = Host(StoredApplication(), settings=settings, run_alarms=False)
        with ExitStack() as stack:
            self._portal = stack.enter_context(anyio.from_thread.start_blocking_portal())
            try:
                self._host = stack.enter_context(self._portal.wrap_async_context_manager(host))
            except DataDirectoryHeldError as error:
                raise HostError(
                    f"{self._directory} is held by {error.holder}, which has no local socket: give "
                    "--url and --api-key of that host, or run it on asyncio, where it has one"
                ) from None

            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def call(self, operation: str, /, **given: Any) -> dict[str, Any]:
        """See `Target`."""
        found = find(operation)
        assert found.run is not None
        data = convert(found, given)
        try:
            result = self._portal.call(found.run, self._host, data)
        except Exception as error:
            raise as_refusal(error) from error

        return as_object(msgspec.json.encode(result))

    def stream(self, operation: str, /, **given: Any) -> Generator[dict[str, Any]]:
        """See `Target`. All the lines are made in one task, as they would be for a request."""
        found = find(operation)
        data = convert(found, given)
        lines: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()

        async def run() -> None:
            assert found.stream is not None
            try:
                async for line in found.stream(self._host, data):
                    lines.put(msgspec.json.encode(line))
            except Exception as error:
                lines.put(as_refusal(error))
            finally:
                lines.put(None)

        task = self._portal.start_task_soon(run)
        try:
            while (line := lines.get()) is not None:
                if isinstance(line, Exception):
                    raise line
                yield as_object(line)
        finally:
            task.cancel()


def find(name: str) -> Operation:
    """An operation that can run without a host. HostError: it cannot."""
    operation = OPERATIONS[name]
    if operation.needs_host:
        raise HostError(
            f"{name} is about a running host, and none runs on this directory: start it"
        )

    return operation


def convert(operation: Operation, given: dict[str, Any]) -> msgspec.Struct:
    """The input, checked as that of a request. OperationError: it is wrong."""
    return decode(encode_input(given), operation)
