"""What `roomhost bench` calls in each room of an application."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from ..runtime import DurableObject, HostError
from .module import is_module

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..runtime import Host
    from .app import App
    from .stub import DurableObjectStub

    Step = Callable[[], Awaitable[object]]

GROUP = "roomhost.bench"  # of entry points: what a room of a module of some kind is asked to do
# What the host calls, and no stub does for a benchmark.
HANDLERS = frozenset(
    ("alarm", "fetch", "web_socket_close", "web_socket_error", "web_socket_message")
)


@dataclass(frozen=True, slots=True)
class ModuleBench:
    """How a module is measured: the entry point of its kind in `roomhost.bench`.

    `label`: what one step is. `step(bound, room)`: one step in a room, of what the module binds.
    `stub(bound, room)`: the room's object, to see what it takes in memory and to be evicted.
    """

    label: str
    step: Callable[[Any, str], Awaitable[object]]
    stub: Callable[[Any, str], DurableObjectStub]


@dataclass(frozen=True, slots=True)
class Call:
    """A method, and what it is called with."""

    method: str
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] | None = None

    def __call__(self, stub: DurableObjectStub) -> Awaitable[object]:
        return cast(
            "Awaitable[object]",
            getattr(stub, self.method)(*self.arguments, **(self.keywords or {})),
        )


@dataclass(frozen=True, slots=True)
class Target:
    """`label`: what one step is. `step(room)` makes it, `stub(room)` is the room's object."""

    label: str
    step: Callable[[Host, str], Step]
    stub: Callable[[Host, str], DurableObjectStub]


def parse_call(text: str) -> Call:
    """METHOD, or METHOD:JSON with a list of arguments, an object of keywords, or the one argument.
    HostError: neither."""
    method, colon, data = text.partition(":")
    if not method.isidentifier():
        raise HostError(f"--call is METHOD or METHOD:JSON, as in increment:[2], not {text!r}")

    if not colon:
        return Call(method)

    try:
        value: list[Any] | dict[str, Any] | str | float | None = json.loads(data)
    except ValueError as error:
        raise HostError(f"--call: the arguments of {method} are no JSON: {error}") from None

    if isinstance(value, dict):
        return Call(method, keywords=value)

    return Call(method, tuple(value) if isinstance(value, list) else (value,))


def target_of(app: App, binding: str | None, call: str | None) -> Target:
    """What is measured of an application. HostError: it has to be said, or cannot be; the message
    says what there is."""
    binding = choose(app, binding)
    value = app.bindings[binding]
    if is_module(value):
        if call is not None:
            raise HostError(f"--call is for classes, and {binding} is a module: leave it out")
        return of_module(binding, value.describe().kind)

    methods = methods_of(cast("type[DurableObject]", value))
    there = f"{binding} has {', '.join(methods) or 'no public method'}"
    if call is None:
        raise HostError(f"say what to call: --call METHOD or --call METHOD:JSON; {there}")

    parsed = parse_call(call)
    if parsed.method not in methods:
        raise HostError(f"--call: there is no method {parsed.method}; {there}")

    return of_class(binding, parsed)


def choose(app: App, binding: str | None) -> str:
    """The binding that is named, or the only one. HostError: there is another choice."""
    names = ", ".join(app.bindings) or "none"
    if binding is None:
        if len(app.bindings) != 1:
            raise HostError(f"say what to measure: --binding NAME; {app.name} has {names}")
        return next(iter(app.bindings))

    if binding not in app.bindings:
        raise HostError(f"--binding: there is no {binding}; {app.name} has {names}")

    return binding


def methods_of(actor: type[DurableObject]) -> list[str]:
    """What may be called over a stub, but for the handlers of requests, sockets and alarms."""
    names = set(dir(actor)) - set(dir(DurableObject)) - HANDLERS
    public = sorted(name for name in names if not name.startswith("_"))
    return [name for name in public if callable(getattr(actor, name))]


def of_class(binding: str, call: Call) -> Target:
    """Calls of one method."""

    def stub(host: Host, room: str) -> DurableObjectStub:
        found: DurableObjectStub = host.env[binding].get_by_name(room)
        return found

    def step(host: Host, room: str) -> Step:
        found = stub(host, room)
        return lambda: call(found)

    return Target(call.method, step, stub)


def of_module(binding: str, kind: str) -> Target:
    """What the package that makes modules of this kind says. HostError: it says nothing."""
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=kind)}
    if not found:
        raise HostError(f"{binding} is a module of kind {kind!r}, which says not how to measure it")

    bench: ModuleBench = next(iter(found.values())).load()

    def stub(host: Host, room: str) -> DurableObjectStub:
        return bench.stub(host.env[binding], room)

    def step(host: Host, room: str) -> Step:
        bound = host.env[binding]
        return lambda: bench.step(bound, room)

    return Target(bench.label, step, stub)
