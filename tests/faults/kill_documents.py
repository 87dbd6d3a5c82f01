"""Editors of one document: some on sockets as y-websocket has them, one over HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from pycrdt import Array, Doc
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from roomhost.actors import yjs_protocol
from roomhost.actors.yjs_guard import check_state_vector
from roomhost.actors.yjs_protocol import YjsKind, read_frame

from .kill_client import HEADERS, Client, Line, Promise, Record

PAD = "pad"
EDITORS = ("eve", "flo", "gus")
EDIT_SECONDS = 0.02
COMPACT_SECONDS = 0.1  # the updates become a checkpoint


class Page:
    """A replica: a list of words, each written once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.doc: Doc[Any] = Doc()
        self.words: Any = self.doc.get("words", type=Array)
        self._count = 0

    def write(self, random: Random) -> str:
        """A word of its own, somewhere."""
        self._count += 1
        word = f"{self.name} {self._count}"
        self.words.insert(random.randint(0, len(self.words)), word)
        return word

    def state(self) -> tuple[dict[int, int], list[str]]:
        """What two that are equal agree in."""
        return check_state_vector(self.doc.get_state()), list(self.words)


class Editor(Page):
    """One on a socket. `others`: words that others wrote, which it saw."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.others: set[str] = set()
        self.changed = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._subscription = self.words.observe(self._see)

    async def connect(self, line: Line) -> None:
        """Open a socket, and ask for what was missed; the host asks likewise."""
        url = f"{line.socket_url}/yjs/{PAD}"
        self._socket = await connect(url, additional_headers=HEADERS, compression=None)
        await self._socket.send(yjs_protocol.sync_step_1(self.doc.get_state()))

    async def read(self) -> None:
        """Take what comes, until the socket is gone."""
        socket = self._socket
        assert socket is not None
        with suppress(ConnectionClosed):
            while True:
                message = await socket.recv()
                assert isinstance(message, bytes)
                kind, data = read_frame(message)
                if kind is YjsKind.SYNC_STEP_1:
                    await socket.send(yjs_protocol.sync_step_2(self.doc.get_update(data)))
                elif kind in (YjsKind.SYNC_STEP_2, YjsKind.UPDATE):
                    self.doc.apply_update(data)
                    self.changed.set()

    async def edit(self, random: Random) -> None:
        """Write a word, and say so."""
        assert self._socket is not None
        before = self.doc.get_state()
        self.write(random)
        await self._socket.send(yjs_protocol.update(self.doc.get_update(before)))

    def _see(self, event: Any) -> None:
        words = [word for part in event.delta for word in part.get("insert", ())]
        self.others.update(word for word in words if not word.startswith(f"{self.name} "))


class Documents(Client):
    """The editors, and a back-end. `acknowledged`: words that the back-end was told are stored."""

    def __init__(self, record: Record, random: Random) -> None:
        super().__init__(record, random)
        self.editors = [Editor(name) for name in EDITORS]
        self.back_end = Page("http")
        self.acknowledged: set[str] = set()
        self._begun = False
        self._readers: list[asyncio.Task[None]] = []

    async def look(self, line: Line) -> None:
        """The host alone has every word that it promised to anybody, before anybody brings one."""
        if self._begun:
            server = await self.server(line)
            promised = self.acknowledged.union(*(editor.others for editor in self.editors))
            lost = promised.difference(server.words)
            self.record.expect(not lost, Promise.DOCUMENT, f"the host has lost {sorted(lost)}")
            twice = len(set(server.words)) != len(server.words)
            self.record.expect(not twice, Promise.DOCUMENT, "a word is there twice")
            self.record.checked["update"] += len(promised)

    async def server(self, line: Line) -> Page:
        """What the host has."""
        result = await line.post(f"crdt/{PAD}/sync-yjs")
        page = Page("server")
        page.doc.apply_update(base64.b64decode(result["updateBase64"]))
        return page

    async def resume(self, line: Line) -> None:
        """All come back with what they wrote alone, and become equal."""
        self._begun = True
        for editor in self.editors:
            await editor.connect(line)
        self._readers = [asyncio.create_task(editor.read()) for editor in self.editors]
        try:
            async with asyncio.timeout(self.record.patience):
                await self._converge(line)
        except TimeoutError:
            states = [editor.state() for editor in self.editors]
            self.record.complain(Promise.DOCUMENT, f"documents did not become equal: {states}")

    async def _converge(self, line: Line) -> None:
        while True:
            for editor in self.editors:
                editor.changed.clear()
            server = (await self.server(line)).state()
            behind = [editor for editor in self.editors if editor.state() != server]
            if not behind:
                return

            with suppress(TimeoutError):  # it may be the host that is behind
                await asyncio.wait_for(behind[0].changed.wait(), EDIT_SECONDS)

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """Write."""
        return [
            self._read(),
            line.keep(lambda: self._post(line), EDIT_SECONDS),
            line.keep(lambda: line.post(f"crdt/{PAD}/compact"), COMPACT_SECONDS),
            *(
                line.keep(partial(editor.edit, self.random), EDIT_SECONDS)
                for editor in self.editors
            ),
        ]

    async def _read(self) -> None:
        await asyncio.gather(*self._readers)

    async def _post(self, line: Line) -> None:
        page = self.back_end
        word = page.write(self.random)
        update = page.doc.get_update()
        encoded = base64.b64encode(update).decode()
        await line.post(f"crdt/{PAD}/apply-yjs-update", updateBase64=encoded)
        self.acknowledged |= set(page.words)
        line.acknowledged("update")
        assert word in self.acknowledged
