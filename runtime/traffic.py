"""What comes and goes over the WebSockets of one set of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .web_socket import WebSocket


class Traffic:
    """Messages, and their bytes: as they are in the network where the host's own server carries them,
    else those of the payload."""

    __slots__ = ("bytes_in", "bytes_out", "messages_in", "messages_out")

    def __init__(self) -> None:
        self.messages_in = 0
        self.bytes_in = 0
        self.messages_out = 0
        self.bytes_out = 0

    def received(self, size: int) -> None:
        """A message of a client."""
        self.messages_in += 1
        self.bytes_in += size

    def sent(self, size: int) -> None:
        """A message to a client."""
        self.messages_out += 1
        self.bytes_out += size


def traffic_of(client: WebSocket) -> Traffic:
    """Where the traffic of a connection is counted: by the object at its other end; nowhere where no
    object has taken that."""
    manager = client.manager_of_peer
    return Traffic() if manager is None else manager.slot.meter.traffic
