"""A server whose socket another process goes on with."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Generator
from typing import Any

import anyio
import pytest

from roomhost.runtime import signal_server
from roomhost.runtime.application import ASGIApp, Receive, Scope, Send
from roomhost.runtime.bounded_server import BoundedServer
from roomhost.runtime.settings import make_settings


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """Servers are asyncio's."""
    return ("asyncio", {"use_uvloop": True})


class Relieved(BoundedServer):
    """Such a server; the signals are the test runner's."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answering(answer), make_settings({}), relieved=True)
        self.listening = anyio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    def listens(self, sockets: list[socket.socket]) -> None:
        self.listening.set()


def answering(body: bytes) -> ASGIApp:
    """An application that answers everything so."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return application


async def ask(connection: anyio.abc.SocketStream) -> bytes:
    """One request; the body of its answer."""
    await connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.rpartition(b"\r\n\r\n")[2]:
        answer += await connection.receive()
    return answer.rpartition(b"\r\n\r\n")[2]


async def test_nothing_is_refused_when_another_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted is answered after the signal too; what comes later waits for the next one."""
    monkeypatch.setattr(signal_server, "ACCEPTED_SECONDS", 3_600)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        first, second = Relieved(b"first"), Relieved(b"second")
        async with anyio.create_task_group() as group:
            group.start_soon(first.serve, [listening.dup()])
            await first.listening.wait()
            async with await anyio.connect_tcp(*listening.getsockname()) as accepted:
                assert await ask(accepted) == b"first"
                first._signalled()
                async with await anyio.connect_tcp(*listening.getsockname()) as waiting:
                    assert await ask(accepted) == b"first"
                    first._stop()
                    group.start_soon(second.serve, [listening.dup()])
                    assert await ask(waiting) == b"second"
                    second._stop()


def test_ctrl_c_is_left_to_the_process_that_goes_on() -> None:
    """It reaches both; only one decides."""
    settings = make_settings({})
    app = answering(b"")
    assert BoundedServer(app, settings, relieved=True)._signals == (signal.SIGTERM,)
    assert signal.SIGINT in BoundedServer(app, settings)._signals
