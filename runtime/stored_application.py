"""What a data directory says of an application: its sets of objects, without their code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..storage import NamespaceState
from .application import ModuleDeclaration, NamespaceDeclaration
from .asgi import refuse
from .durable_object import DurableObject
from .plan import Plan
from .problems import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..storage import Catalogue, NamespaceRecord
    from .application import ASGIApp, Receive, Scope, Send
    from .host import Host


class StoredObject(DurableObject):
    """Stands for a class whose code is not here: it has no method and no handler."""


class StoredApplication:
    """An `Application` for a host that is opened to look at what is stored: give it one of these and
    `run_alarms=False`. It runs nothing; its namespaces are those that the directory has recorded."""

    name = "stored"

    def __init__(self) -> None:
        self._records: tuple[NamespaceRecord, ...] = ()

    def plan(self, recorded: Catalogue, count: Callable[[int], int], at_ms: int) -> Plan:
        """Nothing changes."""
        self._records = tuple(
            record for record in recorded.namespaces if record.state is not NamespaceState.DELETED
        )
        return Plan(recorded, {record.name: record.number for record in self._records})

    def namespaces(self) -> Sequence[NamespaceDeclaration]:
        """Every set of objects that was recorded."""
        return [
            NamespaceDeclaration(record.name, record.unique_key, _stand_in(record.class_name))
            for record in self._records
        ]

    def modules(self) -> Sequence[ModuleDeclaration]:
        """What was a module, by the names of its sets of objects."""
        names: dict[str, list[str]] = {}
        for record in self._records:
            binding, dot, _ = record.name.partition(".")
            if dot:
                names.setdefault(binding, []).append(record.name)
        return [
            ModuleDeclaration(binding, "module", b"{}", tuple(found))
            for binding, found in names.items()
        ]

    def make_env(self, host: Host) -> Any:
        """Nothing: no code runs that could ask for it."""
        return {}

    def asgi_for(self, host: Host) -> ASGIApp:
        """What refuses every request."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            refusal = problem(404, "not_found", "no application runs here")
            await refuse(scope, receive, send, refusal)

        return answer


def _stand_in(class_name: str | None) -> type[StoredObject]:
    """What stands for a class, under its name where that was recorded."""
    return StoredObject if class_name is None else type(class_name, (StoredObject,), {})
