"""Two independent clients, npm's `ws` and Python's `websockets`, and an actor that echoes."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair

from ..helpers.served import served

SCRIPT = Path(__file__).parent.parent / "helpers" / "web_socket_client.mjs"
REPOSITORY = SCRIPT.parent.parent.parent
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


async def run_node(url: str, protocols: list[str], steps: list[dict[str, Any]]) -> list[list[Any]]:
    """What happened to the Node client that did these steps."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (REPOSITORY / "node_modules" / "ws").exists():
        pytest.skip("ws is not installed: make clients")
    script = json.dumps({"url": url, "protocols": protocols, "steps": steps}).encode()
    done = await anyio.run_process(["node", str(SCRIPT)], input=script, cwd=REPOSITORY)
    events: list[list[Any]] = json.loads(done.stdout)
    return events


async def run_python(
    url: str, protocols: list[str], steps: list[dict[str, Any]]
) -> list[list[Any]]:
    """What happened to the Python client that did the same steps."""
    events: list[list[Any]] = []
    async with connect(
        url, subprotocols=[websockets.Subprotocol(name) for name in protocols] or None
    ) as ws:
        events.append(["open", ws.subprotocol or "", ""])
        for step in steps[1:]:
            try:
                await _python_step(ws, step, events)
            except ConnectionClosed as closed:
                close = closed.rcvd
                events.append(["close", close.code, close.reason] if close else ["close", 1006, ""])
    return events


async def _python_step(ws: Any, step: dict[str, Any], events: list[list[Any]]) -> None:
    match step["do"]:
        case "text":
            await ws.send(step["value"])
        case "binary":
            await ws.send(base64.b64decode(step["value"]))
        case "big":
            await ws.send(bytes(step["bytes"]))
        case "fragments":
            await ws.send(iter(step["parts"]))
        case "ping":
            await (await ws.ping(step["value"]))
            events.append(["pong", step["value"]])
        case "close":
            await ws.close(step["code"], step["reason"])
        case _:
            if step["kind"] != "pong":  # which `ping` has waited for
                events.append(_shown(await ws.recv()))


def _shown(message: str | bytes) -> list[Any]:
    binary = isinstance(message, bytes)
    text = base64.b64encode(message).decode() if isinstance(message, bytes) else message
    return ["message", f"{len(text)} characters" if len(text) > 1000 else text, binary]


def step(do: str, **fields: Any) -> dict[str, Any]:
    """One step of a script."""
    return {"do": do, **fields}


OPEN = step("expect", kind="open")
MESSAGE = step("expect", kind="message")
CLOSE = step("expect", kind="close")
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
