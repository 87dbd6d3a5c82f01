"""Which sets of objects a binding's name stands for, and which object a name or an id means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.object_id import maker_of
from ..runtime.stored_application import StoredObject
from . import limits
from .errors import invalid, not_found

if TYPE_CHECKING:
    from ..runtime import DurableObjectId, Host

# Of a module's sets of objects, those that keep its books; they are listed when they are named.
INTERNAL = frozenset(("directory",))
ID_DIGITS = 64


def namespaces_of(host: Host, binding: str) -> list[str]:
    """The namespaces that a name stands for: that one itself, or those of a module without its
    internal ones. OperationError: there is none; the message names those there are."""
    if binding in host.namespaces:
        return [binding]

    found = [
        name for name in host.namespaces if name.startswith(f"{binding}.") and not is_internal(name)
    ]
    if not found:
        known = ", ".join(bindings_of(host)) or "none"
        raise not_found(f"no binding {binding[:128]!r}; there are {known}")

    return found


def is_internal(namespace: str) -> bool:
    """Whether a namespace is one that a module keeps its books in."""
    return "." in namespace and namespace.rpartition(".")[2] in INTERNAL


def class_name_of(host: Host, namespace: str) -> str | None:
    """The name of the class of a namespace's objects; None where its code is not here."""
    actor_class = host.namespaces[namespace].actor_class
    return None if actor_class.type is StoredObject else actor_class.name


def bindings_of(host: Host) -> dict[str, list[str]]:
    """Every binding's namespaces, by its name."""
    found: dict[str, list[str]] = {}
    for name in host.namespaces:
        found.setdefault(name.partition(".")[0], []).append(name)
    return found


def find_object(
    host: Host, binding: str, name: str | None, object_id: str | None, *, new: bool = False
) -> tuple[str, DurableObjectId]:
    """The namespace and the id of one object, by its exact name or its id.

    64 hex digits in place of a name are an id, unless an object is there under that name. With a
    module's binding it is whichever of its rooms and channels is there. `new`: the object need not be
    there. OperationError: there is none, or there are two; the message names some that there are.
    """
    namespaces = namespaces_of(host, binding)
    if (name is None) == (object_id is None):
        raise invalid("name", "give either the name of the object, or its id")

    if object_id is not None:
        found = [(space, made) for space in namespaces if (made := by_id(host, space, object_id))]
        if not found:
            raise invalid("id", f"{object_id[:80]!r} is no id of an object of {binding}")
    else:
        assert name is not None
        found = candidates(host, namespaces, name)
    there = [each for each in found if exists(host, *each)]
    if len(there) > 1:
        both = " and ".join(space for space, _ in there)
        raise invalid("binding", f"{name!r} is in {both}: name one of them")

    if there:
        return there[0]

    if new and len(found) == 1:
        return found[0]

    raise not_found(_absent(host, binding, namespaces, name if object_id is None else object_id))


def candidates(host: Host, namespaces: list[str], name: str) -> list[tuple[str, DurableObjectId]]:
    """What a name may mean in each namespace, likeliest first."""
    try:
        named = [(space, host.ids(space).from_name(name)) for space in namespaces]
    except ValueError:
        raise invalid("name", f"{name[:80]!r} is no valid Unicode") from None

    if len(name) == ID_DIGITS and not any(exists(host, *each) for each in named):
        ids = [(space, made) for space in namespaces if (made := by_id(host, space, name))]
        return ids or named

    return named


def by_id(host: Host, namespace: str, digits: str) -> DurableObjectId | None:
    """The id that was printed as `digits`, with the name that is known; None: not one of these."""
    try:
        data = bytes.fromhex(digits) if len(digits) == ID_DIGITS else b""
    except ValueError:
        return None

    if 2 * len(data) != ID_DIGITS:
        return None

    maker = maker_of(data, lambda jurisdiction: host.ids(namespace, jurisdiction))
    return maker.from_bytes(data, known_name(host, namespace, data)) if maker.owns(data) else None


def known_name(host: Host, namespace: str, data: bytes) -> str | None:
    """The name in an object's record, or the one it goes by in memory, if there is one."""
    engine, space = host.engine, host.namespaces[namespace].number
    number = engine.partition.find(space, data)
    record = None if number is None else engine.partition.record(number)
    if record is not None and record.name is not None:
        return record.name

    slot = engine.resident_slot(space, data)
    return None if slot is None else slot.id.name


def exists(host: Host, namespace: str, object_id: DurableObjectId) -> bool:
    """Whether an object is stored, or in memory."""
    number = host.namespaces[namespace].number
    if host.engine.partition.find(number, bytes(object_id)) is not None:
        return True

    return host.engine.resident_slot(number, bytes(object_id)) is not None


def _absent(host: Host, binding: str, namespaces: list[str], name: str | None) -> str:
    names: list[str] = []
    for space in namespaces:
        for each in host.list_objects(space, limit=limits.MAX_NAMED_OBJECTS):
            names.append(str(each) if each.name is None else repr(each.name))
    some = ", ".join(names[: limits.MAX_NAMED_OBJECTS]) or "none"
    return (
        f"{binding} has no object {(name or '')[:128]!r}; there are {some} (see roomhost objects)"
    )
