"""One child process of `roomhost dev`: started, listened to, and told to end."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING, Self

import msgspec

from . import limits
from .dev_messages import line_of, said_decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dev_messages import Said, Start

MODULE = "roomhost.admin.dev_child"


class ChildProcess:
    """A child that runs. `on_said(message)` is called with what it says, then, once,
    `on_exit(status)`: a negative status is a signal's number."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        on_said: Callable[[ChildProcess, Said], object],
        on_exit: Callable[[ChildProcess, int], object],
    ) -> None:
        self._process = process
        self._reader, self._writer = streams
        self._on_said = on_said
        self._on_exit = on_exit
        self._following = asyncio.create_task(self._follow())

    @classmethod
    async def start(
        cls,
        start: Start,
        listening: socket.socket,
        on_said: Callable[[ChildProcess, Said], object],
        on_exit: Callable[[ChildProcess, int], object],
    ) -> Self:
        """Start a child with the interpreter of this process; it listens on this process's socket."""
        ours, theirs = socket.socketpair()
        with theirs:
            streams = await asyncio.open_unix_connection(
                sock=ours, limit=limits.MAX_DEV_MESSAGE_BYTES
            )
            descriptors = (theirs.fileno(), listening.fileno())
            # Until the child can take it, Ctrl-C would end it with a traceback.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                # -P: a file of the application must not come in the place of a library's module.
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", MODULE, *map(str, descriptors), pass_fds=descriptors
                )
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        streams[1].write(line_of(start))
        return cls(process, streams, on_said, on_exit)

    def terminate(self) -> None:
        """Tell it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _follow(self) -> None:
        reading = asyncio.create_task(self._read())
        status = await self._process.wait()
        # A process that it has forked may hold the other end open.
        await asyncio.wait({reading}, timeout=limits.DEV_LAST_WORDS_SECONDS)
        reading.cancel()
        self._writer.close()
        self._on_exit(self, status)

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._on_said(self, said_decoder.decode(line))
        except (OSError, ValueError, msgspec.DecodeError):
            self.kill()  # nobody else writes there: it is out of its mind
