"""`roomhost dev`, the outer process: it holds the listening socket, watches the files, and keeps one
child that serves. Connections that come between two children wait in the socket."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ..runtime import HostError
from . import limits
from .dev_messages import Failed, Ready
from .dev_process import ChildProcess
from .dev_states import Action, Event, State, step
from .dev_terminal import death

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from .dev_failure import Failure
    from .dev_messages import Said, Start
    from .dev_terminal import Terminal
    from .dev_watcher import Watcher

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event, of the child it is about if it is about one, and what came with it."""

    event: Event
    child: ChildProcess | None = None
    said: Ready | Failed | None = None
    paths: tuple[str, ...] = ()
    status: int = 0


class Supervisor:
    """Runs children until a signal. `start`: what to tell them. `url`: of the socket."""

    def __init__(
        self,
        start: Start,
        listening: socket.socket,
        url: str,
        watcher: Watcher,
        terminal: Terminal,
    ) -> None:
        self._start = start
        self._listening = listening
        self._url = url
        self._watcher = watcher
        self._terminal = terminal
        self._state = State.STARTING
        self._child: ChildProcess | None = None
        self._happenings: asyncio.Queue[Happening] = asyncio.Queue()
        self._changed: set[str] = set()
        self._changed_at: float | None = None  # the first change that nothing has come of
        self._late: asyncio.TimerHandle | None = None
        self._shown: Failure | None = None  # the failure that a child was started to explain
        self._announced = False
        self._refusal: str | None = None

    async def run(self) -> None:
        """Return when a signal came and the child has ended. HostError: the first child could not use
        the data directory, or not even the page can be served."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._happens, Happening(Event.STOP))
        stop = threading.Event()
        watching = asyncio.create_task(self._watch(stop))
        try:
            await self._act(Action.START, Happening(Event.CHANGED))
            while self._state is not State.STOPPED:
                await self._take(await self._happenings.get())
        finally:
            stop.set()
            await watching
            for number in SIGNALS:
                loop.remove_signal_handler(number)
            if self._child is not None:
                self._child.kill()
        if self._refusal is not None:
            raise HostError(self._refusal)

        self._terminal.stopped()

    def _happens(self, happening: Happening) -> None:
        self._happenings.put_nowait(happening)

    async def _watch(self, stop: threading.Event) -> None:
        while paths := await asyncio.to_thread(self._watcher.wait, stop):
            self._happens(Happening(Event.CHANGED, paths=tuple(paths)))

    def _said(self, child: ChildProcess, said: Said) -> None:
        if isinstance(said, Ready):
            self._happens(Happening(Event.READY, child, said))
        elif isinstance(said, Failed):
            self._happens(Happening(Event.FAILURE, child, said))
        else:
            self._refusal = said.message
            self._happens(Happening(Event.STOP))

    def _exited(self, child: ChildProcess, status: int) -> None:
        self._happens(Happening(Event.EXITED, child, status=status))

    async def _take(self, happening: Happening) -> None:
        if happening.child is not None and happening.child is not self._child:
            return  # of a child that has ended since

        if happening.event is Event.EXITED:
            self._child = None
            self._in_time()
        if happening.paths:
            self._note_changes(happening.paths)
        self._state, action = step(self._state, happening.event)
        await self._act(action, happening)

    def _note_changes(self, paths: Iterable[str]) -> None:
        self._changed.update(paths)
        if self._changed_at is None:
            self._changed_at = time.monotonic()
        self._terminal.changed(tuple(paths))

    async def _act(self, action: Action, happening: Happening) -> None:
        match action:
            case Action.START:
                await self._begin(self._start)
            case Action.EXPLAIN:
                self._shown = death(happening.status)
                self._terminal.failed(self._shown, self._url)
                await self._begin(msgspec.structs.replace(self._start, failure=self._shown))
            case Action.DRAIN:
                self._end()
            case Action.KILL:
                self._kill(happening.event)
            case Action.ANNOUNCE:
                assert isinstance(happening.said, Ready)
                self._announce(happening.said)
            case Action.SHOW:
                assert isinstance(happening.said, Failed)
                self._show(happening.said.failure)
            case Action.GIVE_UP:
                self._refusal = "the process that serves the error page has died too (see above)"
            case Action.NOTHING:
                pass

    async def _begin(self, start: Start) -> None:
        forget_bytecode(self._changed)
        self._changed.clear()
        self._child = await ChildProcess.start(start, self._listening, self._said, self._exited)
        self._start = msgspec.structs.replace(self._start, first=False)

    def _end(self) -> None:
        assert self._child is not None
        self._child.terminate()
        late = Happening(Event.LATE, self._child)
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(limits.DEV_DRAIN_SECONDS, self._happens, late)

    def _kill(self, event: Event) -> None:
        assert self._child is not None
        self._child.kill()
        if event is Event.LATE:
            self._terminal.killed(limits.DEV_DRAIN_SECONDS)

    def _in_time(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def _announce(self, ready: Ready) -> None:
        if not self._announced:
            self._announced = True
            self._terminal.ready(ready)
        changed_at, self._changed_at = self._changed_at, None
        if changed_at is not None:
            self._terminal.reloaded((time.monotonic() - changed_at) * 1000)

    def _show(self, failure: Failure) -> None:
        self._changed_at = None
        if failure != self._shown:
            self._terminal.failed(failure, self._url)
        self._shown = None


def forget_bytecode(paths: Iterable[str]) -> None:
    """Remove what Python has compiled of these files. It takes a file for unchanged that has as many
    bytes and was written in the same second."""
    for path in paths:
        if path.endswith(".py"):
            with contextlib.suppress(OSError, NotImplementedError):
                os.unlink(importlib.util.cache_from_source(path))
