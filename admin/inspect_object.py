"""`inspect`: what is stored of one object, and what is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..storage import decode, prefix_end
from . import limits
from .bindings import class_name_of, find_object
from .errors import invalid
from .literals import literal
from .structs import ObjectInput, Result, check_limit

if TYPE_CHECKING:
    from ..runtime import Host
    from ..runtime.records import EventRecord
    from ..runtime.slot import Slot
    from ..runtime.web_socket import WebSocket
    from ..storage import ObjectStore

PAGE_ENTRIES = 16  # read at once: each may be 2 MiB


class InspectInput(ObjectInput, kw_only=True):
    """An object, by its name or its id; and which of its keys: with `prefix`, behind `after`."""

    prefix: str | None = None
    after: str | None = None
    limit: int = limits.DEFAULT_LIMIT

    def __post_init__(self) -> None:
        check_limit(self.limit, limits.MAX_LIMIT)


class Entry(Result, kw_only=True):
    """A key and its value. `type`: of the value. `bytes`: of the value, encoded. `value`: as a Python
    literal; `cut`: only its first 4,096 characters."""

    key: str
    type: str
    bytes: int
    value: str
    cut: bool = False


class Alarm(Result, kw_only=True):
    """`at_ms`: when it is due, since the epoch. `retry_count`: runs that failed. `retry_at_ms`: when
    it is tried again. `running`: its handler runs."""

    at_ms: int
    retry_count: int = 0
    retry_at_ms: int | None = None
    running: bool = False


class Socket(Result, kw_only=True):
    """A WebSocket of an object. `attachment`: as a Python literal. `hibernating`: no instance is in
    memory. `waiting`: messages that no handler has begun."""

    tags: list[str]
    attachment: str | None = None
    url: str | None = None
    protocol: str | None = None
    hibernating: bool
    waiting: int


class Inspected(Result, kw_only=True):
    """One object. `entries`: a page of what is durable; `after`: the key that the next one follows.
    `keys`, `bytes`: of all, counted up to a limit; `more_keys`: there are more. `socket_count`: of
    all, of which the first 100 are in `sockets`. `queued`, `in_flight`: events."""

    binding: str
    namespace: str
    id: str
    name: str | None = None
    class_name: str | None = None
    resident: bool
    queued: int = 0
    in_flight: int = 0
    keys: int
    bytes: int
    more_keys: bool = False
    entries: list[Entry]
    after: str | None = None
    alarm: Alarm | None = None
    socket_count: int
    sockets: list[Socket]
    events: list[EventRecord]


async def inspect_object(host: Host, given: InspectInput) -> Inspected:
    """What is durable of an object, and what is in memory of it. Its code is not run, and it is not
    started: what an instance holds in attributes is not seen."""
    space, object_id = find_object(host, given.binding, given.name, given.id)
    namespace = host.namespaces[space]
    engine, data = host.engine, bytes(object_id)
    slot = engine.resident_slot(namespace.number, data)
    number = engine.partition.find(namespace.number, data)
    store = None if number is None else engine.partition.store(number)
    keys, size, entries, after = 0, 0, list[Entry](), None
    if store is not None:
        keys, size = store.measure(limit=limits.MAX_COUNTED_ENTRIES + 1)
        entries, after = read_entries(store, given.prefix, given.after, given.limit)
    activation = None if slot is None else slot.running
    sockets = open_sockets(slot)
    return Inspected(
        binding=given.binding,
        namespace=space,
        id=str(object_id),
        name=object_id.name,
        class_name=class_name_of(host, space),
        resident=activation is not None,
        queued=0 if slot is None else len(slot.queue),
        in_flight=0 if activation is None else len(activation.events),
        keys=min(keys, limits.MAX_COUNTED_ENTRIES),
        bytes=size,
        more_keys=keys > limits.MAX_COUNTED_ENTRIES,
        entries=entries,
        after=after,
        alarm=None if number is None else read_alarm(host, number),
        socket_count=len(sockets),
        sockets=[
            describe_socket(ws, activation is None) for ws in sockets[: limits.MAX_SOCKETS_SHOWN]
        ],
        events=host.observer.recent(space, str(object_id)),
    )


def read_entries(
    store: ObjectStore, prefix: str | None, after: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """A page of entries; and behind which key others follow, if they do."""
    lowest = _key("prefix", prefix or "")
    begin = lowest if after is None else max(lowest, _key("after", after) + b"\0")
    end = prefix_end(lowest) if lowest else None
    found: list[Entry] = []
    size = 0
    limit = check_limit(limit, limits.MAX_LIMIT)
    while page := store.scan(begin, end, limit=PAGE_ENTRIES):
        for key, value in page:
            if len(found) == limit or size > limits.MAX_PAGE_BYTES:
                return found, found[-1].key

            found.append(describe_entry(key, value))
            size += len(value)
        begin = page[-1][0] + b"\0"
    return found, None


def _key(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise invalid(field, f"{text[:80]!r} is no valid Unicode") from None


def describe_entry(key: bytes, data: bytes) -> Entry:
    """An entry, decoded."""
    try:
        value = decode(data)
    except ValueError as error:
        return Entry(key=key.decode(), type="damaged", bytes=len(data), value=str(error))

    text, cut = literal(value, limits.MAX_SHOWN_CHARACTERS)
    return Entry(key=key.decode(), type=type(value).__name__, bytes=len(data), value=text, cut=cut)


def read_alarm(host: Host, number: int) -> Alarm | None:
    """The alarm of an object, if it has one."""
    alarms = host.engine.alarms
    at_ms = host.engine.partition.store(number).alarm()
    if at_ms is None:
        return None

    retry = alarms.retry(number)
    return Alarm(
        at_ms=at_ms,
        retry_count=0 if retry is None else retry.retries.total,
        retry_at_ms=None if retry is None or retry.timer is None else retry.timer.when_ms,
        running=alarms.is_running(number),
    )


def open_sockets(slot: Slot | None) -> list[WebSocket]:
    """The hibernatable sockets of an object, in order of acceptance."""
    if slot is None or slot.sockets is None:
        return []

    return slot.sockets.select(None)[::-1]


def describe_socket(ws: WebSocket, hibernating: bool) -> Socket:
    """A socket, with its attachment decoded."""
    attachment = ws.deserialize_attachment()
    return Socket(
        tags=list(ws.tags),
        attachment=None
        if attachment is None
        else literal(attachment, limits.MAX_SHOWN_CHARACTERS)[0],
        url=ws.url,
        protocol=ws.protocol,
        hibernating=hibernating,
        waiting=ws.unstarted,
    )
