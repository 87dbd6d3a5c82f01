"""`objects`: the objects of a binding, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from anyio.lowlevel import checkpoint

from . import limits
from .bindings import namespaces_of
from .errors import invalid
from .structs import Input, Result, check_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..runtime import Host
    from ..runtime.slot import Slot

    Row: TypeAlias = tuple[bytes, str | None, Slot | None]  # id, name, what is in memory

ID_DIGITS = 64


class ObjectsInput(Input, kw_only=True):
    """`binding`: or a namespace of a module, `COLLAB.rooms`. `prefix`, `contains`: of the name.
    `resident`, `alarm`, `sockets`: whether something is in memory, an alarm is set, sockets are open.
    `after`: where the page before ended, as its result said."""

    binding: str
    prefix: str | None = None
    contains: str | None = None
    resident: bool | None = None
    alarm: bool | None = None
    sockets: bool | None = None
    after: str | None = None
    limit: int = limits.DEFAULT_LIMIT

    def __post_init__(self) -> None:
        check_limit(self.limit, limits.MAX_LIMIT)


class ObjectInfo(Result, kw_only=True):
    """One object. `keys`, `bytes`: of what is stored, counted up to a limit; `more_keys`: there are
    more. `alarm_ms`: when it is due, since the epoch. `namespace`: which of the binding's."""

    id: str
    namespace: str
    name: str | None = None
    resident: bool
    sockets: int
    keys: int
    bytes: int
    more_keys: bool = False
    alarm_ms: int | None = None


class Objects(Result, kw_only=True):
    """A page, in the order of namespaces and ids. `after`: give it to get what follows; a page may
    hold less than was asked for, or nothing, and others follow."""

    objects: list[ObjectInfo]
    after: str | None = None


async def list_objects(host: Host, given: ObjectsInput) -> Objects:
    """The objects of a binding that pass the filters: what is stored, and what is in memory alone."""
    spaces = namespaces_of(host, given.binding)
    space, after = _position(given.after, spaces)
    limit = check_limit(given.limit, limits.MAX_LIMIT)
    found: list[ObjectInfo] = []
    looked_at = 0
    while True:
        page, more = _page(host, space, after)
        for after, name, slot in page:
            looked_at += 1
            info = _info(host, space, after, name, slot) if _is_named(given, name) else None
            if info is not None and _passes(given, info):
                found.append(info)
            if len(found) == limit or looked_at >= limits.MAX_SCANNED_OBJECTS:
                return Objects(objects=found, after=f"{space}/{after.hex()}")

        await checkpoint()
        if not more:
            if space == spaces[-1]:
                return Objects(objects=found)
            space, after = spaces[spaces.index(space) + 1], b""


def _position(after: str | None, spaces: list[str]) -> tuple[str, bytes]:
    if after is None:
        return spaces[0], b""

    space, _, digits = after.rpartition("/")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if space not in spaces or 2 * len(data) != ID_DIGITS:
        raise invalid("after", "give what the page before had as its `after`")

    return space, data


def _page(host: Host, space: str, after: bytes) -> tuple[list[Row], bool]:
    """Some objects behind an id, in order, with what is in memory of them; and whether more follow."""
    engine, number = host.engine, host.namespaces[space].number
    records = engine.partition.list_objects(number, after=after or None, limit=limits.SCAN_OBJECTS)
    more = len(records) == limits.SCAN_OBJECTS
    last = records[-1].id if more else None
    rows: list[Row] = [
        (record.id, record.name, engine.resident_slot(number, record.id)) for record in records
    ]
    known = {record.id for record in records}
    for slot in _in_memory(host, number):
        data = bytes(slot.id)
        if data not in known and data > after and (last is None or data < last):
            rows.append((data, slot.id.name, slot))
    rows.sort(key=_id_of)
    return rows, more


def _id_of(row: Row) -> bytes:
    return row[0]


def _in_memory(host: Host, number: int) -> Iterator[Slot]:
    return (slot for slot in host.engine.resident if slot.namespace == number)


def _is_named(given: ObjectsInput, name: str | None) -> bool:
    if given.prefix is not None and not (name or "").startswith(given.prefix):
        return False

    return given.contains is None or given.contains in (name or "")


def _info(host: Host, space: str, data: bytes, name: str | None, slot: Slot | None) -> ObjectInfo:
    partition = host.engine.partition
    number = partition.find(host.namespaces[space].number, data)
    keys = size = 0
    alarm_ms: int | None = None
    if number is not None:
        store = partition.store(number)
        keys, size = store.measure(limit=limits.MAX_LISTED_ENTRIES + 1)
        alarm_ms = store.alarm()
    return ObjectInfo(
        id=data.hex(),
        namespace=space,
        name=name,
        resident=slot is not None and slot.running is not None,
        sockets=0 if slot is None or slot.sockets is None else len(slot.sockets),
        keys=min(keys, limits.MAX_LISTED_ENTRIES),
        bytes=size,
        more_keys=keys > limits.MAX_LISTED_ENTRIES,
        alarm_ms=alarm_ms,
    )


def _passes(given: ObjectsInput, info: ObjectInfo) -> bool:
    wanted = (
        (given.resident, info.resident),
        (given.alarm, info.alarm_ms is not None),
        (given.sockets, info.sockets > 0),
    )
    return all(asked is None or asked == true for asked, true in wanted)
