"""The upgrade to a room's WebSocket: who may, and what one who may not gets to see (5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..runtime import Response, WebSocketPair
from .errors import Forbidden, InvalidArgument, RealtimeError
from .frames import Protocol, error, written
from .inputs import RESUME
from .principals import member_for
from .problems import failure_of, response_of
from .queries import input_of
from .socket_request import PROTOCOL_HEADER, socket_request

TOKEN = "token"

if TYPE_CHECKING:
    from ..runtime.application import Scope
    from .caller import Caller
    from .credentials import Credentials
    from .instance import RealtimeInstance
    from .queries import Pairs
    from .targets import Target


class Upgrade:
    """To the rooms and channels of one instance."""

    __slots__ = ("_bound", "_credentials")

    def __init__(self, bound: RealtimeInstance, credentials: Credentials) -> None:
        self._bound = bound
        self._credentials = credentials

    def admit(self, scope: Scope, target: Target, pairs: Pairs) -> Caller:
        """Who opens it. Forbidden: a page of another origin. Unauthenticated."""
        offered = offered_protocols(scope)
        token = query_token(target, pairs)
        caller = self._credentials.caller_of(scope, target.kind, target.name, offered, token)
        if caller.trusted:
            return caller

        return msgspec.structs.replace(caller, member_id=member_for(caller, None, caller.actor))

    async def open(self, scope: Scope, target: Target, pairs: Pairs, caller: Caller) -> Response:
        """Have the room open it; the room sees neither the token nor any header of the client."""
        epoch, seq = (None, 0) if target.yjs else position_of(pairs)
        offered = offered_protocols(scope)
        protocol = chosen(target, offered)
        stub = self._bound.stub(target.kind, target.name)
        response = await stub.fetch(socket_request(caller, epoch, seq, protocol))
        if not offered:
            del response.headers[PROTOCOL_HEADER]
        return response


def offered_protocols(scope: Scope) -> list[str]:
    """The subprotocols that a client offers, in its order."""
    offered = ",".join(
        value.decode("latin-1")
        for name, value in scope["headers"]
        if name == PROTOCOL_HEADER.encode()
    )
    return [name.strip() for name in offered.split(",") if name.strip()]


def chosen(target: Target, offered: list[str]) -> Protocol:
    """How the socket speaks: by its path, else by the first protocol of ours that is offered, else
    JSON. InvalidArgument: none is ours, and a browser fails a connection for which none was selected;
    or a channel has no document."""
    known = [Protocol.YJS] if target.yjs else list(Protocol)
    ours = [protocol for name in offered for protocol in known if protocol.value == name]
    if offered and not ours:
        names = " or ".join(protocol.value for protocol in known)
        raise InvalidArgument(f"offer the subprotocol {names} as well", field="protocols")

    protocol = ours[0] if ours else known[0]
    if protocol is Protocol.YJS and target.kind == "channel":
        raise InvalidArgument(
            "a channel has no document: use a room", code="unsupported_for_channel"
        )

    return protocol


def refusal(scope: Scope, reason: Exception) -> Response:
    """What one who may not gets: a browser shows no HTTP status to the page, so a client of our
    protocol is accepted, told why in a frame, and closed with the code that says so. A page of
    another origin gets the status, as does everybody else."""
    failure = failure_of(reason)
    offered = offered_protocols(scope)
    ours = [protocol for name in offered for protocol in Protocol if protocol.value == name]
    if not ours or (isinstance(failure, Forbidden) and failure.field == "origin"):
        return response_of(failure)

    return _closed(failure, ours[0])


def query_token(target: Target, pairs: Pairs) -> str | None:
    """`?token=`, where the path is one of Yjs clients: their providers can add parameters and
    nothing else."""
    tokens = [value for name, value in pairs if name == TOKEN and target.yjs]
    if len(tokens) > 1:
        raise InvalidArgument("token is there twice", field=TOKEN)

    return tokens[0] if tokens else None


def _closed(failure: RealtimeError, protocol: Protocol) -> Response:
    pair = WebSocketPair()
    pair.server.accept()
    if protocol is not Protocol.YJS:
        pair.server.send(written(error(None, failure), protocol))
    pair.server.close(failure.close_code, failure.code)
    headers = {PROTOCOL_HEADER: protocol.value}
    return Response(status=101, web_socket=pair.client, headers=headers)


def position_of(pairs: Pairs) -> tuple[str | None, int]:
    """`?epoch=E&seq=N`: where the client was. What else a query has is left alone: libraries that
    reconnect add things of their own."""
    given = [(name, value) for name, value in pairs if name in ("epoch", "seq")]
    if not given:
        return None, 0

    position = RESUME.parse(input_of(given, RESUME.kind))
    return position.epoch, position.seq
