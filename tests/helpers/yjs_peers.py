"""Yjs clients in process: a document of pycrdt, behind a socket of a room that speaks y-protocols."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Text

from roomhost.actors import yjs_protocol
from roomhost.actors.caller import Caller
from roomhost.actors.frames import Protocol
from roomhost.actors.socket_request import socket_request
from roomhost.actors.yjs_protocol import (
    AwarenessEntry,
    YjsKind,
    awareness_payload,
    read_awareness,
    read_frame,
)
from roomhost.runtime import WebSocket, WebSocketClosed

from .room_sockets import Hall, user

WRITER = user("ann")


class Peer:
    """What a provider is: it answers the server's question, asks its own, sends what is edited, and
    knows who is aware. `heard`: the kinds of frames, in order; `end`: how the socket ended."""

    def __init__(self, hall: Hall, client_id: int) -> None:
        self.hall = hall
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.pad = self.doc.get("text", type=Text)
        self.aware: dict[int, bytes] = {}
        self.heard: list[YjsKind] = []
        self.frames: list[bytes] = []
        self.statuses: list[bytes] = []
        self.end: tuple[int, str] | None = None
        self.ws: WebSocket | None = None
        self._applying = False
        self.doc.observe(self._edited)

    async def connect(self, caller: Caller = WRITER, *, statuses: bool = False) -> Peer:
        """Open a socket to the lobby, and sync."""
        request = socket_request(caller, protocol=Protocol.YJS, statuses=statuses)
        response = await self.hall.stub().fetch(request)
        assert response.status == 101
        self.end = None
        self.ws = ws = response.web_socket
        ws.accept()
        self.hall.start(self._read, ws)
        self.send(yjs_protocol.sync_step_1(self.doc.get_state()))
        await self.hall.host.settle()
        return self

    def send(self, frame: bytes | str) -> None:
        """Send a frame."""
        assert self.ws is not None
        self.ws.send(frame)

    async def say(self, frame: bytes | str) -> None:
        """Send a frame, and wait until nothing happens any more."""
        self.send(frame)
        await self.hall.host.settle()

    async def type(self, text: str) -> None:
        """Put a text at the end."""
        self.pad += text
        await self.hall.host.settle()

    async def announce(
        self, state: bytes | None, clock: int = 1, client: int | None = None
    ) -> None:
        """Say what this client does, or another one."""
        entry = AwarenessEntry(self.doc.client_id if client is None else client, clock, state)
        await self.say(yjs_protocol.awareness(awareness_payload([entry])))

    async def close(self, code: int | None = 1000) -> None:
        """Close, with a code; None: the connection is lost."""
        ws, self.ws = self.ws, None
        assert ws is not None
        if code is None:
            ws.terminate()
        else:
            ws.close(code, "")
        await self.hall.host.settle()

    def take(self) -> list[YjsKind]:
        """The kinds of frames that came since this was asked last."""
        heard, self.heard = self.heard, []
        return heard

    async def _read(self, ws: WebSocket) -> None:
        try:
            while True:
                message = await ws.receive()
                assert isinstance(message, bytes), "a Yjs client cannot read text"
                self._hear(ws, message)
        except WebSocketClosed as closed:
            if ws is self.ws:
                self.end = closed.code, closed.reason
                self.ws = None

    def _hear(self, ws: WebSocket, message: bytes) -> None:
        kind, data = read_frame(message)
        self.heard.append(kind)
        self.frames.append(message)
        if kind is YjsKind.SYNC_STEP_1:
            ws.send(yjs_protocol.sync_step_2(self.doc.get_update(data)))
        elif kind in (YjsKind.SYNC_STEP_2, YjsKind.UPDATE):
            self._applying = True
            self.doc.apply_update(data)
            self._applying = False
        elif kind is YjsKind.STATUS:
            self.statuses.append(data)
        elif kind is YjsKind.AWARENESS:
            for entry in read_awareness(data):
                if entry.state is None:
                    self.aware.pop(entry.client, None)
                else:
                    self.aware[entry.client] = entry.state

    def _edited(self, event: Any) -> None:
        if not self._applying and self.ws is not None:
            self.ws.send(yjs_protocol.update(event.update))
