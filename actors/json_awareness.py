"""Awareness in JSON: a client says what it does in a document, or that it has gone (realtime.md 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .crdt_types import RealtimeCrdtAwarenessResult
from .deadlines import Deadline
from .document_push import push_awareness
from .errors import Forbidden, InvalidArgument
from .json_values import encode
from .principals import member_for

if TYPE_CHECKING:
    from .awareness import Awareness, Shown
    from .caller import Caller
    from .crdt_types import RealtimeCrdtAwarenessOptions
    from .room_state import RoomState
    from .types import RealtimePrincipal


def awareness(
    state: RoomState,
    options: RealtimeCrdtAwarenessOptions,
    caller: Caller,
    actor: RealtimePrincipal | None,
    connection_id: str | None,
    now_ms: int,
) -> bytes:
    """Replace the awareness of a client, or remove it where no state is given, and tell the others;
    the result as JSON, whose state is `{}` when it was removed. Nothing is stored, and the room is
    not more active for it.

    It goes with the connection that it came by; one that came by none lasts 30 s. InvalidArgument:
    nothing says which client it is. Forbidden: it is another one's. RoomDestroyed, PayloadTooLarge.
    """
    state.check_alive()
    member_id = member_for(caller, None, actor)
    client_id = _client_id(options, caller, member_id)
    table = state.awareness
    changes = table.set_json(
        client_id,
        None if options.state is None else encode(options.state),
        actor,
        now_ms,
        connection_id=connection_id,
        member_id=member_id,
        trusted=caller.trusted,
    )
    push_awareness(state, changes)
    _watch(state, table)
    known = next((one for one in table.shown(now_ms) if one.client_id == client_id), None)
    updated_ms = now_ms if known is None or options.state is None else known.updated_ms
    return encode(
        RealtimeCrdtAwarenessResult(
            room=state.name,
            kind=state.kind,
            client_id=client_id,
            updated_at=state.at(updated_ms),
            state=options.state or {},
            actor=actor,
        )
    )


def shown(state: RoomState, now_ms: int) -> list[RealtimeCrdtAwarenessResult]:
    """Who is aware now, by client id; the clients of Yjs too, by their ids in decimal."""
    return [_shown(state, one) for one in state.awareness.shown(now_ms)]


def sweep_awareness(state: RoomState, now_ms: int) -> None:
    """Tell of those who went without a word; look again when the next of them may have."""
    table = state.awareness
    push_awareness(state, table.prune(now_ms))
    state.deadlines.set(Deadline.AWARENESS, table.next_expiry_ms())


def _watch(state: RoomState, table: Awareness) -> None:
    """Look when the first client without a connection may have gone: no close will tell."""
    next_ms = table.next_expiry_ms()
    if next_ms is not None and Deadline.AWARENESS not in state.deadlines:
        state.deadlines.set(Deadline.AWARENESS, next_ms)


def _shown(state: RoomState, one: Shown) -> RealtimeCrdtAwarenessResult:
    text = one.state or b""
    # A client of y-protocols may have a state that is no object.
    record: Any = msgspec.Raw(text) if text.lstrip().startswith(b"{") else {}
    return RealtimeCrdtAwarenessResult(
        room=state.name,
        kind=state.kind,
        client_id=one.client_id,
        updated_at=state.at(one.updated_ms),
        state=record,
        actor=one.actor,
    )


def _client_id(options: RealtimeCrdtAwarenessOptions, caller: Caller, member_id: str | None) -> str:
    """Which client it is: as it says, else as its token says, else by its member."""
    own = caller.client_id
    client_id = options.client_id or own or member_id
    if client_id is None:
        raise InvalidArgument(
            "clientId is missing, and neither a token nor an actor says which client this is",
            field="clientId",
        )

    if own is not None and client_id != own and not caller.trusted:
        raise Forbidden(
            "clientId: this token is of another client; leave it out, and it is yours",
            field="clientId",
        )

    return client_id
