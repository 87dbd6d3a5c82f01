"""A room of the instance `collab`, as a trusted back-end and as Yjs clients reach it over a network."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection, connect

from roomhost.actors.yjs_guard import check_state_vector

from .yjs_clients import Kind, YjsClient, YjsProcess

KEY = {"Authorization": "Bearer key"}
WAIT_SECONDS = 20
INSTANCE = "/realtime/collab"


class YjsRoom:
    """`url`: of the host, whose API key is "key"."""

    def __init__(self, url: str, name: str = "lobby") -> None:
        self.url = url
        self.name = name
        self.json_url = f"{url}{INSTANCE}/crdt/{name}"
        self._sockets = url.replace("http", "ws", 1) + INSTANCE

    @property
    def socket_url(self) -> str:
        """Of its Yjs socket."""
        return f"{self._sockets}/yjs/{self.name}"

    async def open(
        self, clients: YjsProcess, name: str, kind: Kind = "y-websocket", **options: Any
    ) -> YjsClient:
        """A client that is in sync; without a credential it bears the API key."""
        client = await self.begin(clients, name, kind, **options)
        await client.wait("it.synced")
        return client

    async def begin(
        self, clients: YjsProcess, name: str, kind: Kind = "y-websocket", **options: Any
    ) -> YjsClient:
        """A client that begins to connect."""
        path = "yjs" if kind == "y-websocket" else "hocuspocus"
        if not options.keys() & {"headers", "protocols", "params", "token"}:
            options["headers"] = KEY
        return await clients.open(name, kind, f"{self._sockets}/{path}", self.name, **options)

    async def ask(self, operation: str, **fields: Any) -> dict[str, Any]:
        """The result of an operation."""
        async with httpx.AsyncClient(base_url=self.json_url, headers=KEY) as http:
            response = await http.post(f"/{operation}", json=fields)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def token(self, *capabilities: str) -> str:
        """A token of ana's."""
        grant = await self.ask("authorize", memberId="ana", capabilities=capabilities)
        token: str = grant["token"]
        return token

    @asynccontextmanager
    async def connect_json(self) -> AsyncGenerator[JsonClient]:
        """A client that speaks JSON."""
        url = self.json_url.replace("http", "ws", 1) + "/ws"
        async with connect(url, additional_headers=KEY) as socket:
            yield JsonClient(socket)

    async def document(self) -> Doc[Any]:
        """The document as the host has it."""
        result = await self.ask("sync-yjs")
        doc: Doc[Any] = Doc()
        doc.apply_update(base64.b64decode(result["updateBase64"]))
        vector = check_state_vector(base64.b64decode(result["stateVectorBase64"]))
        assert check_state_vector(doc.get_state()) == vector
        return doc

    async def text(self) -> str:
        """Its text `text`."""
        return str((await self.document()).get("text", type=Text))


class JsonClient:
    """A client with a document of its own, that it makes updates with."""

    def __init__(self, socket: ClientConnection) -> None:
        self.doc: Doc[Any] = Doc()
        self._content = self.doc.get("text", type=Text)
        self._socket = socket
        self._heard: list[dict[str, Any]] = []

    @property
    def text(self) -> str:
        return str(self._content)

    def edit(self, change: Callable[[Text], None]) -> bytes:
        """The update that a change of the text makes."""
        before = self.doc.get_state()
        change(self._content)
        return self.doc.get_update(before)

    async def next(self, kind: str) -> dict[str, Any]:
        """The first frame of this type that was not taken yet."""
        with anyio.fail_after(WAIT_SECONDS):
            while True:
                for frame in self._heard:
                    if frame["type"] == kind:
                        self._heard.remove(frame)
                        return frame
                message = await self._socket.recv()
                assert isinstance(message, str), "a binary frame reached a JSON client"
                self._heard.append(json.loads(message))
                assert self._heard[-1]["type"] != "error", self._heard[-1]

    async def ask(self, kind: str, **fields: Any) -> Any:
        """The result of a frame."""
        await self._socket.send(json.dumps({"type": kind, "id": kind, **fields}))
        return (await self.next("ack"))["result"]


def bearer_protocol(token: str) -> str:
    """The subprotocol that carries a token."""
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return f"base64url.bearer.roomhost.{encoded}"
