"""Two independent clients, npm's `ws` and Python's `websockets`, that do what one script says."""

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

SCRIPT = Path(__file__).parent / "web_socket_client.mjs"
REPOSITORY = SCRIPT.parent.parent.parent


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
