"""Who calls an operation, and what it may do: decided once at the edge, carried to the room as JSON.

Only trusted code makes a `Caller`: what a client sends never becomes one by itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import Forbidden, InvalidArgument
from .types import RealtimePrincipal  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable


class Capability(StrEnum):
    """What a token may allow (realtime.md 5.6). Each stands for itself: `admin` holds no other.

    `subscribe`: receive, and read members, metadata and lifecycle. `publish`: record messages, and
    write metadata. `presence`: join, leave, presence, and awareness of a document as well: without
    it a reader shows nothing of itself. `history`: read recorded messages. `crdt:read`,
    `crdt:write`: of a document. `admin`: snapshot, restore, destroy, authorize, other members.
    """

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    PRESENCE = "presence"
    HISTORY = "history"
    CRDT_READ = "crdt:read"
    CRDT_WRITE = "crdt:write"
    ADMIN = "admin"


CAPABILITIES: tuple[str, ...] = tuple(capability.value for capability in Capability)
DEFAULT_CAPABILITIES: tuple[str, ...] = tuple(
    name for name in CAPABILITIES if name != Capability.ADMIN
)


class Caller(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """The identity behind one operation or one connection.

    `trusted`: the server's own code, or the bearer of an API key: may do everything, and name any
    actor. `actor`: who it is, if known, normalized. `member_id`, `client_id`, `presence`: what its token
    attaches to a connection. `capabilities`: names, in force unless trusted. `generation`: of the
    room, that the token was made for; None without a token. `expires_at_ms`: of the token,
    milliseconds since the epoch.
    """

    trusted: bool = False
    actor: RealtimePrincipal | None = None
    member_id: str | None = None
    client_id: str | None = None
    capabilities: tuple[str, ...] = ()
    generation: int | None = None
    expires_at_ms: int | None = None
    presence: dict[str, Any] | None = None

    @classmethod
    def trusted_caller(cls, actor: RealtimePrincipal | None = None) -> Caller:
        """The server's own code or a trusted back-end, for itself or for `actor`."""
        return cls(trusted=True, actor=actor)

    @classmethod
    def user_caller(cls, actor: RealtimePrincipal) -> Caller:
        """Somebody without a token, as a trusted proxy names them, or an anonymous one; with the
        default capabilities."""
        return cls(actor=actor, capabilities=DEFAULT_CAPABILITIES)

    def may(self, capability: str) -> bool:
        """Whether it has a capability."""
        return self.trusted or capability in self.capabilities


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Caller)
TRUSTED = Caller.trusted_caller()  # who calls nearly always: made once
TRUSTED_JSON = _encode(TRUSTED)


def encode_caller(caller: Caller) -> bytes:
    """A caller as JSON, for the way to its room."""
    return TRUSTED_JSON if caller is TRUSTED else _encode(caller)


def decode_caller(data: bytes) -> Caller:
    """The caller that `encode_caller` wrote. InvalidArgument: it did not; nobody but the host's own
    code can cause that."""
    if data == TRUSTED_JSON:
        return TRUSTED

    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"caller: not as encode_caller writes it: {error}") from None


def check_capability(caller: Caller, capability: str) -> None:
    """Forbidden, which names it: the caller is not trusted, and does not have the capability."""
    if not caller.may(capability):
        raise Forbidden(
            f"this needs the capability {capability!r}: ask for a token whose capabilities have it"
        )


def check_capability_names(names: Iterable[str], field: str) -> None:
    """InvalidArgument: one of them is no capability."""
    for name in names:
        if name not in CAPABILITIES:
            raise InvalidArgument(
                f"{field}: {name!r:.40} is none of {', '.join(CAPABILITIES)}", field=field
            )


def check_no_wider(caller: Caller, names: Iterable[str], field: str) -> None:
    """Forbidden: one of the capabilities is not the caller's own, so it cannot hand it on. A trusted
    caller hands on any."""
    for name in names:
        if not caller.may(name):
            raise Forbidden(f"{field}: a caller without {name!r:.40} cannot grant it", field=field)
