"""What a host can host: the shape of an application, as far as the runtime needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from .observability import EVERYTHING, Observability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..storage import Catalogue
    from .durable_object import DurableObject
    from .host import Host
    from .plan import Plan

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class NamespaceDeclaration:
    """One set of objects: its name in the data directory, the key its ids derive from the first time
    the directory sees it, the class of its objects, and what of their events is logged and recorded."""

    name: str
    unique_key: str
    actor: type[DurableObject]
    observability: Observability = EVERYTHING


@dataclass(frozen=True, slots=True)
class ModuleDeclaration:
    """One module, as far as another process needs it to build the same value under the binding's name:
    what builds it, its configuration, and the names of its sets of objects."""

    binding: str
    kind: str
    config: bytes
    namespaces: tuple[str, ...]


class Application(Protocol):
    """`roomhost.bindings.App`, seen from below."""

    @property
    def name(self) -> str:
        """The application's name."""
        ...

    def namespaces(self) -> Sequence[NamespaceDeclaration]:
        """Every set of objects that the application has."""
        ...

    def plan(self, recorded: Catalogue, count: Callable[[int], int], at_ms: int) -> Plan:
        """What becomes of the objects in a data directory with this record when the application takes it
        over at `at_ms`. `count(number)`: how many objects a namespace has. Pure."""
        ...

    def modules(self) -> Sequence[ModuleDeclaration]:
        """The bindings that are more than one set of objects. `make_env` binds their values."""
        ...

    def make_env(self, host: Host) -> Any:
        """The `env` that actors and routes get, for one host."""
        ...

    def asgi_for(self, host: Host) -> ASGIApp:
        """What answers HTTP and WebSocket requests."""
        ...
