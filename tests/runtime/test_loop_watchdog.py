"""The object that holds the event loop is named, while it does and afterwards."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Generator
from typing import Any

import anyio.lowlevel
import httpx
import pytest
import sniffio
from prometheus_client.parser import text_string_to_metric_families

from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio

TIMEOUT_SECONDS = 30
HELD_SECONDS = 0.1
TASKS: list[asyncio.Task[None]] = []


class Told(logging.Handler):
    """Lets who holds a loop go on when that has been told."""

    def __init__(self) -> None:
        super().__init__()
        self.who = "HOLDER lobby"  # on a busy machine others may be told of too
        self.lines: list[logging.LogRecord] = []
        self.told = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line about a held loop, of whom it is asked for."""
        message = record.getMessage()
        if message.startswith(self.who) and "held the event loop for" in message:
            self.lines.append(record)
            self.told.set()


@pytest.fixture
def told() -> Generator[Told]:
    """What is told while the test runs."""
    handler = Told()
    logging.getLogger("roomhost.runtime").addHandler(handler)
    yield handler
    logging.getLogger("roomhost.runtime").removeHandler(handler)


class Holder(DurableObject):
    """Holds the loop until it was told of."""

    told: Told

    async def hold(self) -> None:
        """In a turn."""
        assert self.told.told.wait(TIMEOUT_SECONDS)

    async def start(self) -> None:
        """In a task, in no turn."""

        async def hold() -> None:
            await self.hold()

        TASKS.append(asyncio.create_task(hold()))

    async def nothing(self) -> None:
        """Hold nothing."""


app = App(name="held", bindings={"HOLDER": Holder})


async def figure(host: Any, name: str) -> float:
    """What `/metrics` has of the objects."""
    transport = httpx.ASGITransport(app=host.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        text = (await client.get("/metrics")).text
    (value,) = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if (sample.name, sample.labels.get("binding")) == (name, "HOLDER")
    ]
    return value


async def over(host: Any, binding: str = "HOLDER") -> None:
    """Return when the watchdog has told that it is over."""
    while not host.observer.watchdog.holds[binding]:
        await anyio.lowlevel.checkpoint()


async def test_the_object_is_named_while_it_holds_the_loop(told: Told) -> None:
    """With what of it runs, and where; a line of it is about the object, as others are."""
    Holder.told = told
    async with host_for(app, held_loop_seconds=HELD_SECONDS) as host:
        await host.env.HOLDER.get_by_name("lobby").hold()
        await over(host)
        line = told.lines[0]
        assert " in hold, at " in line.getMessage()
        details: dict[str, Any] = vars(line)
        assert (details["binding"], details["object_name"]) == ("HOLDER", "lobby")
        assert details["held_seconds"] >= HELD_SECONDS
        assert any("test_loop_watchdog.py" in frame for frame in details["stack"])
        watchdog = host.observer.watchdog
        assert watchdog is not None
        assert watchdog.holds["HOLDER"] == 1
        assert watchdog.held_seconds["HOLDER"] > 0


async def test_so_is_one_whose_task_holds_it(told: Told) -> None:
    """On asyncio, which lets a task be started so."""
    if sniffio.current_async_library() != "asyncio":
        return

    Holder.told = told
    async with host_for(app, held_loop_seconds=HELD_SECONDS) as host:
        await host.env.HOLDER.get_by_name("lobby").start()
        await TASKS.pop()
        await over(host)


async def test_code_of_no_object_is_told_of_as_such(told: Told) -> None:
    """Of a library, or of whoever runs the host."""
    told.who = "code of no object"
    async with host_for(app, held_loop_seconds=HELD_SECONDS) as host:
        assert told.told.wait(TIMEOUT_SECONDS)
        await over(host, "")


async def test_what_does_not_hold_the_loop_is_not_told_of(told: Told) -> None:
    """It looks meanwhile."""
    told.who = ""
    async with host_for(app, held_loop_seconds=TIMEOUT_SECONDS) as host:
        await host.env.HOLDER.get_by_name("lobby").nothing()
    assert told.lines == []


async def test_nobody_looks_where_that_is_switched_off() -> None:
    """Nor after the host has stopped."""
    async with host_for(app, held_loop_seconds=0) as host:
        assert host.observer.watchdog is None
    async with host_for(app, held_loop_seconds=HELD_SECONDS) as host:
        assert host.observer.watchdog is not None
    assert host.observer.watchdog is None
    assert not [each for each in threading.enumerate() if each.name == "roomhost-watchdog"]


async def test_how_often_and_how_long_are_figures(told: Told) -> None:
    """Of the binding."""
    Holder.told = told
    async with host_for(app, held_loop_seconds=HELD_SECONDS) as host:
        await host.env.HOLDER.get_by_name("lobby").hold()
        await over(host)
        assert await figure(host, "roomhost_loop_holds_total") == 1
        assert await figure(host, "roomhost_loop_held_seconds_total") > 0
