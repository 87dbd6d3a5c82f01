"""Two independent clients, npm's `ws` and Python's `websockets`, and an actor that echoes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair

from ..helpers.served import served
from ..helpers.web_socket_clients import CLOSE, MESSAGE, OPEN, run_node, run_python, step

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server runs on asyncio, as `roomhost serve` does."""
    return ("asyncio", {"use_uvloop": True})


class Echo(DurableObject):
    """Selects the subprotocol `second`, if it is offered; echoes; closes when it is told to."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        offered = request.headers.get("sec-websocket-protocol", "")
        headers = {"sec-websocket-protocol": "second"} if "second" in offered else None
        return Response(status=101, web_socket=pair.client, headers=headers)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message == "close":
            ws.close(4_001, "as told")
        else:
            ws.send(message)


app = App(name="echo", bindings={"ECHO": Echo})


ECHOES = [
    OPEN,
    step("text", value="héllo ☃"),
    MESSAGE,
    step("text", value=""),
    MESSAGE,
    step("binary", value=base64.b64encode(b"\0\xff").decode()),
    MESSAGE,
    step("fragments", parts=["one ", "two ", "three"]),
    MESSAGE,
    step("ping", value="are you there"),
    step("expect", kind="pong"),
    step("big", bytes=MEBIBYTE),
    MESSAGE,
]
CLIENTS = pytest.mark.parametrize("run", (run_node, run_python))


@CLIENTS
async def test_messages_come_back_as_they_were_sent(run: Any) -> None:
    """Text, an empty one, binary, fragments, a ping, a mebibyte: the same for both clients; the
    compression that one of them offers is not taken."""
    async with served(app) as (url, _):
        events = await run(url.replace("http", "ws") + "/echo/a", [], ECHOES)
    size = len(base64.b64encode(bytes(MEBIBYTE)))
    assert events == [
        ["open", "", ""],
        ["message", "héllo ☃", False],
        ["message", "", False],
        ["message", base64.b64encode(b"\0\xff").decode(), True],
        ["message", "one two three", False],
        ["pong", "are you there"],
        ["message", f"{size} characters", True],
    ]


@CLIENTS
async def test_one_of_the_offered_subprotocols_is_selected(run: Any) -> None:
    """The object's choice is what both clients see."""
    async with served(app) as (url, _):
        events = await run(url.replace("http", "ws") + "/echo/b", ["first", "second"], [OPEN])
    assert events == [["open", "second", ""]]


@CLIENTS
async def test_the_object_closes_with_its_own_code(run: Any) -> None:
    """Code and reason arrive."""
    async with served(app) as (url, _):
        steps = [OPEN, step("text", value="close"), CLOSE]
        events = await run(url.replace("http", "ws") + "/echo/c", [], steps)
    assert events[-1] == ["close", 4_001, "as told"]


@CLIENTS
async def test_a_message_over_32_mebibytes_is_too_big(run: Any) -> None:
    """It closes with 1009."""
    async with served(app) as (url, _):
        steps = [OPEN, step("big", bytes=33 * MEBIBYTE), CLOSE]
        events = await run(url.replace("http", "ws") + "/echo/d", [], steps)
    assert events[-1][:2] == ["close", 1009]


async def test_a_client_in_node_gives_up_where_no_subprotocol_is_selected() -> None:
    """As browsers do: who offers one must be answered with one."""
    async with served(app) as (url, _):
        steps = [step("expect", kind="error")]
        events = await run_node(url.replace("http", "ws") + "/echo/e", ["first"], steps)
    assert events == [["error", "Server sent no subprotocol"]]


async def test_a_client_in_node_closes_and_is_answered() -> None:
    """The code of the client comes back."""
    async with served(app) as (url, _):
        steps = [OPEN, step("close", code=4_005, reason="bye"), CLOSE]
        events = await run_node(url.replace("http", "ws") + "/echo/f", [], steps)
    assert events[-1] == ["close", 4_005, "bye"]
