"""The admin API of a host in this process, asked without a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import msgspec

from roomhost.admin.operations import OPERATIONS
from roomhost.runtime import Host
from roomhost.runtime.application import ASGIApp
from roomhost.runtime.local_server import LocalASGI

LINES = msgspec.json.Decoder(dict[str, Any])


class Answer:
    """A response, or as much of it as has come. `left`: the client has gone."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.left = anyio.Event()
        self.came = anyio.Event()  # something did, since it was looked at
        self.complete = False

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    def lines(self) -> list[dict[str, Any]]:
        """The body of a stream."""
        return LINES.decode_lines(self.body)

    async def until(self, count: int) -> list[dict[str, Any]]:
        """So many lines of a stream, once they have come."""
        while self.body.count(b"\n") < count:
            self.came = anyio.Event()
            await self.came.wait()
        return self.lines()

    async def send(self, message: Any) -> None:
        """What the application calls."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)
        self.came.set()


async def ask(
    app: ASGIApp,
    path: str,
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    method: str = "POST",
    answer: Answer | None = None,
) -> Answer:
    """One request, its body in two pieces."""
    answer = answer or Answer()
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
    }

    async def receive() -> Any:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        await answer.left.wait()
        return {"type": "http.disconnect"}

    await app(scope, receive, answer.send)
    return answer


async def locally(host: Host, operation: str, **given: Any) -> Any:
    """The result of an operation by the local socket; or the problem, when it is refused."""
    assert operation in OPERATIONS
    answer = await ask(LocalASGI(host), f"/_admin/v1/{operation}", msgspec.json.encode(given))
    if answer.headers["content-type"] == "application/x-ndjson":
        return answer.lines()

    result: dict[str, Any] = answer.json()
    assert ("code" in result) == (answer.status != 200)
    return result
