"""The modules of a host in another process: their values, built by the packages installed here."""

from __future__ import annotations

import asyncio
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeAlias

from .env import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..runtime.remote_frames import ModuleInfo
    from .namespace import DurableObjectNamespace

    # Takes the name of the binding, the configuration, and the namespaces by their names.
    ModuleBuilder: TypeAlias = Callable[[str, bytes, Mapping[str, DurableObjectNamespace]], object]

GROUP = "roomhost.modules"


async def build_modules(
    modules: Mapping[str, ModuleInfo], namespaces: Mapping[str, DurableObjectNamespace]
) -> dict[str, Any]:
    """The value of each binding that is a module; an `Unreadable` where it cannot be built."""
    if not modules:
        return {}

    # In a thread, because it looks through what is installed, and imports.
    builders = await asyncio.to_thread(load_builders, {info.kind for info in modules.values()})
    return {
        binding: _build(binding, info, namespaces, builders[info.kind])
        for binding, info in modules.items()
    }


def load_builders(kinds: Iterable[str]) -> dict[str, ModuleBuilder | Unreadable]:
    """What builds the modules of each kind: the entry point of that name in `roomhost.modules`."""
    return {kind: _load(kind) for kind in kinds}


def _load(kind: str) -> ModuleBuilder | Unreadable:
    # One distribution may be found twice, as where it is installed in an editable way.
    found = {entry.value: entry for entry in entry_points(group=GROUP, name=kind)}
    if not found:
        return Unreadable(
            f"nothing that is installed here builds it: install the package with the entry point "
            f"{kind!r} in the group {GROUP}"
        )

    if len(found) > 1:
        return Unreadable(f"several packages here build it, keep one: {', '.join(sorted(found))}")

    (entry,) = found.values()
    try:
        builder: ModuleBuilder = entry.load()
    except Exception as error:
        return Unreadable(f"{entry.value} cannot be imported here: {error}", error)

    return builder


def _build(
    binding: str,
    info: ModuleInfo,
    namespaces: Mapping[str, DurableObjectNamespace],
    builder: ModuleBuilder | Unreadable,
) -> Any:
    if not isinstance(builder, Unreadable):
        own = {name: namespaces[name] for name in info.namespaces}
        try:
            return builder(binding, info.config, own)
        except Exception as error:
            builder = Unreadable(f"its configuration is not understood here: {error!r}", error)

    what = f"the binding {binding} is a module of kind {info.kind!r}"
    return Unreadable(f"{what}: {builder.message}", builder.cause)
