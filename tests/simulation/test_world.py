"""What a workload sees of a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from roomhost.bindings import App

from .faults import Fault, Faults
from .run import simulate
from .workloads.tallies import Tally
from .world import GENERATION, World

Story = Callable[[World], Awaitable[None]]


class Told:
    """A workload that does what a test says."""

    name = "told"
    faults = Faults(most=0)

    def __init__(self, story: Story, settled: Story | None = None) -> None:
        self.settings: dict[str, Any] = {}
        self._story = story
        self._settled = settled

    def app(self) -> App:
        """A counter."""
        return App(name="told", bindings={"TALLY": Tally})

    async def run(self, world: World) -> None:
        """The story."""
        await self._story(world)

    async def settle(self, world: World) -> None:
        """What comes after the last crash."""
        if self._settled is not None:
            await self._settled(world)

    def check(self, world: World) -> Iterator[str]:
        """The story has told."""
        yield from ()


def run(story: Story, settled: Story | None = None, plan: dict[int, Fault] | None = None) -> None:
    """Nothing is wrong with the story."""
    assert simulate(lambda: Told(story, settled), 1, plan=plan or {}).complaints == ()


def test_a_host_is_waited_for() -> None:
    """Between a crash and the next start nobody has one; then everybody has the new one."""
    hosts: list[object] = []

    async def story(world: World) -> None:
        for _ in range(40):
            hosts.append(await world.host())
            await world.pause(20, 20)

    run(story, plan={60: Fault.CRASH})
    assert len(set(map(id, hosts))) == 2


def test_what_a_dead_host_says_is_not_seen() -> None:
    """A client's words count always, those of a host while it lives."""

    async def story(world: World) -> None:
        await world.host()
        world.observe("a client")
        GENERATION.set(world.generation)
        world.observe("a host")
        GENERATION.set(world.generation + 7)
        assert not world.is_seen()
        world.observe("a ghost")

    async def settled(world: World) -> None:
        seen = [(each.generation, each.event) for each in world.history]
        assert seen == [(1, "a client"), (1, "a host")]
        assert world.generation == 2

    run(story, settled)


def test_a_run_waits_for_its_clients() -> None:
    """Also for those that clients start; what one of them raises is a complaint."""
    ended: list[str] = []

    async def second(world: World) -> None:
        await world.pause(10, 10)
        ended.append("second")

    async def first(world: World) -> None:
        await world.pause(10, 10)
        world.spawn(second, world)
        ended.append("first")

    async def story(world: World) -> None:
        world.spawn(first, world)

    run(story)
    assert ended == ["first", "second"]


def test_a_client_that_fails_is_a_complaint() -> None:
    """With what it raised."""

    async def client() -> None:
        raise ValueError("of a client")

    async def story(world: World) -> None:
        world.spawn(client)

    (complaint,) = simulate(lambda: Told(story), 1).complaints
    assert "of a client" in complaint


@pytest.mark.parametrize("least", [0.0, 3.0])
def test_a_pause_is_as_long_as_it_says(least: float) -> None:
    """In virtual time."""

    async def story(world: World) -> None:
        begun = world.loop.time()
        await world.pause(least, least + 5)
        assert least <= (world.loop.time() - begun) * 1_000 <= least + 5.1

    run(story)
