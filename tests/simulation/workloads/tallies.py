"""The smallest of workloads: counters that must not lose what was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roomhost.bindings import App
from roomhost.runtime import DurableObject

from ..faults import Faults
from ..world import World


class Tally(DurableObject):
    """Counts."""

    async def add(self) -> int:
        """One more."""
        count: int = (await self.ctx.storage.get("count") or 0) + 1
        await self.ctx.storage.put("count", count)
        return count


class Tallies:
    """Three clients that add to two objects; what was told is the least that is there at the end."""

    name = "tallies"

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.settings: dict[str, Any] = {}
        self.told = {"a": 0, "b": 0}
        self.left: dict[str, int] = {}

    def app(self) -> App:
        """One binding."""
        return App(name="tallies", bindings={"TALLY": Tally})

    async def run(self, world: World) -> None:
        """All of them."""
        for number in range(3):
            world.spawn(self._client, world, number)

    async def _client(self, world: World, number: int) -> None:
        for _ in range(6):
            name = world.rng.choice("ab")
            host = await world.host()
            try:
                count = await host.env.TALLY.get_by_name(name).add()
            except Exception as error:
                world.observe(("failed", number, name, type(error).__name__))
            else:
                self.told[name] = max(self.told[name], count)
                world.observe(("added", number, name, count))
            await world.pause()

    async def settle(self, world: World) -> None:
        """What is there."""
        host = await world.host()
        for name in self.told:
            self.left[name] = await host.env.TALLY.get_by_name(name).add() - 1

    def check(self, world: World) -> Iterator[str]:
        """Nothing is lost."""
        for name, told in self.told.items():
            if self.left[name] < told:
                yield f"{name} was told to be {told} and is {self.left[name]}"
