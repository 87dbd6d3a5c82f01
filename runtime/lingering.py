"""The end of a connection whose client may still be sending.

A connection that is closed with input unread is reset, and its client may never see what it was
answered with (RFC 9112, 9.6): so what still comes is read, for nothing, a little longer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from . import limits

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, BaseProtocol, Transport


class Lingering(asyncio.Protocol):
    """Stands in the place of a connection's protocol: it hears all but what the client sends."""

    def __init__(self, protocol: BaseProtocol) -> None:
        self._protocol = protocol

    def connection_lost(self, exc: Exception | None) -> None:
        """Forwarded."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Forwarded."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Forwarded."""
        self._protocol.resume_writing()


def linger(
    transport: Transport, protocol: BaseProtocol, loop: AbstractEventLoop
) -> asyncio.TimerHandle:
    """Send what is written, and the end; drop the connection when the client has ended too, or after
    LINGER_SECONDS. The timer, to be cancelled when the connection is lost."""
    transport.set_protocol(Lingering(protocol))
    if transport.can_write_eof():
        transport.write_eof()
    else:
        transport.close()  # TLS says by itself that nothing follows
    return loop.call_later(limits.LINGER_SECONDS, transport.abort)
