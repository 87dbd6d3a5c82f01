"""What a server takes in from all of its clients together, and what it turned away."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from . import limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import uvicorn

    class Holding(Protocol):
        """A connection; `held_bytes`: of what is not whole."""

        held_bytes: int

        def give_up(self) -> None:
            """Refuse what is not whole."""
            ...


class Reason(Enum):
    """Why something of a client was turned away. Each is a label of `roomhost_refusals_total`."""

    # Connections
    CONNECTIONS = "connections"  # there are too many: 503, or nothing where there are far too many
    SILENT = "silent"  # no request in time: closed
    HANDSHAKE = "handshake"  # of TLS: it failed, or took too long
    SLOW_READER = "slow_reader"  # of an answer: dropped
    # Requests
    BAD_REQUEST = "bad_request"  # 400
    SLOW_HEADERS = "slow_headers"  # 408
    SLOW_BODY = "slow_body"  # 408
    LARGE_BODY = "large_body"  # 413
    LARGE_HEADERS = "large_headers"  # 431
    INCOMING_BYTES = "incoming_bytes"  # of all clients together: 503, or 1013
    WRONG_HOST = "wrong_host"  # 421
    WRONG_ORIGIN = "wrong_origin"  # 403
    WRONG_KEY = "wrong_key"  # 401
    WRONG_KEYS = "wrong_keys"  # too many of one address: 429
    RATE_LIMITED = "rate_limited"  # 429
    # Who asks for a room: 401, 4401
    NO_CREDENTIAL = "no_credential"
    TOKEN_MALFORMED = "token_malformed"
    TOKEN_SIGNATURE = "token_signature"  # of no key that is, or is no longer, this host's
    TOKEN_CLAIMS = "token_claims"
    TOKEN_ELSEWHERE = "token_elsewhere"  # for another room, or another module
    TOKEN_EXPIRED = "token_expired"
    TOKEN_EARLY = "token_early"
    TOKEN_GENERATION = "token_generation"  # for an earlier life of the room
    # WebSockets
    PROTOCOL_ERROR = "protocol_error"  # 1002
    INVALID_TEXT = "invalid_text"  # 1007
    FLOOD = "flood"  # of frames that carry next to nothing: 1008
    LARGE_MESSAGE = "large_message"  # 1009
    NO_PONG = "no_pong"  # 1011


class Intake:
    """Of one server. `connections`: those that are open; `handshakes`: of TLS, that are under way;
    `incoming_bytes`: of messages and bodies that have begun to come and are not whole."""

    __slots__ = ("_max_bytes", "connections", "handshakes", "incoming_bytes", "refusals")

    def __init__(self, max_bytes: int = limits.MAX_INCOMING_BYTES) -> None:
        self._max_bytes = max_bytes
        self.connections: Collection[Any] = ()
        self.handshakes = 0
        self.incoming_bytes = 0
        self.refusals: Counter[Reason] = Counter()

    @property
    def has_room(self) -> bool:
        """Whether more may come of what is not whole."""
        return self.incoming_bytes <= self._max_bytes

    def relieve(self) -> None:
        """Too much has come: whoever holds most of it is refused."""
        holding: Iterable[Holding] = self.connections
        holder = max(holding, key=lambda connection: connection.held_bytes, default=None)
        if holder is not None:
            holder.give_up()

    def count(self, reason: Reason) -> None:
        """One more was turned away."""
        self.refusals[reason] += 1


def intake_of(config: uvicorn.Config) -> Intake:
    """That of the server with this configuration; of another server than ours, one that nobody reads."""
    intake: Intake | None = getattr(config, "intake", None)
    return Intake() if intake is None else intake
