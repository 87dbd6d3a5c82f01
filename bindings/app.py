"""An application: actor classes and modules by binding name, variables, and what answers requests."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from ..runtime import DurableObject, Host, load_settings
from ..runtime.application import ModuleDeclaration, NamespaceDeclaration
from ..runtime.object_id import IdFactory
from ..runtime.plan import class_of
from .context import InRequest
from .dispatcher import Dispatcher
from .env import Env
from .lifespan import run_lifespan
from .migration import check_migrations
from .migrations import plan_migrations
from .module import bind_module, check_paths, is_module
from .namespace import DurableObjectNamespace
from .router import Router

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..runtime import DurableObjectId
    from ..runtime.application import ASGIApp, Receive, Scope, Send
    from ..runtime.channel import LocalChannel
    from ..runtime.plan import Plan
    from ..storage import Catalogue
    from .migration import Migration
    from .module import Module, ModuleBinding

BINDING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class App:
    """What a host runs: `App(name="demo", bindings={"COUNTER": Counter})`.

    `bindings`: actor classes and modules by binding name; a module answers the requests under its
    path, before anything else does. `vars`: plain values, in `env` beside the bindings. `main`: any
    ASGI application for the other requests, with `request.state.env`; without one
    `/{binding}/{name}/...` goes to `fetch` of that object. `unique_keys`: for an actor class, the key
    its ids derive from, when they must equal those of another system; fixed once a data directory
    has seen it. `migrations`: what was done to the classes, version by version, see `Migration`; a data
    directory applies each once.

    It is an ASGI application too: `uvicorn demo:app`, with settings from the environment.
    TypeError, ValueError: a name, a class or a module that cannot be bound, migrations that contradict
    the bindings.
    """

    def __init__(
        self,
        *,
        name: str,
        bindings: Mapping[str, type[DurableObject] | Module],
        vars: Mapping[str, Any] | None = None,
        main: ASGIApp | None = None,
        unique_keys: Mapping[str, str] | None = None,
        migrations: Sequence[Migration] = (),
    ) -> None:
        self.name = name
        self.main = main
        self.bindings = dict(bindings)
        self.vars = dict(vars or {})
        self.migrations = tuple(migrations)
        self._unique_keys = dict(unique_keys or {})
        self._host: Host | None = None
        self._classes: dict[str, type[DurableObject]] = {}
        self._modules: dict[str, ModuleBinding] = {}
        self._sort_bindings()
        self._check_names()
        check_migrations(self.migrations, {class_of(each) for each in self.namespaces()})

    def namespaces(self) -> Sequence[NamespaceDeclaration]:
        """Every set of objects, those of the modules too, for the host."""
        declared: list[NamespaceDeclaration] = []
        for binding in self.bindings:
            if binding in self._modules:
                declared += self._modules[binding].namespaces
            else:
                key = self._unique_keys.get(binding, f"{self.name}/{binding}")
                declared.append(NamespaceDeclaration(binding, key, self._classes[binding]))
        return declared

    def modules(self) -> Sequence[ModuleDeclaration]:
        """The bindings that are modules, for other processes."""
        return [
            ModuleDeclaration(
                module.binding,
                module.record.kind,
                module.record.config,
                tuple(namespace.name for namespace in module.namespaces),
            )
            for module in self._modules.values()
        ]

    def plan(self, recorded: Catalogue, count: Callable[[int], int], at_ms: int) -> Plan:
        """What becomes of the objects in a data directory: see `plan_migrations`."""
        return plan_migrations(
            recorded, self.name, self.namespaces(), self.migrations, count, at_ms
        )

    def make_env(self, host: Host) -> Env:
        """The bindings and variables, reaching the objects of `host`."""
        values = dict(self.vars)
        for binding in self.bindings:
            if binding in self._modules:
                module = self._modules[binding]
                names = [namespace.name for namespace in module.namespaces]
                namespaces = {name: namespace_of(host, name) for name in names}
                values[binding] = module.module.bind(host, namespaces)
            else:
                values[binding] = namespace_of(host, binding)
        return Env(values)

    def asgi_for(self, host: Host) -> ASGIApp:
        """The modules under their paths; else `main`, or the default router."""
        rest: ASGIApp
        rest = (
            Router(host, list(self._classes)) if self.main is None else InRequest(host, self.main)
        )
        return Dispatcher(host, self._modules.values(), rest) if self._modules else rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with AsyncExitStack() as stack:
                start = partial(self._start, stack)
                await run_lifespan(scope, receive, send, start, stack.aclose)
        elif self._host is None:
            raise RuntimeError("an App needs the server's lifespan: it opens the data directory")
        else:
            await self._host.asgi(scope, receive, send)

    async def _start(self, stack: AsyncExitStack) -> ASGIApp:
        settings = load_settings()
        self._host = await stack.enter_async_context(
            Host(self, settings=settings, refuse_orphans=True)
        )
        stack.callback(self._stopped)
        from ..runtime.local_server import local_server  # uvicorn, which takes a while to import

        await stack.enter_async_context(local_server(self._host))
        return self._host.asgi

    def _stopped(self) -> None:
        self._host = None

    def _sort_bindings(self) -> None:
        for binding, value in self.bindings.items():
            if not BINDING_NAME.fullmatch(binding):
                raise ValueError(f"a binding's name is letters, digits and _: {binding!r} is not")
            if is_module(value):
                self._modules[binding] = bind_module(binding, value)
            elif isinstance(value, type) and issubclass(value, DurableObject):  # pyright: ignore[reportUnnecessaryIsInstance]
                self._classes[binding] = value
            else:
                raise TypeError(
                    f"the binding {binding} is a subclass of DurableObject or a module, not {value!r}"
                )

    def _check_names(self) -> None:
        if not self.name:
            raise ValueError("an App has a name: it is part of what its objects' ids derive from")

        for module in self._unique_keys.keys() & self._modules.keys():
            raise ValueError(f"unique_keys names {module!r}, a module, which has keys of its own")

        for unknown in self._unique_keys.keys() - self.bindings.keys():
            raise ValueError(f"unique_keys names {unknown!r}, which is no binding")

        for both in self.vars.keys() & self.bindings.keys():
            raise ValueError(f"{both!r} is a binding and a variable")

        check_paths(list(self._modules.values()))


def namespace_of(host: Host, binding: str) -> DurableObjectNamespace:
    """The namespace of a binding in a host. It stays one, also when a deploy binds it otherwise."""
    namespace = host.namespaces[binding]
    number = namespace.number

    def connect(object_id: DurableObjectId) -> LocalChannel:
        return host.engine.channel(number, object_id)

    return DurableObjectNamespace(partial(IdFactory, namespace.unique_key), connect)
