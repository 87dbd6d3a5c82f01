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
from .socket_request import socket_request

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

    def admit(self, scope: Scope, target: Target) -> Caller:
        """Who opens it. Forbidden: a page of another origin. Unauthenticated."""
        offered = offered_protocols(scope)
        caller = self._credentials.caller_of(scope, target.kind, target.name, offered)
        if caller.trusted:
            return caller

        return msgspec.structs.replace(caller, member_id=member_for(caller, None, caller.actor))

    async def open(self, scope: Scope, target: Target, pairs: Pairs, caller: Caller) -> Response:
        """Have the room open it; the room sees neither the token nor any header of the client."""
        epoch, seq = position_of(pairs)
        names = [protocol.value for protocol in _ours(offered_protocols(scope))]
        stub = self._bound.stub(target.kind, target.name)
        return await stub.fetch(socket_request(caller, epoch, seq, names))


def offered_protocols(scope: Scope) -> list[str]:
    """The subprotocols that a client offers, in its order."""
    offered = ",".join(
        value.decode("latin-1")
        for name, value in scope["headers"]
        if name == b"sec-websocket-protocol"
    )
    return [name.strip() for name in offered.split(",") if name.strip()]


def check_protocols(offered: list[str]) -> None:
    """InvalidArgument: none is ours. A browser fails a connection for which none was selected."""
    if offered and not _ours(offered):
        known = " or ".join(protocol.value for protocol in Protocol)
        raise InvalidArgument(f"offer the subprotocol {known} as well", field="protocols")


def refusal(scope: Scope, reason: Exception) -> Response:
    """What one who may not gets: a browser shows no HTTP status to the page, so a client of our
    protocol is accepted, told why in a frame, and closed with the code that says so. A page of
    another origin gets the status, as does everybody else."""
    failure = failure_of(reason)
    ours = _ours(offered_protocols(scope))
    if not ours or (isinstance(failure, Forbidden) and failure.field == "origin"):
        return response_of(failure)

    return _closed(failure, ours[0])


def _closed(failure: RealtimeError, protocol: Protocol) -> Response:
    pair = WebSocketPair()
    pair.server.accept()
    pair.server.send(written(error(None, failure), protocol))
    pair.server.close(failure.close_code, failure.code)
    headers = {"sec-websocket-protocol": protocol.value}
    return Response(status=101, web_socket=pair.client, headers=headers)


def _ours(offered: list[str]) -> list[Protocol]:
    known = {protocol.value: protocol for protocol in Protocol}
    return [known[name] for name in offered if name in known]


def position_of(pairs: Pairs) -> tuple[str | None, int]:
    """`?epoch=E&seq=N`: where the client was. What else a query has is left alone: libraries that
    reconnect add things of their own."""
    given = [(name, value) for name, value in pairs if name in ("epoch", "seq")]
    if not given:
        return None, 0

    position = RESUME.parse(input_of(given, RESUME.kind))
    return position.epoch, position.seq
