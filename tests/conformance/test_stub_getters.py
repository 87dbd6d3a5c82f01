"""RPC: getters"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import DataCloneError, DurableObject
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

READ = Feature("RPC: getters", "2.1")
ASYNC_READ = Feature("RPC: getters that return a promise", "2.1")
CACHED = Feature(
    "RPC: cached getters", "2.1", differs="functools.cached_property is a getter like any other"
)
NOT_A_FUNCTION = Feature("RPC: calling what is no function", "2.1")
ERRORS = Feature("RPC: a getter that throws", "2.1, 2.4")
NO_GETTER = Feature("RPC: awaiting what is no getter", "2.1")
METHOD_AS_VALUE = Feature(
    "RPC: awaiting a method",
    "2.1, 2.2",
    missing="functions do not cross a stub: a TypeError says that the method is to be called",
)
ORDER = Feature("RPC: getters in order with calls", "2.5")


class Titled(DurableObject):
    """Getters of every sort."""

    opens: ClassVar[anyio.Event]

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.text = "a title"
        self.runs = 0
        self.tags = ["one"]

    @property
    def title(self) -> str:
        return self.text

    @property
    def _hidden(self) -> str:
        return "underscore"

    @property
    def live(self) -> list[str]:
        return self.tags

    @property
    async def stored(self) -> Any:
        return await self.ctx.storage.get("key", "nothing")

    @cached_property
    def cached(self) -> int:
        self.runs += 1
        return self.runs

    @property
    def broken(self) -> str:
        raise LookupError("no title")

    @property
    def odd(self) -> object:
        return object()

    async def rename(self, text: str) -> None:
        self.text = text

    async def count(self) -> int:
        self.runs += 1
        return self.runs


class Child(Titled):
    """Inherits some and changes one."""

    @property
    def title(self) -> str:
        return f"{super().title} of a child"


app = App(name="getters", bindings={"TITLED": Titled, "CHILD": Child})


@shows(READ)
async def test_awaiting_a_property_reads_it() -> None:
    """Its own, an inherited one, and one with an underscore; each time anew."""
    async with host_for(app, clock=ManualClock()) as host:
        stub, child = (host.env[name].get_by_name("a") for name in ("TITLED", "CHILD"))
        assert await stub.title == "a title"
        assert await stub._hidden == "underscore"
        await stub.rename("another")
        assert await stub.title == "another"
        assert (await child.title, await child.live) == ("a title of a child", ["one"])


@shows(READ)
async def test_a_property_is_read_by_copy() -> None:
    """What the caller changes does not show in the object."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        tags = await stub.live
        tags.append("changed")
        assert await stub.live == ["one"]
        error = await failure(stub.odd)
        assert isinstance(error, DataCloneError)
        assert flags(error) == {"remote"}


@shows(ASYNC_READ)
async def test_a_property_may_be_asynchronous() -> None:
    """The caller has what it gave in the end."""
    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.TITLED.get_by_name("a").stored == "nothing"


@shows(CACHED)
async def test_a_cached_property_is_read_once() -> None:
    """It stays for as long as the instance does."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        assert [await stub.cached, await stub.cached, await stub.count()] == [1, 1, 2]
        await host.evict(stub)
        assert [await stub.count(), await stub.cached] == [1, 2]


@shows(NOT_A_FUNCTION)
@mistake(43)
@pytest.mark.parametrize("name", ["title", "cached", "stored", "broken"])
async def test_mistake_43_a_property_cannot_be_called(name: str) -> None:
    """The TypeError says what it is not; the getter does not run."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        error = await failure(getattr(stub, name)())
        assert (type(error), str(error)) == (TypeError, f'"{name}" is not a function.')
        assert flags(error) == {"remote"}
        assert await stub.count() == 1


@shows(ERRORS)
async def test_a_property_that_raises_is_an_error_of_whoever_awaits_it() -> None:
    """Of its class and message, and nothing is reset; to name it raises nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        assert await stub.count() == 1
        broken = stub.broken
        error = await failure(broken)
        assert (type(error), str(error)) == (LookupError, "no title")
        assert flags(error) == {"remote"}
        assert await stub.count() == 2


@shows(NO_GETTER)
@mistake(43)
@pytest.mark.parametrize("name", ["missing", "text", "tags", "ctx", "opens"])
async def test_mistake_43_only_properties_of_the_class_are_read(name: str) -> None:
    """What the constructor assigned is as invisible as what is not there."""
    async with host_for(app, clock=ManualClock()) as host:
        error = await failure(getattr(host.env.TITLED.get_by_name("a"), name))
        assert type(error) is TypeError
        assert str(error) == f'The RPC receiver does not implement the method "{name}".'


@shows(NO_GETTER, METHOD_AS_VALUE)
async def test_a_method_and_a_reserved_name_are_not_read() -> None:
    """Nothing runs."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        with pytest.raises(TypeError, match='"count" is a function'):
            await stub.count
        with pytest.raises(TypeError, match="'alarm' is a reserved method"):
            await stub.alarm
        assert await stub.count() == 1


@shows(ORDER)
async def test_a_property_is_read_after_the_calls_before_it() -> None:
    """It takes its place in the order when it is awaited."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        rename = stub.rename("first")
        assert await stub.title == "first"
        await rename
