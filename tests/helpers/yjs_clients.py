"""Unmodified Yjs clients of npm, y-websocket and Hocuspocus providers, in one Node process."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

REPOSITORY = Path(__file__).parent.parent.parent
DRIVER = Path(__file__).with_name("yjs_client.mjs")
PACKAGES = ("yjs", "y-websocket", "@hocuspocus/provider", "ws")
MAX_ANSWER_BYTES = 16 * 1024 * 1024
EXIT_SECONDS = 10

Kind = Literal["y-websocket", "hocuspocus"]


def require_yjs_clients() -> None:
    """Skip the test, with the reason, where Node or a package is missing."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    for name in PACKAGES:
        if not (REPOSITORY / "node_modules" / name).exists():
            pytest.skip(f"{name} is not installed: make clients")


class YjsClient:
    """A document with the text `text` and the map `map`, and its provider.

    `until` of `wait` is a JavaScript expression over `it`, a client of the driver: `it.text`,
    `it.length`, `it.map`, `it.clocks`, `it.others` (the awareness states of everybody else),
    `it.connected`, `it.synced`, `it.closes`, `it.refusals`; of Hocuspocus also `it.unsynced`.
    """

    def __init__(self, process: YjsProcess, name: str) -> None:
        self.name = name
        self._process = process

    async def edit(self, *steps: tuple[Any, ...]) -> None:
        """Steps in one turn, a transaction each: `("insert", at, text, attributes?)`, `("delete",
        from, to)`, `("format", at, length, attributes)`, `("set", key, value)`.

        An index is a whole number of UTF-16 units, or a float: a part of the length.
        """
        await self._call("edit", steps=steps)

    async def insert(self, at: float, text: str) -> None:
        """Insert a text."""
        await self.edit(("insert", at, text))

    async def aware(self, state: Any) -> None:
        """Announce a state, or with None that it is gone."""
        await self._call("aware", state=state)

    async def connect(self) -> None:
        """Start to connect again, and wait for nothing."""
        await self._call("connect")

    async def disconnect(self) -> None:
        """Close, and stay away."""
        await self._call("disconnect")

    async def lose(self) -> None:
        """End the connection without a word, as a network does; the provider reconnects."""
        await self._call("lose")

    async def destroy(self) -> None:
        """End the provider, as a page does that is left."""
        await self._call("destroy")

    async def wait(self, until: str) -> None:
        """Return once it is so; an error after 20 s, which says how things are."""
        await self._call("wait", until=until)

    async def wait_for_text(self, text: str) -> None:
        """Return once the text is this."""
        await self.wait(f"it.text === {json.dumps(text)}")

    async def report(self, *fields: str) -> dict[str, Any]:
        """Fields of the client, as JSON has them; what is undefined is left out."""
        fetched: dict[str, Any] = await self._call("report", fields=fields)
        return fetched

    async def get(self, field: str) -> Any:
        """One of them."""
        return (await self.report(field)).get(field)

    async def clocks(self) -> dict[int, int]:
        """The state vector."""
        return {int(client): clock for client, clock in (await self.get("clocks")).items()}

    async def _call(self, op: str, **values: Any) -> Any:
        return await self._process.call(op, name=self.name, **values)


class YjsProcess:
    """The Node process. It does one command at a time."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._turn = anyio.Lock()

    async def open(self, name: str, kind: Kind, url: str, room: str, **options: Any) -> YjsClient:
        """A client that begins to connect: `headers`, and of y-websocket `protocols` and `params`,
        of Hocuspocus `token`, and `shares`: the name of the client whose socket it uses."""
        await self.call("open", name=name, kind=kind, url=url, room=room, **options)
        return YjsClient(self, name)

    async def call(self, op: str, **values: Any) -> Any:
        """The answer to a command."""
        assert self._process.stdin is not None
        async with self._turn:
            await self._process.stdin.send(json.dumps({"op": op, **values}).encode() + b"\n")
            line = await self._lines.receive_until(b"\n", MAX_ANSWER_BYTES)
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer.get("value")

    async def end(self) -> None:
        """Have it end by itself, which it does if no provider is left over."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        with anyio.fail_after(EXIT_SECONDS):
            assert await self._process.wait() == 0

    async def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def yjs_clients() -> AsyncGenerator[YjsProcess]:
    """A process of clients, which is killed if the test fails."""
    require_yjs_clients()
    process = await anyio.open_process(["node", str(DRIVER)], cwd=REPOSITORY, stderr=None)
    async with process:
        try:
            clients = YjsProcess(process)
            yield clients
            if process.returncode is None:
                await clients.end()
        finally:
            if process.returncode is None:
                process.kill()
