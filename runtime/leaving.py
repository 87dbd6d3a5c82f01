"""Frames that wait for the output gate together.

A friend of `WebSocket`, as one call for each frame of each socket is felt in a room with many readers.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .close import Close
    from .output_gate import OutputGate
    from .web_socket import WebSocket


class Leaving:
    """Frames of any number of sockets that wait for the same commit: one entry of the gate, because in
    a room with many readers thousands wait at once.

    It is called when the gate opens, or with the cause when that refuses.
    """

    __slots__ = ("_frames", "_gate", "_target", "gone")

    def __init__(self, gate: OutputGate) -> None:
        self._gate = gate
        self._target = gate.target
        self._frames: list[tuple[Sequence[WebSocket], int, str | bytes | Close]] = []
        self.gone = False

    def takes(self, gate: OutputGate) -> bool:
        """Whether what is emitted through `gate` now waits for the same."""
        return not self.gone and gate is self._gate and gate.target == self._target

    def add(self, sockets: Sequence[WebSocket], size: int, frame: str | bytes | Close) -> None:
        """A frame of `size` bytes leaves from each of `sockets`."""
        self._frames.append((sockets, size, frame))

    def __call__(self, refused: BaseException | None = None) -> None:
        self.gone = True
        for sockets, size, frame in self._frames:
            for socket in sockets:
                socket._gated -= 1
                socket._gated_bytes -= size
                if refused is None:
                    socket._peer.arrive(frame)
        self._frames.clear()


def held(sockets: Iterable[WebSocket]) -> list[WebSocket]:
    """Those of which a frame waits, and is lost if the gate refuses."""
    return [socket for socket in sockets if socket._gated]
