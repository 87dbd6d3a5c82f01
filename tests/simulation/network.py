"""The network between the clients of a run and whichever host runs."""

from __future__ import annotations

import random
from contextvars import copy_context
from typing import TYPE_CHECKING

from .pipes import CALM, Conditions
from .sockets import Link, Server
from .world import GENERATION

if TYPE_CHECKING:
    from .world import World


class Network:
    """Gives connections to the host that runs, under `conditions` until it is `calm`."""

    def __init__(self, world: World, conditions: Conditions | None = None) -> None:
        self._world = world
        self._rng = random.Random(world.rng.getrandbits(64))
        self._conditions = Conditions() if conditions is None else conditions
        self._server: Server | None = None
        self._generation = 0
        world.serving = self

    def calm(self) -> None:
        """Nothing befalls a connection from now on, but what its ends do."""
        self._conditions = CALM

    async def link(self) -> Link:
        """A new connection, as soon as a host runs."""
        world = self._world
        host = await world.host()
        if self._server is None or self._generation != world.generation:
            self._generation = world.generation
            context = copy_context()
            context.run(GENERATION.set, world.generation)
            self._server = Server(host, world.loop, context)
        return self._server.connect(random.Random(self._rng.getrandbits(64)), self._conditions)

    def crash(self) -> None:
        """The host is gone, and with it the server's ends."""
        if self._server is not None:
            self._server.crash()
            self._server = None

    async def stop(self) -> None:
        """The host stops: every connection is closed before."""
        if self._server is not None:
            await self._server.stop()
