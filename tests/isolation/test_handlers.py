"""What leaves a handler stays with its object and its caller: no other object notices."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

from roomhost.runtime import DataCloneError, DurableObjectError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .app import app

pytestmark = pytest.mark.anyio

RAISING = (
    "raise ValueError",
    "raise SystemExit",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "raise BaseException",
    "raise BaseExceptionGroup",
    "raise StopIteration",
    "recurse",
)


@pytest.fixture(autouse=True)
def served() -> Generator[None]:
    """A server has taken SIGINT, as in the process of a host."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("way", RAISING)
async def test_what_it_raises_reaches_its_caller_alone(way: str) -> None:
    """As an error that a caller catches, whatever it was; its instance goes on too."""
    async with host_for(app) as host:
        good = host.env.GOOD.get_by_name("a")
        assert await good.count() == 1
        bad = host.env.BAD.get_by_name("b")
        for _ in range(2):
            error = await failure(bad.misbehave(way))
            assert isinstance(error, Exception)
            assert "remote" in flags(error)
        assert await good.count() == 2
        assert host.statistics().activations == 2


@pytest.mark.parametrize("where", ["section", "background", "alarm"])
@pytest.mark.parametrize("way", RAISING)
async def test_what_it_raises_elsewhere_reaches_nobody_else(way: str, where: str) -> None:
    """A section resets its own object, an alarm is run again, the background is nobody's."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        good = host.env.GOOD.get_by_name("a")
        assert await good.count() == 1
        bad = host.env.BAD.get_by_name("b")
        if where == "section":
            error = await failure(bad.elsewhere(where, way))
            assert "durable_object_reset" in flags(error)
        else:
            await bad.elsewhere(where, way)
        await clock.advance(10)
        assert await good.count() == 2
        meters = {meter.binding: meter for meter in host.observer.meters.values()}
        assert meters["BAD"].alarm_retries == (where == "alarm")
        assert sum(meters["BAD"].resets.values()) == (where == "section")
        assert sum(meters["GOOD"].resets.values()) == 0


@pytest.mark.parametrize("way", RAISING)
async def test_what_it_raises_for_a_message_leaves_the_socket_open(way: str) -> None:
    """The next message is heard."""
    async with host_for(app) as host:
        bad = host.env.BAD.get_by_name("b")
        client = (await bad.fetch("http://x/", headers={"upgrade": "websocket"})).web_socket
        assert client is not None
        client.accept()
        for _ in range(2):
            client.send(way)
            assert await client.receive() == "heard"
        assert await host.env.GOOD.get_by_name("a").count() == 1


async def test_an_error_of_no_exception_class_says_what_it_was() -> None:
    """A caller could not catch it as what it is."""
    async with host_for(app) as host:
        error = await failure(host.env.BAD.get_by_name("b").misbehave("raise SystemExit"))
        assert isinstance(error, DurableObjectError)
        assert error.remote_type == "builtins.SystemExit"


async def test_a_value_that_nests_without_end_is_refused() -> None:
    """Before anything recurses through it."""
    async with host_for(app) as host:
        error = await failure(host.env.BAD.get_by_name("b").nested())
        assert isinstance(error, (DataCloneError, DurableObjectError))
        assert await host.env.GOOD.get_by_name("a").count() == 1
