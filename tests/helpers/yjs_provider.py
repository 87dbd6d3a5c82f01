"""A Yjs client without Node: pycrdt's own provider on a socket of `websockets`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pycrdt import Channel, Doc, Map, Provider, Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from roomhost.actors.yjs_guard import check_state_vector

WAIT_SECONDS = 20


class SocketChannel(Channel):
    """A WebSocket as pycrdt's provider wants it: its end ends the iteration, and is no error."""

    def __init__(self, socket: ClientConnection, path: str) -> None:
        self._socket = socket
        self._path = path

    @property
    def path(self) -> str:
        return self._path

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        try:
            await self._socket.send(message)
        except ConnectionClosed:
            return  # what it did not get is asked for at the next start

    async def recv(self) -> bytes:
        message = await self._socket.recv()
        assert isinstance(message, bytes), f"a text frame reached a Yjs client: {message}"
        return message


class PythonClient:
    """A document with the text `text` and the map `map`."""

    def __init__(self) -> None:
        self.doc: Doc[Any] = Doc()
        self.content = self.doc.get("text", type=Text)
        self.entries: Map[Any] = self.doc.get("map", type=Map)
        self._changed = anyio.Event()
        self._subscription = self.doc.observe(self._change)

    @property
    def text(self) -> str:
        return str(self.content)

    @property
    def clocks(self) -> dict[int, int]:
        """The state vector."""
        return check_state_vector(self.doc.get_state())

    @asynccontextmanager
    async def connected(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Provider]:
        """Connect to the address of the room; in sync when this begins."""
        async with connect(url, additional_headers=headers) as socket:
            try:
                async with Provider(self.doc, SocketChannel(socket, url)) as provider:
                    with anyio.fail_after(WAIT_SECONDS):
                        await provider.synced.wait()
                    yield provider
            finally:
                with anyio.CancelScope(shield=True):  # or the transport would stay
                    await socket.close()

    async def wait(self, until: Callable[[PythonClient], bool]) -> None:
        """Return once it is so; TimeoutError after 20 s."""
        with anyio.fail_after(WAIT_SECONDS):
            while not until(self):
                self._changed = anyio.Event()
                await self._changed.wait()

    def _change(self, _event: object) -> None:
        self._changed.set()
