"""A server's protocol without a network: a transport that notes, an application that reads all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from .target import Finding


class PlayedTransport(asyncio.Transport):
    """A client that takes everything, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.closed = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def write_eof(self) -> None:
        return None

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        return None

    def resume_reading(self) -> None:
        return None


class Errors(logging.Handler):
    """What was logged as an error, which no client may cause."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = "" if record.exc_info is None else f": {record.exc_info[1]!r}"
        self.lines.append(f"{record.name}: {record.getMessage()}{error}")

    def raise_any(self) -> None:
        """Finding: something was logged since it was asked last."""
        lines, self.lines = self.lines, []
        if lines:
            raise Finding(f"an error was logged: {lines}"[:2_000])


class PlayedLoop:
    """An event loop that is made when it is needed first, and kept for all inputs of a process."""

    _loop: asyncio.AbstractEventLoop | None = None
    errors = Errors()

    @classmethod
    def run(cls, work: Coroutine[Any, Any, None]) -> None:
        """Run to the end. Finding: an error was logged, or left to the loop."""
        if cls._loop is None:
            cls._loop = asyncio.new_event_loop()
            cls._loop.set_exception_handler(
                lambda _, context: cls.errors.lines.append(f"the loop: {context}")
            )
            for name in ("uvicorn.error", "roomhost"):
                logging.getLogger(name).addHandler(cls.errors)
        cls._loop.run_until_complete(work)
        cls.errors.raise_any()


async def turn(times: int = 12) -> None:
    """Until nothing more happens."""
    for _ in range(times):
        await asyncio.sleep(0)
