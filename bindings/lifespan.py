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
    inner: ASGIApp | None,
) -> None:
    """Start the host when the server starts; then pass the lifespan through to `inner`, which may
    not know it. Returns when the server stops; whoever called closes the host.

    An error of the start is reported to the server, which then ends.
    """
    message = await receive()
    try:
        await start()
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return

    if inner is None or not await _pass_through(scope, message, receive, send, inner):
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


async def _pass_through(
    scope: Scope, first: Message, receive: Receive, send: Send, inner: ASGIApp
) -> bool:
    """Run the lifespan of `inner`. False: it has none, and nothing was sent for it."""
    said = False
    waiting: list[Message] = [first]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    async def send_noted(message: Message) -> None:
        nonlocal said
        said = True
        await send(message)

    try:
        await inner(scope, receive_again, send_noted)
    except anyio.get_cancelled_exc_class():
        raise
    except Exception:
        # As servers do: an application that raises before it answers does not support lifespans.
        if said:
            raise

    return said
