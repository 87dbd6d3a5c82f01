"""`export`: one object as it is stored, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import limits
from .bindings import find_object
from .errors import OperationError, not_found
from .structs import ObjectInput, Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..runtime import DurableObjectId, Host
    from ..storage import ObjectStore

FORMAT_VERSION = 1
PAGE_ENTRIES = 64  # read at once: each may be 2 MiB


class ExportInput(ObjectInput, kw_only=True):
    """An object."""


class ExportHeader(Result, kw_only=True):
    """The first line of a file with one object. `roomhost_object`: the version of the format.
    `namespace`: where it was. `entries`: how many lines follow. `bytes`: of their keys and values."""

    roomhost_object: int
    namespace: str
    id: str
    name: str | None = None
    alarm_ms: int | None = None
    entries: int
    bytes: int


class ExportedEntry(Result, kw_only=True):
    """A line of it: the key in UTF-8 and the value as it is encoded, both in base64."""

    key: bytes
    value: bytes


async def export_object(host: Host, given: ExportInput) -> AsyncGenerator[dict[str, Any]]:
    """Everything that is durable of an object at one moment: {"header": ...}, {"entry": ...} each,
    {"result": ...}. OperationError: it is over 64 MiB, or 100,000 keys."""
    space, object_id = find_object(host, given.binding, given.name, given.id)
    number = host.engine.partition.find(host.namespaces[space].number, bytes(object_id))
    if number is None:
        raise not_found("nothing is stored of this object: it is in memory alone")

    store = host.engine.partition.store(number)
    header, entries = read_object(store, space, object_id)
    yield {"header": header}
    for key, value in entries:
        yield {"entry": ExportedEntry(key=key, value=value)}
    yield {"result": header}


def read_object(
    store: ObjectStore, space: str, object_id: DurableObjectId
) -> tuple[ExportHeader, list[tuple[bytes, bytes]]]:
    """All entries, read without a pause, so that no change comes between two of them."""
    count, size = store.measure(limit=limits.MAX_TRANSFER_ENTRIES + 1)
    check_size(count, size)
    entries: list[tuple[bytes, bytes]] = []
    begin: bytes | None = None
    while page := store.scan(begin, None, limit=PAGE_ENTRIES):
        entries += page
        begin = page[-1][0] + b"\0"
    header = ExportHeader(
        roomhost_object=FORMAT_VERSION,
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        alarm_ms=store.alarm(),
        entries=count,
        bytes=size,
    )
    return header, entries


def check_size(count: int, size: int) -> None:
    """OperationError: an object is too large for a file."""
    if count > limits.MAX_TRANSFER_ENTRIES or size > limits.MAX_TRANSFER_BYTES:
        raise OperationError(
            f"an object of more than {limits.MAX_TRANSFER_ENTRIES} keys or "
            f"{limits.MAX_TRANSFER_BYTES} bytes does not go into a file: use roomhost backup",
            code="payload_too_large",
            status=413,
        )
