"""The ASGI lifespan of an `App`: open the host, then the application inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..runtime.application import ASGIApp, Message, Receive, Scope, Send


async def run_lifespan(
    scope: Scope,
    receive: Receive,
    send: Send,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    inner: ASGIApp | None,
) -> None:
    """Start the host when the server starts; then pass the lifespan through to `inner`, which may
    not know it; stop the host when that has stopped.

    The server is told of the end when the host has stopped, because it ends the process then. An
    error of the start is reported to the server, which then ends.
    """
    first = await receive()
    try:
        await start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return

    passed, last = False, None
    if inner is not None:
        passed, last = await _pass_through(scope, first, receive, send, inner)
    if not passed:
        await send({"type": "lifespan.startup.complete"})
        await receive()
        last = {"type": "lifespan.shutdown.complete"}
    await stop()
    if last is not None:
        await send(last)


async def _pass_through(
    scope: Scope, first: Message, receive: Receive, send: Send, inner: ASGIApp
) -> tuple[bool, Message | None]:
    """Run the lifespan of `inner`. Whether it has one, and what it says at its end, not sent yet."""
    said = False
    last: Message | None = None
    waiting: list[Message] = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    async def send_noted(message: Message) -> None:
        nonlocal said, last
        said = True
        if message["type"].startswith("lifespan.shutdown."):
            last = message
        else:
            await send(message)

    try:
        await inner(scope, receive_again, send_noted)
    except anyio.get_cancelled_exc_class():
        raise
    except Exception:
        # As servers do: an application that raises before it answers does not support lifespans.
        if said and last is None:
            raise

    return said, last
