"""The request that opens a socket of a room: made by the host's own code, never by a client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..runtime import Request
from .caller import decode_caller, encode_caller
from .frames import Protocol

if TYPE_CHECKING:
    from .caller import Caller

CALLER_HEADER = "x-roomhost-caller"
PROTOCOL_HEADER = "sec-websocket-protocol"
STATUSES = "statuses"
URL = "https://room/ws"


def socket_request(
    caller: Caller,
    epoch: str | None = None,
    seq: int = 0,
    protocol: Protocol = Protocol.JSON,
    *,
    statuses: bool = False,
) -> Request:
    """Open a socket for a caller that was authenticated; from where it was, if it has been here.

    `statuses`: of Yjs, have a frame for every update once it is applied and durable, or denied.
    """
    query: dict[str, str | int] = {} if epoch is None else {"epoch": epoch, "seq": seq}
    if statuses:
        query[STATUSES] = 1
    headers = {
        "upgrade": "websocket",
        CALLER_HEADER: base64.urlsafe_b64encode(encode_caller(caller)).decode(),
        PROTOCOL_HEADER: protocol.value,
    }
    return Request(f"{URL}?{urlencode(query)}" if query else URL, headers=headers)


def protocol_in(request: Request) -> Protocol:
    """How the socket speaks that is opened."""
    return Protocol(request.headers[PROTOCOL_HEADER])


def caller_in(request: Request) -> Caller | None:
    """Who opens a socket; None: this is no such request."""
    given = request.headers.get(CALLER_HEADER)
    if given is None or not request.is_upgrade:
        return None

    return decode_caller(base64.urlsafe_b64decode(given))
