"""The ASGI lifespan of an `App`: open the host, then the application inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..runtime.application import ASGIApp, Message, Receive, Scope, Send


async def run_lifespan(
    scope: Scope,
    receive: Receive,
    send: Send,
    start: Callable[[], Awaitable[ASGIApp]],
    stop: Callable[[], Awaitable[None]],
) -> None:
    """Start the host when the server starts; then pass the lifespan through to what `start` returns,
    the host's ASGI side; stop the host when that has ended.

    The server is told of the end when the host has stopped, because it ends the process then. An
    error of the start is reported to the server, which then ends.
    """
    first = await receive()
    try:
        inner = await start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return

    last: list[Message] = []
    waiting: list[Message] = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    async def send_noted(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            last.append(message)
        else:
            await send(message)

    await inner(scope, receive_again, send_noted)
    await stop()
    for message in last:
        await send(message)
