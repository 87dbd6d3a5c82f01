"""An actor whose constructor and methods are written in the test that looks at its life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from roomhost.bindings import App
from roomhost.runtime import DurableObject

Start = Callable[["Scripted"], Any]
starts: list[Start] = []
events: list[str] = []


class Scripted(DurableObject):
    """Runs what a test hands it: `starts` in its constructor, functions by their place in `steps`."""

    steps: ClassVar[list[Callable[..., Awaitable[Any]]]] = []

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.log: list[str] = []
        for start in starts:
            start(self)

    async def run(self, step: int, *arguments: Any) -> Any:
        return await Scripted.steps[step](self, *arguments)

    async def logged(self) -> list[str]:
        return self.log


app = App(name="lifecycle", bindings={"OBJECT": Scripted})


def forget() -> None:
    """No script of another test."""
    starts.clear()
    events.clear()
    Scripted.steps = []
