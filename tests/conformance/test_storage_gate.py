"""Storage: among the events of its object"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.stories import stored_afresh, tell_to
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

UNINTERRUPTED = Feature("storage: nothing runs between a call and the code behind it", "4.2")
ATOMIC = Feature("storage: get, change, put loses no update", "4.2")

NOW_MS = 1_800_000_000_000
CALLS: dict[str, Callable[[DurableObjectStorage], Any]] = {
    "get": lambda storage: storage.get("k"),
    "get many": lambda storage: storage.get(["k", "l"]),
    "put": lambda storage: storage.put("k", 1),
    "put many": lambda storage: storage.put({"k": 1, "l": 2}),
    "delete": lambda storage: storage.delete("k"),
    "delete many": lambda storage: storage.delete(["k", "l"]),
    "list": lambda storage: storage.list(),
    "delete_all": lambda storage: storage.delete_all(),
    "get_alarm": lambda storage: storage.get_alarm(),
    "set_alarm": lambda storage: storage.set_alarm(NOW_MS + 60_000),
    "delete_alarm": lambda storage: storage.delete_alarm(),
}

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@shows(UNINTERRUPTED)
@each_call
async def test_no_event_comes_between_storage_calls(call: Callable[..., Any]) -> None:
    """However many are awaited, the events that wait come after them all."""
    log: list[str] = []

    async def story(storage: DurableObjectStorage) -> None:
        log.append("begins")
        for _ in range(20):
            await call(storage)
        log.append("ends")

    async with host_for(app, clock=ManualClock(NOW_MS)) as host:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(tell_to, objects(host), story)
    assert log == ["begins", "ends"] * 5


@shows(UNINTERRUPTED)
@each_call
async def test_nothing_that_the_object_has_started_comes_between_storage_calls(
    call: Callable[..., Any],
) -> None:
    """What `wait_until` runs waits for the turn to end, as a timer does."""
    log: list[str] = []

    async def story(actor: Any) -> None:
        async def beside() -> None:
            log.append("beside")

        actor.ctx.wait_until(beside())
        for _ in range(20):
            await call(actor.ctx.storage)
        log.append("calls")

    async with host_for(app, clock=ManualClock(NOW_MS)) as host:
        await within(objects(host), story)
        await host.evict(objects(host))
    assert log == ["calls", "beside"]


async def increment_by_get(storage: DurableObjectStorage) -> None:
    await storage.put("n", await storage.get("n", 0) + 1)


async def increment_by_list(storage: DurableObjectStorage) -> None:
    entries = await storage.list(prefix="n")
    await storage.put({"n": entries.get("n", 0) + 1})


async def increment_by_delete(storage: DurableObjectStorage) -> None:
    count = (await storage.get(["n"])).get("n", 0)
    await storage.delete(["n"])
    await storage.put("n", count + 1)


def increment_by_kv(storage: DurableObjectStorage) -> None:
    storage.kv.put("n", storage.kv.get("n", 0) + 1)


@shows(ATOMIC)
@pytest.mark.parametrize(
    "increment",
    [increment_by_get, increment_by_list, increment_by_delete, increment_by_kv],
    ids=["get", "list", "delete", "kv"],
)
async def test_twenty_callers_at_once_count_to_twenty(increment: Callable[..., Any]) -> None:
    """Without a lock or a transaction, from whatever is on disk and what is not yet."""
    async with host_for(app, clock=ManualClock()) as host:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(tell_to, objects(host), increment)
        assert await stored_afresh(host) == {"n": 20}


@shows(ATOMIC)
async def test_an_update_is_lost_when_the_code_waits_for_something_else_in_between() -> None:
    """Then other events come in: what was read is no longer what is stored."""
    go = anyio.Event()

    async def slow(storage: DurableObjectStorage) -> None:
        count = await storage.get("n", 0)
        await go.wait()
        await storage.put("n", count + 1)

    async with host_for(app, clock=ManualClock()) as host:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(tell_to, objects(host), slow)
            await anyio.wait_all_tasks_blocked()
            go.set()
        assert await stored_afresh(host) == {"n": 1}
