"""Actors: what is a good one, which one a call gets, which member it stands for (realtime.md 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .caller import Capability
from .errors import Forbidden, InvalidArgument
from .json_values import check_text
from .limits import MAX_ID_BYTES

if TYPE_CHECKING:
    from .caller import Caller
    from .types import RealtimePrincipal

# By their names in JSON, which is what a message calls them.
FIELDS = {
    "id": "id",
    "user_id": "userId",
    "session_id": "sessionId",
    "tenant_id": "tenantId",
    "email": "email",
    "display_name": "displayName",
}


def check_id(text: str, field: str) -> None:
    """InvalidArgument: an id that is empty, over 256 bytes of UTF-8, or has control characters."""
    check_text(text, field, MAX_ID_BYTES)


def check_principal(actor: RealtimePrincipal | None, field: str = "actor") -> None:
    """InvalidArgument, at the field's path: a text of the actor is no good one (see `check_id`), or
    a user has neither `userId` nor `id`."""
    if actor is None:
        return

    for name, shown in FIELDS.items():
        text = getattr(actor, name)
        if text is not None:
            check_id(text, f"{field}.{shown}")

    if actor.kind == "user" and actor.user_id is None and actor.id is None:
        raise InvalidArgument(f"{field}: a user has a userId or an id", field=f"{field}.userId")


def normalized(
    actor: RealtimePrincipal, random_id: str | None = None, field: str = "actor"
) -> RealtimePrincipal:
    """A checked actor, with what follows from the rest filled in: of a user the one of `userId` and
    `id` that is missing, of somebody anonymous the `id`: the session's, else `random_id`.

    InvalidArgument: see `check_principal`.
    """
    check_principal(actor, field)
    if actor.kind == "user":
        user_id, id = actor.user_id or actor.id, actor.id or actor.user_id
        return msgspec.structs.replace(actor, user_id=user_id, id=id)

    return msgspec.structs.replace(actor, id=actor.id or actor.session_id or random_id)


def member_of(actor: RealtimePrincipal | None) -> str | None:
    """The member that an actor stands for: `userId`, else `id`, else `sessionId`, else none."""
    if actor is None:
        return None

    return actor.user_id or actor.id or actor.session_id


def actor_for(
    caller: Caller,
    explicit: RealtimePrincipal | None,
    random_id: str | None = None,
    field: str = "actor",
) -> RealtimePrincipal | None:
    """The actor to attach to what a caller does: the explicit one, else the caller's own.

    `random_id`: of somebody anonymous who has no id. Forbidden: the caller is not trusted, and the
    explicit actor is not, to the last field, its own. InvalidArgument: see `check_principal`.
    """
    if explicit is None:
        return caller.actor

    actor = normalized(explicit, random_id, field)
    if not caller.trusted and actor != caller.actor:
        raise Forbidden(
            f"{field}: only a trusted back-end names an actor; leave it out, and it is yours",
            field=field,
        )

    return actor


def member_for(
    caller: Caller,
    explicit: str | None,
    actor: RealtimePrincipal | None,
    field: str = "memberId",
) -> str | None:
    """The member that a call is about: the explicit one, else the token's, else the one that the
    actor stands for; None: nobody. `actor` is what `actor_for` returned.

    Forbidden: another's than the caller's own, who is neither trusted nor has `admin`.
    InvalidArgument: see `check_id`.
    """
    own = caller.member_id
    if own is None or (caller.trusted and actor is not None and actor != caller.actor):
        own = member_of(actor)
    if explicit is None:
        return own

    check_id(explicit, field)
    if explicit != own and not caller.may(Capability.ADMIN):
        raise Forbidden(
            f"{field}: another member's needs the capability {Capability.ADMIN.value!r}; leave it "
            "out, and it is yours",
            field=field,
        )

    return explicit
