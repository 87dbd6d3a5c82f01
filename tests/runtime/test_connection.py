"""A network connection and the end that an object holds, with the server played by the test."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import Response, WebSocketPair
from roomhost.runtime.connection import LINK_EXTENSION, Connection, End

pytestmark = pytest.mark.anyio


class ClosingServer:
    """A server whose client's close comes while a message to it is on its way.

    It refuses the message, as uvicorn does, before anybody has looked at the close. `answers`: the
    closes that it was told to send.
    """

    def __init__(self) -> None:
        self.end: End | None = None
        self.answers: list[tuple[int | None, str]] = []
        self._crossed = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.end is not None:
            await anyio.sleep_forever()
        await self._crossed.wait()
        return {"type": "websocket.disconnect", "code": 1000, "reason": "bye"}

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self.end = End.CLOSED
            self._crossed.set()
            raise OSError

    def close(self, code: int | None, reason: str) -> None:
        self.answers.append((code, reason))

    def abort(self) -> None:
        raise AssertionError("nothing is dropped")


async def test_a_message_that_crosses_the_clients_close_leaves_it_answered() -> None:
    """The message is lost, which is right; the client hears the answer to its close."""
    server = ClosingServer()
    pair = WebSocketPair()
    pair.server.accept()
    scope = {"extensions": {LINK_EXTENSION: server}}
    response = Response(status=101, web_socket=pair.client)
    pair.server.send("on its way")
    async with anyio.create_task_group() as group:
        group.start_soon(Connection(scope, server.receive, server.send, response).run)
        await anyio.wait_all_tasks_blocked()
        assert server.answers == [(1000, "bye")]
        group.cancel_scope.cancel()
