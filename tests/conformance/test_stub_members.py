"""RPC: which members of an object can be called"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectState
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

METHODS = Feature("RPC: methods of the class", "2.1")
INHERITED = Feature("RPC: inherited methods and mixins", "2.1, 8")
OWN_PROPERTIES = Feature("RPC: own properties of the instance", "2.1")
PRIVATE = Feature(
    "RPC: #private members",
    "2.1",
    differs="two underscores hide a name as Python does it: only its mangled form is there",
)
STATICS = Feature("RPC: static members", "2.1")
UNKNOWN = Feature("RPC: a method that does not exist", "2.1")
RESERVED = Feature("RPC: reserved names", "2.1")
CONSTRUCTOR = Feature(
    "RPC: the reserved name `constructor`",
    "2.1",
    differs="a name like any other: Python's is `__init__`, and names of that form are never sent",
)
THENABLE = Feature("Stubs are not thenable", "2.1")
NO_BASE_CLASS = Feature(
    "RPC: a class without `extends DurableObject`",
    "2.1",
    differs="such a class is refused when it is bound, not when it is called",
)
NO_METHOD = r'^The RPC receiver does not implement the method "{}"\.$'


class Grandparent(DurableObject):
    """Where a method can come from."""

    def inherited(self) -> str:
        return "inherited"

    def overridden(self) -> str:
        return "grandparent"

    def taken_away(self) -> str:
        return "still there"


class Before:
    """A mixin that stands before the actor class."""

    def mixed_before(self) -> str:
        return "mixed in before"


class After:
    """A mixin that stands after the actor class."""

    def mixed_after(self) -> str:
        return "mixed in after"


def traced(method: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as many programs have it."""

    @functools.wraps(method)
    async def wrapper(self: Any, *arguments: Any) -> Any:
        return "traced", await method(self, *arguments)

    return wrapper


class Members(Before, Grandparent, After):
    """One member of each sort."""

    constant = 5
    taken_away: Any = None

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.arrow = lambda: "hidden"
        self.items = [1, 2]
        self.runs: list[str] = []

    async def asynchronous(self, one: int, *rest: int, key: str = "") -> Any:
        return [one, rest, key]

    def synchronous(self) -> str:
        return "synchronous"

    def overridden(self) -> str:
        return f"child of {super().overridden()}"

    def _underscore(self) -> str:
        return "callable"

    def __hidden(self) -> str:  # pyright: ignore[reportUnusedFunction]
        return "hidden"

    @traced
    async def decorated(self, value: int) -> int:
        return value

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return "of the class"

    class Nested:
        """A class inside the class."""

    def constructor(self) -> str:
        return "a name like any other"

    async def ran(self) -> list[str]:
        return self.runs

    async def alarm(self, info: AlarmInfo) -> None:
        self.runs.append("alarm")

    async def web_socket_error(self, ws: Any, error: Exception) -> None:
        self.runs.append("web_socket_error")


app = App(name="members", bindings={"MEMBERS": Members})


@shows(METHODS, INHERITED)
@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("asynchronous", (1, 2, 3), [1, (2, 3), ""]),
        ("synchronous", (), "synchronous"),
        ("inherited", (), "inherited"),
        ("overridden", (), "child of grandparent"),
        ("mixed_before", (), "mixed in before"),
        ("mixed_after", (), "mixed in after"),
        ("decorated", (7,), ("traced", 7)),
    ],
)
async def test_every_method_of_the_class_can_be_called(
    name: str, arguments: tuple[Any, ...], result: Any
) -> None:
    """Async or not, its own, a parent's, a mixin's on either side, or a decorated one."""
    async with host_for(app, clock=ManualClock()) as host:
        assert await getattr(host.env.MEMBERS.get_by_name("a"), name)(*arguments) == result


@shows(METHODS)
async def test_arguments_go_by_place_and_by_name() -> None:
    """Wrong ones are the TypeError that Python raises in the object."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.MEMBERS.get_by_name("a")
        assert await stub.asynchronous(1, 2, key="k") == [1, (2,), "k"]
        assert await stub.asynchronous(one=1, key="k") == [1, (), "k"]
        for call in (stub.asynchronous(), stub.asynchronous(1, other=2), stub.synchronous(1)):
            error = await failure(call)
            assert (type(error), flags(error)) == (TypeError, {"remote"})


@mistake(43)
@shows(OWN_PROPERTIES, METHODS)
async def test_mistake_43_attributes_cannot_be_called_and_underscore_names_can() -> None:
    """What the constructor assigned is invisible, a function too; one underscore hides nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.MEMBERS.get_by_name("a")
        for name in ("arrow", "items", "ctx", "env"):
            with pytest.raises(TypeError, match=NO_METHOD.format(name)):
                await getattr(stub, name)()
        assert await stub._underscore() == "callable"


@shows(PRIVATE)
async def test_a_name_with_two_underscores_is_private() -> None:
    """It is not there under the name it is written with."""
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(TypeError, match=NO_METHOD.format("__hidden")):
            await host.env.MEMBERS.get_by_name("a").__hidden()


@shows(STATICS, UNKNOWN)
@pytest.mark.parametrize(
    "name", ["missing", "static", "of_class", "constant", "taken_away", "Nested", ""]
)
async def test_what_is_no_method_of_the_class_is_not_implemented(name: str) -> None:
    """The same TypeError for a name that nobody knows and for what the class has besides methods;
    it is the object's answer."""
    async with host_for(app, clock=ManualClock()) as host:
        error = await failure(getattr(host.env.MEMBERS.get_by_name("a"), name)())
        assert type(error) is TypeError
        assert str(error) == f'The RPC receiver does not implement the method "{name}".'
        assert flags(error) == {"remote"}


@shows(UNKNOWN)
async def test_to_name_a_member_never_raises() -> None:
    """A wrong name fails when it is called and awaited, and then breaks nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.MEMBERS.get_by_name("a")
        method: Any = stub.missing
        call = method(1, 2)
        assert type(await failure(call)) is TypeError
        assert await stub.synchronous() == "synchronous"


@shows(RESERVED)
@pytest.mark.parametrize(
    "name",
    ["alarm", "connect", "dup", "web_socket_message", "web_socket_close", "web_socket_error"],
)
async def test_reserved_names_cannot_be_called(name: str) -> None:
    """Whether the class defines them or not: the handler does not run."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.MEMBERS.get_by_name("a")
        error = await failure(getattr(stub, name)(1, 2))
        assert type(error) is TypeError
        assert str(error) == f"'{name}' is a reserved method and cannot be called over RPC."
        assert await stub.ran() == []


@shows(CONSTRUCTOR, THENABLE)
async def test_python_s_own_names_are_not_sent() -> None:
    """A stub is no awaitable, no container and no callable, whatever its class defines; and
    `constructor` is a plain name."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.MEMBERS.get_by_name("a")
        assert await stub.constructor() == "a name like any other"
        for name in ("__await__", "__iter__", "__len__", "__call__", "__getitem__", "__then__"):
            assert not hasattr(stub, name)
        with pytest.raises(TypeError, match="await"):
            await stub


@shows(NO_BASE_CLASS)
async def test_a_class_that_is_no_durable_object_is_refused_when_it_is_bound() -> None:
    """With the binding's name, before anything is served."""

    class Plain:
        """Has methods, no base class."""

    plain: Any = Plain
    with pytest.raises(TypeError, match="PLAIN is a subclass of DurableObject"):
        App(name="plain", bindings={"PLAIN": plain})
