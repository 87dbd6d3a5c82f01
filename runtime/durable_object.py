"""The base class of actors, and which of their members a caller can reach."""

from __future__ import annotations

import functools
import inspect
import operator
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from .alarm_info import AlarmInfo
    from .http import Request, Response
    from .state import DurableObjectState
    from .web_socket import WebSocket


class DurableObject:
    """One actor: subclass it, and every method you write is callable over a stub.

    The host makes one instance per object id and runs its code one turn at a time. Keep what must
    last in `self.ctx.storage`; attributes are a cache that ends with the instance. A constructor is
    synchronous: load with `ctx.block_concurrency_while(self.load)`.

    The handlers below are optional; define the ones you need.
    """

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        self.ctx = ctx
        self.env = env

    if TYPE_CHECKING:

        async def fetch(self, request: Request) -> Response: ...

        async def alarm(self, info: AlarmInfo) -> None: ...

        async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None: ...

        async def web_socket_close(
            self, ws: WebSocket, code: int, reason: str, was_clean: bool
        ) -> None: ...

        async def web_socket_error(self, ws: WebSocket, error: Exception) -> None: ...


# semantics.md 2.1; the names an object answers itself, not over RPC.
RESERVED = frozenset(
    (
        "alarm",
        "connect",
        "dup",
        "fetch",
        "web_socket_close",
        "web_socket_error",
        "web_socket_message",
    )
)

PROPERTIES = (property, functools.cached_property)


class Methods(dict[str, "Callable[..., Any]"]):
    """By name the functions that a stub's calls run, to be called with the instance first.

    Only what the class, its parents and its mixins define counts, not what `DurableObject` does, and
    never an attribute of the instance (semantics.md 2.1). TypeError: no such member, reserved, or not
    a method. Each is looked for once, so there are never more than the class has.
    """

    __slots__ = ("_actor_class",)

    def __init__(self, actor_class: ActorClass) -> None:
        super().__init__()
        self._actor_class = actor_class

    def __missing__(self, name: str) -> Callable[..., Any]:
        found = self[name] = self._actor_class.find_method(name)
        return found


class ActorClass:
    """An actor class as the host uses it: how to make an instance, what can be called on it. `env`: what
    its instances get, once that is made."""

    __slots__ = ("_getters", "env", "has_alarm", "methods", "name", "type")

    def __init__(self, actor: type[DurableObject]) -> None:
        if not (isinstance(actor, type) and issubclass(actor, DurableObject)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"an actor is a subclass of DurableObject, not {actor!r}")

        self.type = actor
        self.env: Any = None
        self.name = actor.__name__
        self.has_alarm = self.defines("alarm")
        self.methods = Methods(self)
        self._getters: dict[str, Callable[[Any], Any]] = {}

    def defines(self, handler: str) -> bool:
        """Whether the class has a handler of that name, `alarm` say."""
        return getattr(self.type, handler, None) is not None

    def getter(self, name: str) -> Callable[[Any], Any]:
        """What reads the property `name` of an instance, for a stub whose attribute is awaited.

        TypeError: no such member, reserved, or a method, because functions do not cross a stub.
        """
        found = self._getters.get(name)
        if found is None:
            member = self._member(name)
            if inspect.isfunction(member):
                raise TypeError(f'"{name}" is a function: call it, functions do not cross a stub.')
            found = self._getters[name] = operator.attrgetter(name)
        return found

    def find_method(self, name: str) -> Callable[..., Any]:
        """What `methods` keeps."""
        member = self._member(name)
        if inspect.isfunction(member):
            return member

        raise TypeError(f'"{name}" is not a function.')

    def _member(self, name: str) -> Any:
        """A function or a property. TypeError: there is none of that name."""
        if name in RESERVED:
            raise TypeError(f"'{name}' is a reserved method and cannot be called over RPC.")

        if not (name.startswith("__") and name.endswith("__")):
            # The first class that has the name decides, as it does inside the object.
            owners = (kind for kind in self.type.__mro__ if name in vars(kind))
            owner = next(owners, DurableObject)
            member = None if owner in (DurableObject, object) else vars(owner)[name]
            if inspect.isfunction(member) or isinstance(member, PROPERTIES):
                return cast("Any", member)

        raise TypeError(f'The RPC receiver does not implement the method "{name}".')
