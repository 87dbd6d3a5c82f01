"""`python -m benchmarks.raw_uvicorn`: the floor of the network, uvicorn with an ASGI application of a
few lines, with the same settings as ours, on a free port of 127.0.0.1 that it says as a line of JSON.

`/echo/...` answers a request with a word, and a message with itself; `/fan-out/ROOM` sends a message
to every socket of that path.
"""

from __future__ import annotations

import contextlib
import socket
from collections import defaultdict
from typing import Any

import anyio
import uvicorn
import uvloop

from . import children

BODY = b"hello"
HEADERS = [(b"content-length", b"%d" % len(BODY)), (b"content-type", b"text/plain")]
BACKLOG = 2_048
sends: defaultdict[str, dict[Any, None]] = defaultdict(dict)  # of all sockets, by their path


async def application(scope: Any, receive: Any, send: Any) -> None:
    """See ASGI 3."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
        return

    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"].startswith("/echo/"):
        await echo(receive, send)
    else:
        await fan_out(sends[scope["path"]], receive, send)


async def echo(receive: Any, send: Any) -> None:
    """Send everything back."""
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def fan_out(room: dict[Any, None], receive: Any, send: Any) -> None:
    """Send everything to all of the room."""
    room[send] = None
    while (message := await receive())["type"] == "websocket.receive":
        event = {"type": "websocket.send", "text": message["text"]}
        for each in list(room):
            await each(event)
    del room[send]


async def nothing(command: dict[str, Any]) -> dict[str, Any]:
    """It obeys no command."""
    raise ValueError(f"there is no command {command}")


async def main() -> None:
    """Serve until there are no more commands."""
    config = uvicorn.Config(
        application,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        children.say({"port": listener.getsockname()[1]})
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            with contextlib.suppress(ValueError):
                await children.serve(nothing)
            server.force_exit = server.should_exit = True


if __name__ == "__main__":
    uvloop.run(main())
