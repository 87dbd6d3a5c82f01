"""The rows that `roomhost bench` measures, in order, and how they are gone through."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ..runtime import Host, HostError
from . import limits
from .bench_load import Load, activation, calls, memory
from .bench_sockets import Sockets, exchange, serving
from .bench_target import Call, Target, of_class

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..runtime import HostSettings
    from .app import App
    from .bench_rows import Row

    # Given the running host, and the address it is served at.
    Measure = Callable[[Host, tuple[str, int]], Awaitable[Row | None]]

TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """Callers at once, rooms, sockets of a room, and seconds of each row."""

    callers: int
    rooms: int
    sockets: int
    seconds: float


def builtin_rows(options: Options) -> list[Measure]:
    """Of the built-in application."""
    call, store, read = (of_class("ROOM", Call(name)) for name in ("call", "store", "read"))
    echo = Sockets("/room/{room}/", limits.BENCH_ECHO_SOCKETS)
    crowd = Sockets("/crowd/{room}/", options.sockets)
    return [
        lambda host, _: memory(host, call),
        *call_rows(call, options, rooms=False),
        *call_rows(store, options, rooms=True),
        lambda host, _: activation(host, read, options.seconds, prepare=store),
        lambda _, address: exchange(address, "echo", echo, options.seconds),
        lambda _, address: exchange(address, "fan-out", crowd, options.seconds),
    ]


def target_rows(target: Target, options: Options) -> list[Measure]:
    """Of what an application's rooms are called for."""
    return [
        lambda host, _: memory(host, target),
        *call_rows(target, options, rooms=True),
        lambda host, _: activation(host, target, options.seconds, prepare=target),
    ]


def socket_rows(sockets: Sockets, options: Options) -> list[Measure]:
    """Of its WebSockets."""
    return [lambda _, address: exchange(address, "messages", sockets, options.seconds)]


def call_rows(target: Target, options: Options, *, rooms: bool) -> list[Measure]:
    """One caller, several in one room, and, with `rooms`, several in several rooms."""
    cases = [(1, 1), (options.callers, 1)] + [(options.callers, options.rooms)] * rooms
    return [call_row(target, Load(*case, options.seconds)) for case in dict.fromkeys(cases)]


def call_row(target: Target, load: Load) -> Measure:
    """One of them."""
    return lambda host, _: calls(host, target, load)


async def run(app: App, settings: HostSettings, rows: list[Measure], seconds: float) -> list[Row]:
    """Measure them on one host. HostError: what is called fails; the message says how.
    KeyboardInterrupt: SIGINT or SIGTERM came, and everything is cleaned up."""
    found: list[Row] = []
    # A scope stays cancelled, where the cancellation of a task can be lost between two rows.
    scope = anyio.CancelScope()
    loop = asyncio.get_running_loop()
    for told_by in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(told_by, scope.cancel)
    async with Host(app, settings=settings) as host, serving(host) as address:
        with scope, bar() as progress:
            task = progress.add_task(app.name, total=len(rows))
            for number, measure in enumerate(rows):
                async with anyio.create_task_group() as group:
                    group.start_soon(tick, progress, task, number, seconds)
                    found += await told(measure(host, address))
                    group.cancel_scope.cancel()
    if scope.cancelled_caught:
        raise KeyboardInterrupt

    return found


async def told(measured: Awaitable[Row | None]) -> list[Row]:
    """Its row, if there is one. HostError: one line about what failed, which is the application's."""
    try:
        row = await measured
    except Exception as error:
        cause = first_of(error)
        if isinstance(cause, HostError):
            raise cause from None

        raise HostError(f"what is measured fails: {type(cause).__name__}: {cause}") from error

    return [] if row is None else [row]


def first_of(error: BaseException) -> BaseException:
    """What a group of errors begins with."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return first_of(group.exceptions[0])

    return error


def bar() -> Progress:
    """On a terminal only, and gone at the end."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        auto_refresh=False,  # a thread that draws would take the processor from what is measured
        transient=True,
        disable=not sys.stderr.isatty(),
    )


async def tick(progress: Progress, task: Any, rows: int, seconds: float) -> None:
    """Move the bar while a row is measured."""
    begun = time.perf_counter()
    while not progress.disable:
        share = min(0.95, (time.perf_counter() - begun) / seconds)
        progress.update(task, completed=rows + share, refresh=True)
        await anyio.sleep(TICK_SECONDS)
