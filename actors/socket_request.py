"""The request that opens a socket of a room: made by the host's own code, never by a client."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..runtime import Request
from .caller import decode_caller, encode_caller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .caller import Caller

CALLER_HEADER = "x-roomhost-caller"
URL = "https://room/ws"


def socket_request(
    caller: Caller, epoch: str | None = None, seq: int = 0, protocols: Sequence[str] = ()
) -> Request:
    """Open a socket for a caller that was authenticated; from where it was, if it has been here."""
    query = "" if epoch is None else "?" + urlencode({"epoch": epoch, "seq": seq})
    headers = {
        "upgrade": "websocket",
        CALLER_HEADER: base64.urlsafe_b64encode(encode_caller(caller)).decode(),
    }
    if protocols:
        headers["sec-websocket-protocol"] = ", ".join(protocols)
    return Request(URL + query, headers=headers)


def caller_in(request: Request) -> Caller | None:
    """Who opens a socket; None: this is no such request."""
    given = request.headers.get(CALLER_HEADER)
    if given is None or not request.is_upgrade:
        return None

    return decode_caller(base64.urlsafe_b64decode(given))
