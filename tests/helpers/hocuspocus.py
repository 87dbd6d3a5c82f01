"""Clients of Hocuspocus: what an unmodified provider says and does, without Node."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from pycrdt import Doc, Text

from roomhost.actors import realtime, yjs_protocol
from roomhost.actors.buckets import Buckets
from roomhost.actors.credentials import Credentials
from roomhost.actors.hocuspocus import Hocuspocus
from roomhost.actors.hocuspocus_protocol import (
    HocuspocusFrame,
    MessageType,
    prefix_of,
    read_frame,
)
from roomhost.actors.upgrade import Upgrade
from roomhost.actors.varints import read_var_text, write_var_bytes
from roomhost.actors.yjs_protocol import AwarenessEntry, YjsKind, awareness_payload, read_awareness
from roomhost.bindings import App
from roomhost.runtime import Host, WebSocket, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for

VERSION = write_var_bytes(b"4.8.0")


class Provider:
    """What `HocuspocusProvider` does for one document, over `send`."""

    def __init__(self, send: Callable[[bytes], None], key: bytes, client_id: int) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self.text: Text = self.doc.get("text", type=Text)
        self.key = key
        self.scope: str | None = None
        self.denied: list[str] = []
        self.closed: list[str] = []
        self.token_requests = 0
        self.statuses: list[bool] = []
        self.unsynced = 0
        self.synced = False
        self.aware: dict[int, bytes | None] = {}
        self._send = send
        self._clock = 0
        self._applying = False
        self._subscription = self.doc.observe(lambda event: self._changed(event.update))

    def say(self, kind: int, data: bytes = b"") -> None:
        """Send a frame of this document."""
        self._send(prefix_of(self.key) + bytes((kind,)) + data)

    def authenticate(self, token: str = "") -> None:
        """Send the token."""
        self.say(MessageType.AUTH, b"\x00" + write_var_bytes(token.encode()) + VERSION)

    def start(self, token: str = "") -> None:
        """All that a provider sends when its socket opens, at once."""
        self.authenticate(token)
        self.sync()
        self.announce(b"{}")

    def sync(self) -> None:
        """Send step 1."""
        self.unsynced = 1
        self.say(MessageType.SYNC, yjs_protocol.sync_step_1(self.doc.get_state())[1:])

    def announce(self, state: bytes | None) -> None:
        """Say who is aware."""
        self._clock += 1
        entry = AwarenessEntry(self.doc.client_id, self._clock, state)
        self.say(MessageType.AWARENESS, write_var_bytes(awareness_payload([entry])))

    def hear(self, frame: HocuspocusFrame) -> None:
        """What a provider does with a frame of its document."""
        if frame.type == MessageType.SYNC:
            self._sync(b"\x00" + frame.data)
        elif frame.type == MessageType.AWARENESS:
            payload = yjs_protocol.read_frame(b"\x01" + frame.data).data
            self.aware |= {entry.client: entry.state for entry in read_awareness(payload)}
        elif frame.type == MessageType.AUTH:
            self._auth(frame.data)
        elif frame.type == MessageType.SYNC_STATUS:
            self.statuses.append(frame.data == b"\x01")
            if self.statuses[-1]:
                self.unsynced = max(0, self.unsynced - 1)
                self.synced = self.synced or not self.unsynced
        else:
            assert frame.type == MessageType.CLOSE, frame
            self.closed.append(read_var_text(frame.data, 0)[0])
            self.synced = False

    def _sync(self, data: bytes) -> None:
        kind, content = yjs_protocol.read_frame(data)
        if kind is YjsKind.SYNC_STEP_1:
            missing = self.doc.get_update(content)
            self.say(MessageType.SYNC, yjs_protocol.sync_step_2(missing)[1:])
            return

        self._applying = True
        self.doc.apply_update(content)
        self._applying = False
        self.synced = self.synced or kind is YjsKind.SYNC_STEP_2

    def _auth(self, data: bytes) -> None:
        if data == b"\x00":
            self.token_requests += 1
        elif data[0] == 1:
            self.denied.append(read_var_text(data, 1)[0])
        else:
            self.scope = read_var_text(data, 1)[0]

    def _changed(self, update: bytes) -> None:
        if not self._applying:
            self.unsynced += 1
            self.say(MessageType.SYNC, yjs_protocol.update(update)[1:])


class Caller:
    """A client's end of the endpoint, in process: one socket, with the providers of its documents."""

    def __init__(self, desk: Desk, ws: WebSocket) -> None:
        self.desk = desk
        self.ws = ws
        self.end: tuple[int, str] | None = None
        self.others: list[bytes] = []  # what is for no document that is open here
        self._providers: dict[bytes, Provider] = {}

    def provider(self, key: str, client_id: int = 1) -> Provider:
        """A provider of a document, which has sent nothing yet."""
        provider = Provider(self.ws.send, key.encode(), client_id)
        self._providers[provider.key] = provider
        return provider

    async def opened(self, key: str, client_id: int = 1, token: str = "key") -> Provider:
        """A provider whose document is open and synced."""
        provider = self.provider(key, client_id)
        provider.start(token)
        await self.desk.settle()
        assert provider.synced, provider.denied
        return provider

    async def read(self) -> None:
        """Hear everything, until the end."""
        try:
            while True:
                message = await self.ws.receive()
                assert isinstance(message, bytes)
                self._hear(message)
        except WebSocketClosed as closed:
            self.end = (closed.code, closed.reason)

    def _hear(self, message: bytes) -> None:
        if len(message) > 1:
            frame = read_frame(message)
            provider = self._providers.get(frame.key)
            if provider is not None:
                provider.hear(frame)
                return

        self.others.append(message)


class Desk:
    """A host with the module `collab`, and its endpoint."""

    def __init__(self, host: Host, clock: ManualClock, group: TaskGroup) -> None:
        self.host = host
        self.clock = clock
        self.group = group
        bound = host.env.COLLAB
        upgrade = Upgrade(bound, Credentials(bound.services, host.settings))
        self.endpoint = Hocuspocus(bound, upgrade, Buckets(), clock)

    def dial(self, *, reads: bool = True, query: tuple[tuple[str, str], ...] = ()) -> Caller:
        """A new client."""
        scope = {"type": "websocket", "headers": [], "client": ("127.0.0.1", 9)}
        response = self.endpoint.open(scope, list(query), self.group)
        assert response.web_socket is not None
        response.web_socket.accept()
        caller = Caller(self, response.web_socket)
        if reads:
            self.group.start_soon(caller.read)
        return caller

    def room(self, name: str = "doc") -> Any:
        """The handle of a document's room."""
        return self.host.env.COLLAB.room(name)

    async def token(self, *capabilities: str, name: str = "doc", **options: Any) -> str:
        """A token for the room of a document."""
        options.setdefault("member_id", "ann")
        grant = await self.room(name).authorize(capabilities=capabilities or None, **options)
        token: str = grant.token
        return token

    async def settle(self) -> None:
        """Return when nothing happens any more: a frame passes through several tasks."""
        for _ in range(4):
            await anyio.wait_all_tasks_blocked()
            await self.host.settle()


@asynccontextmanager
async def desk_for(**options: Any) -> AsyncGenerator[Desk]:
    """A desk, with the API key `key`; `options` are those of the module."""
    clock = ManualClock()
    app = App(name="demo", bindings={"COLLAB": realtime(name="collab", **options)})
    async with host_for(app, clock=clock, api_keys=("key",)) as host:
        async with anyio.create_task_group() as group:
            yield Desk(host, clock, group)
            group.cancel_scope.cancel()
