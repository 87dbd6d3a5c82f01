"""Modules: a binding that is several sets of objects, with handles for them and routes of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from ..runtime import limits
from .paths import split_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..runtime import Host
    from ..runtime.application import ASGIApp, NamespaceDeclaration
    from .namespace import DurableObjectNamespace

KIND = re.compile(rf"[a-z][a-z0-9_-]{{0,{limits.MAX_MODULE_KIND_CHARACTERS - 1}}}")


@dataclass(frozen=True, slots=True)
class ModuleRecord:
    """What another process needs to build the value that a module binds.

    `kind`: the name of what builds it there, an entry point of the group `roomhost.modules`.
    `config`: what that is given, as JSON; at most 64 KiB.
    """

    kind: str
    config: bytes


@runtime_checkable
class Module(Protocol):
    """What `App(bindings={"COLLAB": ...})` takes beside an actor class.

    Its objects are reached by what it binds and by its own routes, never by the default ones.
    """

    @property
    def path(self) -> str:
        """The path it answers, with everything below, as text: "/realtime/collab". Of two modules
        whose paths fit a request the longer one answers; two of an App may not have the same."""
        ...

    def namespaces(self, binding: str) -> Sequence[NamespaceDeclaration]:
        """Its sets of objects, their names `f"{binding}.…"`, under unique keys of its own."""
        ...

    def bind(self, host: Host, namespaces: Mapping[str, DurableObjectNamespace]) -> Any:
        """The value in `env`; the keys are the declared names. Called once when a host starts,
        before `host.env` is set and before any object runs; what it raises, the start raises."""
        ...

    def asgi(self, host: Host, bound: Any) -> ASGIApp:
        """What answers requests and WebSockets under `path`; made once for each running host, when
        the first one comes. The scope is as `main` would have it: `path` is in it still."""
        ...

    def describe(self) -> ModuleRecord:
        """What another process is told."""
        ...


@dataclass(frozen=True, slots=True)
class ModuleBinding:
    """A module under the name of its binding; what it says of itself is checked."""

    binding: str
    module: Module
    segments: tuple[bytes, ...]  # of its path
    namespaces: tuple[NamespaceDeclaration, ...]
    record: ModuleRecord


def is_module(value: object) -> TypeGuard[Module]:
    """Whether a binding's value is a module, and not a class."""
    return isinstance(value, Module) and not isinstance(value, type)


def bind_module(binding: str, module: Module) -> ModuleBinding:
    """Ask a module what it is. ValueError: a path, a namespace or a record that cannot be."""
    declared = tuple(module.namespaces(binding))
    names = [namespace.name for namespace in declared]
    for name in names:
        if not name.startswith(f"{binding}.") or names.count(name) > 1:
            raise ValueError(
                f"a namespace of the module {binding} has a name of its own that begins with "
                f"'{binding}.': {name!r} has not"
            )

    record = module.describe()
    if not KIND.fullmatch(record.kind):
        raise ValueError(
            f"the kind of the module {binding} is at most {limits.MAX_MODULE_KIND_CHARACTERS} "
            f"lower-case letters, digits, - and _: {record.kind!r} is not"
        )

    if len(record.config) > limits.MAX_MODULE_CONFIG_BYTES:
        raise ValueError(
            f"the configuration of the module {binding} is at most "
            f"{limits.MAX_MODULE_CONFIG_BYTES} bytes, this one is {len(record.config)}"
        )

    return ModuleBinding(binding, module, _segments(binding, module.path), declared, record)


def check_paths(modules: Sequence[ModuleBinding]) -> None:
    """ValueError: two modules have the same path."""
    seen: dict[tuple[bytes, ...], str] = {}
    for module in modules:
        other = seen.setdefault(module.segments, module.binding)
        if other != module.binding:
            raise ValueError(
                f"the modules {other} and {module.binding} have the same path, "
                f"{module.module.path}: give one of them another"
            )


def _segments(binding: str, path: str) -> tuple[bytes, ...]:
    segments = split_path(path)
    if not segments or not all(segments) or "?" in path or "#" in path:
        raise ValueError(
            f"the path of the module {binding} is like /realtime/collab, not {path!r}: it begins "
            "with a slash, does not end with one, and has no query"
        )

    return tuple(segments)
