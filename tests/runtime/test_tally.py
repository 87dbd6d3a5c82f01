"""Counters that are declared above the runtime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.tally import TALLIES, Tally, declare
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio


@pytest.fixture
def tally() -> Iterator[Tally]:
    """A counter of this test alone."""
    yield declare("tested", "Things.", label="kind", values=("a", "b"))
    del TALLIES["tested"]


class Room(DurableObject):
    """Counts."""

    async def count(self, value: str) -> None:
        """One."""
        TALLIES["tested"].count(value)


async def test_it_counts_for_the_object_whose_code_runs(tally: Tally) -> None:
    """What is none of its values is another, so that there are few; without an object, nothing."""
    async with host_for(App(name="tallied", bindings={"ROOM": Room})) as host:
        stub: Any = host.env.ROOM.get_by_name("x")
        for value in ("a", "b", "a", "what a client has sent"):
            await stub.count(value)
        tally.count("a")
        (meter,) = host.observer.meters.values()
        assert dict(meter.tallies) == {
            ("tested", "a"): 2,
            ("tested", "b"): 1,
            ("tested", "other"): 1,
        }


def test_a_name_is_declared_once(tally: Tally) -> None:
    """Two would be one metric."""
    with pytest.raises(ValueError, match="tested"):
        declare("tested", "Others.")
