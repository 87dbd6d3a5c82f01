"""An actor that runs what a test hands it, so that a test reads as one story."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, WebSocket

Step = Callable[..., Any]


class Scripted(DurableObject):
    """`run(name)` calls the script of that name with the actor first; handlers are scripts too."""

    scripts: ClassVar[dict[str, Step]] = {}

    async def run(self, name: str, *arguments: Any) -> Any:
        result = Scripted.scripts[name](self, *arguments)
        return await result if isinstance(result, Awaitable) else result

    async def alarm(self, info: AlarmInfo) -> None:
        await self._handle("alarm", info)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        await self._handle("message", ws, message)

    async def web_socket_close(
        self, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        await self._handle("close", ws, code, reason, was_clean)

    async def web_socket_error(self, ws: WebSocket, error: Exception) -> None:
        await self._handle("error", ws, error)

    async def _handle(self, name: str, *arguments: Any) -> None:
        if name in Scripted.scripts:
            await self.run(name, *arguments)


def script(step: Step) -> Step:
    """Make a function a script, under its own name."""
    Scripted.scripts[step.__name__] = step
    return step


app = App(name="scripted", bindings={"OBJECT": Scripted})
