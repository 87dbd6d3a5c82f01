"""Who calls through a handle: the server's own code, perhaps for a request; and whom a request without
a credential is from (realtime.md 5.1)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from ..bindings import current_request
from .caller import TRUSTED, Caller
from .errors import Unauthenticated
from .headers import identity_of
from .principals import actor_for, member_for
from .types import RealtimePrincipal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runtime.application import Scope
    from .options import ModuleConfig
    from .types import RealtimeAuthorizeOptions


def caller_for(options: ModuleConfig, value: Any) -> Caller:
    """The caller of an operation with the input `value`: trusted, and with the identity of the
    request that is being answered, if one is.

    Unauthenticated: a request is being answered, nobody vouches for its user, the input names none,
    and the module has no anonymous ones.
    """
    request = current_request()
    if request is not None:
        actor = user_of(request.scope, request.host.settings.trusted_proxies, options)
    else:
        actor = anonymous() if options.allow_anonymous else None
    if request is not None and actor is None and _names_nobody(value):
        raise Unauthenticated(
            "this request has no user: send it through a trusted proxy that names one, give an "
            "actor, or allow anonymous ones"
        )

    return TRUSTED if actor is None else Caller.trusted_caller(actor)


def caller_of_connection(options: ModuleConfig, value: RealtimeAuthorizeOptions) -> Caller:
    """Who opens a connection from code: as `caller_for` in a request; outside of one whom the input
    names, else nobody, who only listens."""
    caller = TRUSTED
    if current_request() is not None:
        caller = caller_for(options, value)
    actor = actor_for(caller, value.actor, secrets.token_hex(8))
    return msgspec.structs.replace(
        caller,
        actor=actor,
        member_id=member_for(caller, value.member_id, actor),
        client_id=value.client_id,
        presence=value.presence,
    )


def user_of(
    scope: Scope, trusted_proxies: Sequence[str], options: ModuleConfig
) -> RealtimePrincipal | None:
    """Who a request without a credential is from (5.1): whom a trusted proxy names, else somebody
    anonymous, where the module has those. A session alone is somebody anonymous."""
    actor = None
    if options.auto_resolve_user:
        actor = identity_of(scope, trusted_proxies, options.actor_headers)
    if options.allow_anonymous:
        return actor or anonymous()

    return actor if actor is not None and actor.kind == "user" else None


def anonymous() -> RealtimePrincipal:
    """Somebody nobody knows."""
    return RealtimePrincipal(kind="anonymous", id=secrets.token_hex(8))


def _names_nobody(value: Any) -> bool:
    asks = [getattr(value, name) for name in ("actor", "member_id") if hasattr(value, name)]
    return bool(asks) and not any(asks)
