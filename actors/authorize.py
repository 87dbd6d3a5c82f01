"""A short-lived token for one room, one actor and what it may do there (realtime.md 5.6)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from . import base64url, limits
from .caller import DEFAULT_CAPABILITIES, check_capability_names, check_no_wider
from .frames import Protocol
from .json_values import encode
from .origins import web_socket_url
from .principals import actor_for, member_for
from .tokens import mint
from .types import RealtimeAuthorizeResult

if TYPE_CHECKING:
    from .caller import Caller
    from .room_state import RoomState
    from .tokens import Keyring
    from .types import RealtimeAuthorizeOptions

BEARER_PREFIX = "base64url.bearer.roomhost."


def authorize(
    state: RoomState,
    options: RealtimeAuthorizeOptions,
    caller: Caller,
    keyring: Keyring,
    public_url: str,
    now_ms: int,
) -> bytes:
    """A grant as JSON: the token, and how a browser opens the socket with it. Nothing is written.

    RoomDestroyed. InvalidArgument: a capability that does not exist. Forbidden: one that the caller
    does not have itself; without `capabilities` it gets those of the default that it has.
    """
    state.check_alive()
    token_id = state.entropy(16).hex()
    actor = actor_for(caller, options.actor, token_id)
    member_id = member_for(caller, options.member_id, actor)
    capabilities = options.capabilities
    if capabilities is None:
        capabilities = tuple(name for name in DEFAULT_CAPABILITIES if caller.may(name))
    check_capability_names(capabilities, "capabilities")
    check_no_wider(caller, capabilities, "capabilities")
    expires_ms = now_ms + (options.ttl_seconds or limits.TOKEN_TTL_SECONDS) * 1000
    token = mint(
        keyring,
        audience=state.options.name,
        room=state.name,
        kind=state.kind,
        generation=state.next_generation,
        actor=actor,
        member_id=member_id,
        client_id=options.client_id,
        presence=options.presence,
        capabilities=capabilities,
        now_ms=now_ms,
        expires_ms=expires_ms,
        token_id=token_id,
    )
    return encode(
        RealtimeAuthorizeResult(
            room=state.name,
            kind=state.kind,
            token=token,
            expires_at=state.at(expires_ms // 1000 * 1000),
            url=web_socket_url(public_url, state.options.name, state.kind, state.name),
            protocols=[Protocol.JSON.value, bearer_protocol(token)],
            actor=actor,
            member_id=member_id,
            client_id=options.client_id,
            presence=options.presence,
            document_epoch=None if state.is_destroyed else state.document_epoch,
        )
    )


def bearer_protocol(token: str) -> str:
    """A token as a subprotocol: what a browser can send with an upgrade."""
    return BEARER_PREFIX + base64url.encode(token.encode())


def token_of(protocol: str) -> str | None:
    """The token in a subprotocol, if it is one. ValueError: it is, and damaged."""
    if not protocol.startswith(BEARER_PREFIX):
        return None

    text = protocol.removeprefix(BEARER_PREFIX)
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return data.decode("ascii")
