"""One message to many sockets of one object: checked, measured and held at the output gate once.

A friend of `WebSocket`: each socket counts what waits for the gate as if it had been sent by itself.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

from .text import size_of, well_formed
from .web_socket import UNACCEPTED, ReadyState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .output_gate import OutputGate
    from .web_socket import WebSocket


def send_to_all(sockets: Iterable[WebSocket], message: str | bytes) -> None:
    """As `WebSocket.send` to each of them, in this order. One that was closed, or is not accepted,
    is left out."""
    if isinstance(message, str) and not message.isascii():
        message = well_formed(message)
    size = size_of(message)
    gate: OutputGate | None = None
    waiting: list[WebSocket] = []
    for ws in sockets:
        if ws._close_sent or ws.ready_state is ReadyState.CLOSED or ws._mode in UNACCEPTED:
            continue

        gate = gate or ws._output_gate()
        if gate is None or (gate.is_open and not ws._gated):
            ws._peer.arrive(message)
        else:
            ws._gated += 1
            ws._gated_bytes += size
            waiting.append(ws)
    if gate is not None and waiting:
        leaving = _LeavingToAll(waiting, size, message)
        gate.when_open(leaving, leaving)


class _LeavingToAll:
    """A message for all these sockets that waits for the output gate; called when that opens, or with
    the cause when it refuses."""

    __slots__ = ("_message", "_size", "_sockets")

    def __init__(self, sockets: list[WebSocket], size: int, message: str | bytes) -> None:
        self._sockets = sockets
        self._size = size
        self._message = message

    def __call__(self, refused: BaseException | None = None) -> None:
        message, size = self._message, self._size
        for ws in self._sockets:
            ws._gated -= 1
            ws._gated_bytes -= size
            if refused is None:
                ws._peer.arrive(message)
