"""`room`: a room or a channel of a realtime module, as its handles say it is.

To read is to call: a room that sleeps wakes, as it does for every reader, and nothing of it changes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from anyio import to_thread

from ..actors.errors import RealtimeError
from ..actors.instance import RealtimeInstance
from ..actors.yjs_structs import EMPTY
from . import limits
from .bindings import find_object
from .document_text import DocumentInfo, describe_document
from .errors import OperationError, invalid
from .structs import Input, Result, check_limit

if TYPE_CHECKING:
    from ..runtime import Host

Json = dict[str, Any]
CALLS_OF_CHANNEL = 2  # history, lifecycle
CALLS_OF_ROOM = CALLS_OF_CHANNEL + 4  # members, metadata, document, sync_yjs
NO_ROOM = "has no rooms: name the binding of a realtime module"


class RoomInput(Input, kw_only=True):
    """A room, or a channel, by its name. `limit`: of messages, members and clients each; `cursor`: of
    a result before, for older messages."""

    binding: str
    kind: Literal["rooms", "channels"] = "rooms"
    name: str
    limit: int = limits.DEFAULT_LIMIT
    cursor: str | None = None

    def __post_init__(self) -> None:
        check_limit(self.limit, limits.MAX_LIMIT)


class RoomInfo(Result, kw_only=True):
    """A room. What comes of the realtime API is as its reference has it, names in camel case:
    `lifecycle`, `messages` (newest first; `cursor` leads to older ones), and of a room, not of a
    channel, `members` with their presence, `metadata`, and `awareness`. `document`: if it has one.
    `calls`: how many events of the room this reading was, from `began_ms` to `ended_ms`.
    """

    binding: str
    kind: str
    name: str
    began_ms: int
    ended_ms: int
    calls: int
    lifecycle: Json
    messages: list[Json]
    cursor: str | None = None
    members: list[Json] | None = None
    metadata: Json | None = None
    awareness: list[Json] | None = None
    document: DocumentInfo | None = None


async def read_room(host: Host, given: RoomInput) -> RoomInfo:
    """A room as its readers see it. OperationError: there is none, or it refuses to be read."""
    instance = instance_of(host, given.binding)
    find_object(host, f"{given.binding}.{given.kind}", given.name, None)
    try:
        began_ms = host.clock.now_ms()
        fields = await _read_messages(instance, given)
        calls = CALLS_OF_CHANNEL
        if given.kind == "rooms":
            fields |= await _read_state(instance, given)
            calls = CALLS_OF_ROOM
        ended_ms = host.clock.now_ms()
    except RealtimeError as error:
        raise OperationError(
            error.message, code=error.code, status=error.status, field=error.field
        ) from None

    return RoomInfo(
        binding=given.binding,
        kind=given.kind,
        name=given.name,
        began_ms=began_ms,
        ended_ms=ended_ms,
        calls=calls,
        **fields,
    )


def instance_of(host: Host, binding: str) -> RealtimeInstance:
    """The module bound under a name. OperationError: there is none."""
    bound: Any = host.env[binding] if binding in host.env else None
    if not isinstance(bound, RealtimeInstance):
        raise invalid("binding", f"{binding[:128]!r} {NO_ROOM}")

    return bound


async def _read_messages(instance: RealtimeInstance, given: RoomInput) -> Json:
    """Fields that a channel has, and a room too."""
    find = instance.channel if given.kind == "channels" else instance.room
    handle = find(given.name)
    history = await handle.history(limit=_limit(given), cursor=given.cursor)
    return {
        "lifecycle": _plain(await handle.lifecycle()),
        "messages": [_plain(message) for message in history.items],
        "cursor": history.cursor,
    }


async def _read_state(instance: RealtimeInstance, given: RoomInput) -> Json:
    """Fields that a room has beside its messages."""
    handle = instance.crdt_room(given.name)
    members = await handle.members(limit=_limit(given))
    metadata = await handle.metadata()
    aware = (await handle.document(limit=1)).awareness[: _limit(given)]
    update = await handle.export_update()
    document = None
    if update != EMPTY:
        document = await to_thread.run_sync(partial(describe_document, update))
    return {
        "members": [_plain(member) for member in members],
        "metadata": metadata.metadata,
        "awareness": [_plain(client) for client in aware],
        "document": document,
    }


def _limit(given: RoomInput) -> int:
    return check_limit(given.limit, limits.MAX_LIMIT)


def _plain(value: msgspec.Struct) -> Json:
    plain: Json = msgspec.to_builtins(value)
    return plain
