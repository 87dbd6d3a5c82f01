"""One message to many sockets of one object: checked, measured and held at the output gate once.

A friend of `WebSocket`: each socket counts what waits for the gate as if it had been sent by itself.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

from .ownership import check_socket
from .text import size_of, well_formed
from .web_socket import ReadyState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .output_gate import OutputGate
    from .web_socket import WebSocket


def send_to_all(sockets: Iterable[WebSocket], message: str | bytes) -> None:
    """As `WebSocket.send` to each of them, in this order; `ctx.get_web_sockets` gave them all. One
    that was closed is left out."""
    if isinstance(message, str) and not message.isascii():
        message = well_formed(message)
    size = size_of(message)
    gate: OutputGate | None = None
    waiting: list[WebSocket] = []
    for ws in sockets:
        if ws._close_sent or ws.ready_state is ReadyState.CLOSED:
            continue

        if gate is None:
            check_socket(ws._manager, ws._pinned)
            gate = ws._output_gate()
        if gate is None or (gate.is_open and not ws._gated):
            ws._peer.arrive(message)
        else:
            ws._gated += 1
            ws._gated_bytes += size
            waiting.append(ws)
    if gate is not None and waiting and waiting[0]._manager is not None:
        waiting[0]._manager.emit(gate, waiting, size, message)
