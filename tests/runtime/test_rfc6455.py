"""The server speaks WebSocket as RFC 6455 has it: the cases of Autobahn, which kosoku runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair, serve_fetch

from ..helpers.served import served

GOOD = frozenset(("OK", "NON-STRICT", "INFORMATIONAL"))
COMPRESSION = ("12.*", "13.*")  # not offered: such cases do not apply
BIG = ("9.*",)  # messages that take long


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server runs on asyncio, as `roomhost serve` does."""
    return ("asyncio", {"use_uvloop": True})


class Echo(DurableObject):
    """Sends back what comes."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        ws.send(message)


async def main(scope: Any, receive: Any, send: Any) -> None:
    """Give each connection an object of its own, whatever its path: the tool knows only `/`."""
    if scope["type"] == "websocket":
        echo = scope["state"]["env"].ECHO.get_by_name(str(scope["client"]))
        await serve_fetch(scope, receive, send, echo.fetch)


app = App(name="echo", bindings={"ECHO": Echo}, main=main)


@pytest.mark.timeout(300)
async def test_every_case_is_as_the_standard_has_it(tmp_path: Path) -> None:
    """No case fails; with KOSOKU_ALL=1 in the environment also those of big messages."""
    left_out = COMPRESSION if os.environ.get("KOSOKU_ALL") else (*COMPRESSION, *BIG)
    async with served(app) as (url, _):
        where = url.removeprefix("http://")
        command = [str(Path(sys.executable).parent / "kosoku"), where, "-p", "8"]
        for pattern in left_out:
            command += ["-x", pattern]
        await anyio.run_process([*command, "-o", str(tmp_path)], check=False)
    report: dict[str, dict[str, dict[str, str]]] = json.loads((tmp_path / "index.json").read_text())
    cases = {name: case for agent in report.values() for name, case in agent.items()}
    assert len(cases) > 200
    wrong = {
        name: case
        for name, case in cases.items()
        if not {case["behavior"], case["behaviorClose"]} <= GOOD
    }
    assert wrong == {}
