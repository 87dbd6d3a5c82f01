"""An application: actor classes by binding name, variables, and what answers requests."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from ..runtime import DurableObject, Host, load_settings
from ..runtime.application import NamespaceDeclaration
from ..runtime.channel import LocalChannel
from .env import Env
from .lifespan import run_lifespan
from .namespace import DurableObjectNamespace
from .router import Router

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..runtime import DurableObjectId
    from ..runtime.application import ASGIApp, Receive, Scope, Send

BINDING_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class App:
    """What a host runs: `App(name="demo", bindings={"COUNTER": Counter})`.

    `bindings`: actor classes by binding name. `vars`: plain values, in `env` beside the bindings.
    `main`: any ASGI application for the requests, with `request.state.env`; without one
    `/{binding}/{name}/...` goes to `fetch` of that object. `unique_keys`: for a binding, the key its
    ids derive from, when they must equal those of another system; fixed once a data directory has
    seen it.

    It is an ASGI application too: `uvicorn demo:app`, with settings from the environment.
    TypeError, ValueError: a name or a class that cannot be bound.
    """

    def __init__(
        self,
        *,
        name: str,
        bindings: Mapping[str, type[DurableObject]],
        vars: Mapping[str, Any] | None = None,
        main: ASGIApp | None = None,
        unique_keys: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.main = main
        self.bindings = dict(bindings)
        self.vars = dict(vars or {})
        self._unique_keys = dict(unique_keys or {})
        self._host: Host | None = None
        self._check()

    def namespaces(self) -> Sequence[NamespaceDeclaration]:
        """Every set of objects, for the host."""
        return [
            NamespaceDeclaration(
                binding, self._unique_keys.get(binding, f"{self.name}/{binding}"), actor
            )
            for binding, actor in self.bindings.items()
        ]

    def make_env(self, host: Host) -> Env:
        """The bindings and variables, reaching the objects of `host`."""
        return Env({**self.vars, **{name: namespace_of(host, name) for name in self.bindings}})

    def asgi_for(self, host: Host) -> ASGIApp:
        """`main`, or the default router."""
        return self.main if self.main is not None else Router(host, list(self.bindings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with AsyncExitStack() as stack:
                await run_lifespan(scope, receive, send, partial(self._start, stack), self.main)
        elif self._host is None:
            raise RuntimeError("an App needs the server's lifespan: it opens the data directory")
        else:
            await self._host.asgi(scope, receive, send)

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = load_settings()
        self._host = await stack.enter_async_context(Host(self, settings=settings))
        stack.callback(self._stopped)

    def _stopped(self) -> None:
        self._host = None

    def _check(self) -> None:
        if not self.name:
            raise ValueError("an App has a name: it is part of what its objects' ids derive from")

        for binding, actor in self.bindings.items():
            if not BINDING_NAME.fullmatch(binding):
                raise ValueError(f"a binding's name is letters, digits and _: {binding!r} is not")
            if not (isinstance(actor, type) and issubclass(actor, DurableObject)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"the binding {binding} is a subclass of DurableObject, not {actor!r}"
                )

        for unknown in self._unique_keys.keys() - self.bindings.keys():
            raise ValueError(f"unique_keys names {unknown!r}, which is no binding")

        for both in self.vars.keys() & self.bindings.keys():
            raise ValueError(f"{both!r} is a binding and a variable")


def namespace_of(host: Host, binding: str) -> DurableObjectNamespace:
    """The namespace of a binding in a host."""
    number = host.namespaces[binding].number

    def connect(object_id: DurableObjectId) -> LocalChannel:
        return LocalChannel(host.engine, number, object_id)

    return DurableObjectNamespace(partial(host.ids, binding), connect)
