"""`host`: what runs, and its bindings."""

from __future__ import annotations

import os
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING

from . import limits
from .bindings import bindings_of, class_name_of, is_internal
from .structs import Input, Result

if TYPE_CHECKING:
    from ..runtime import Host


class HostInput(Input, kw_only=True):
    """Nothing."""


class BindingInfo(Result, kw_only=True):
    """A binding. `kind`: "class", or that of the module. `objects`: stored ones, counted up to a
    limit; `more_objects`: there are more. `resident`: of which something is in memory. Of a module's
    sets of objects, those that it keeps its books in do not count."""

    binding: str
    kind: str
    class_name: str | None = None
    namespaces: list[str]
    objects: int
    more_objects: bool = False
    resident: int
    sockets: int


class HostInfo(Result, kw_only=True):
    """A host. `edit`: whether it takes changes over the network. `started_ms`: since the epoch."""

    name: str
    version: str
    url: str
    data_dir: str
    started_ms: int
    pid: int
    edit: bool
    bindings: list[BindingInfo]


async def describe_host(host: Host, given: HostInput) -> HostInfo:
    """What this host is, and what it has."""
    return HostInfo(
        name=host.app.name,
        version=version("roomhost"),
        url=host.public_url,
        data_dir=str(host.directory),
        started_ms=host.started_ms,
        pid=os.getpid(),
        edit=host.settings.inspector_edit,
        bindings=describe_bindings(host),
    )


def describe_bindings(host: Host) -> list[BindingInfo]:
    """The bindings of a host, in order of declaration."""
    resident: Counter[int] = Counter()
    sockets: Counter[int] = Counter()
    for slot in host.engine.resident:
        resident[slot.namespace] += 1
        sockets[slot.namespace] += 0 if slot.sockets is None else len(slot.sockets)
    kinds = {module.binding: module.kind for module in host.app.modules()}
    found: list[BindingInfo] = []
    for binding, names in bindings_of(host).items():
        spaces = [host.namespaces[name] for name in names if not is_internal(name)]
        most = limits.MAX_COUNTED_OBJECTS
        counted = sum(
            host.engine.partition.count_objects(space.number, limit=most + 1) for space in spaces
        )
        found.append(
            BindingInfo(
                binding=binding,
                kind=kinds.get(binding, "class"),
                class_name=None if binding in kinds else class_name_of(host, binding),
                namespaces=names,
                objects=min(counted, most),
                more_objects=counted > most,
                resident=sum(resident[space.number] for space in spaces),
                sockets=sum(sockets[space.number] for space in spaces),
            )
        )
    return found
