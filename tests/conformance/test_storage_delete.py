"""Storage: delete"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects
from ..helpers.disk import Disk
from ..helpers.stories import (
    STAGES,
    Calls,
    Tell,
    everywhere,
    held_host,
    in_storage,
    stored_afresh,
    tell_to,
)
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

DELETE = Feature("storage.delete", "5.3")
MANY = Feature("storage.delete: several keys", "5.3")
PENDING = Feature("storage.delete: counts uncommitted writes", "5.3")


@shows(DELETE)
@everywhere
async def test_delete_tells_whether_the_key_existed(tell: Tell) -> None:
    """True once, then False; a stored None existed."""

    async def story(storage: Calls) -> None:
        await storage.put({"k": 1, "null": None, "kept": 2})
        assert await storage.delete("k") is True
        assert await storage.delete("k") is False
        assert await storage.delete("null") is True
        assert await storage.delete("never") is False
        assert await storage.list() == {"kept": 2}

    await tell(story)


@shows(DELETE)
@everywhere
async def test_a_deleted_key_is_gone_from_every_read_and_can_be_put_again(tell: Tell) -> None:
    """With whatever value."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "b": 2})
        await storage.delete("a")
        assert await storage.get("a", "none") == "none"
        assert await storage.get(["a", "b"]) == await storage.list() == {"b": 2}
        await storage.put("a", [3])
        assert await storage.list() == {"a": [3], "b": 2}

    await tell(story)


@mistake(20)
@shows(MANY)
@everywhere
async def test_mistake_20_delete_of_many_counts_each_key_that_existed_once(tell: Tell) -> None:
    """However often it is named; keys that were not there do not count."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "b": None, "c": 3})
        assert await storage.delete(["b", "a", "missing", "a", "b", "b"]) == 2
        assert await storage.delete(["a", "c", "c"]) == 1
        assert await storage.list() == {}

    await tell(story)


@shows(MANY)
@everywhere
@pytest.mark.parametrize("keys", [[], (), set()], ids=repr)
async def test_delete_of_no_keys_is_0(tell: Tell, keys: Any) -> None:
    """And deletes nothing."""

    async def story(storage: Calls) -> None:
        await storage.put("a", 1)
        result = await storage.delete(keys)
        assert result == 0
        assert result is not False
        assert await storage.list() == {"a": 1}

    await tell(story)


@shows(MANY)
@pytest.mark.parametrize("keys", [{"a": 1}, iter(["a"]), 1.5, None, b"a", ["a", None]])
async def test_delete_refuses_what_is_neither_a_key_nor_a_list_of_keys(keys: Any) -> None:
    """A TypeError, and nothing is deleted."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("a", 1)
        with pytest.raises(TypeError):
            await storage.delete(keys)
        assert await storage.list() == {"a": 1}

    await in_storage(story)


@mistake(20)
@shows(PENDING)
@everywhere
async def test_mistake_20_delete_right_after_put_finds_the_key(tell: Tell) -> None:
    """Nothing needs to be awaited in between; deleting what was put and deleted finds nothing."""

    async def story(storage: Calls) -> None:
        storage.put("k", 1)
        first, second = storage.delete("k"), storage.delete("k")
        assert (await first, await second) == (True, False)
        storage.put({"a": 1, "b": 2})
        storage.delete("b")
        many = storage.delete(["a", "b", "c"])
        storage.put("a", "later")
        assert await many == 1
        assert await storage.list() == {"a": "later"}

    await tell(story)


@shows(PENDING)
async def test_delete_counts_what_is_on_disk_and_what_is_not() -> None:
    """Stored and deleted since, stored and overwritten since, new: each as of the call."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"stored": 1, "overwritten": 1, "deleted": 1})
        await storage.sync()
        storage.put({"overwritten": 2, "new": 2})
        storage.delete("deleted")
        keys = ["stored", "overwritten", "deleted", "new", "never"]
        assert await storage.delete(keys) == 3
        for _ in STAGES:
            assert await storage.list() == {}
            assert await storage.delete(keys) == 0
            await storage.sync()

    await in_storage(story)


@shows(PENDING)
async def test_the_count_is_known_before_the_commit() -> None:
    """The handler goes on with it while the disk is held; only its reply waits."""
    disk = Disk()
    counted: list[int] = []

    async def story(storage: DurableObjectStorage) -> None:
        counted.append(await storage.delete([*"abcd"]))

    async with held_host(disk) as (host, outcomes):
        disk.release()
        await tell_to(objects(host), lambda storage: storage.put(dict.fromkeys("abc", 1)))
        disk.hold()
        outcomes.of("delete", tell_to(objects(host), story))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert counted == [3]
        assert outcomes == []


@shows(DELETE)
async def test_a_deletion_is_durable_and_of_one_commit_with_the_writes_around_it() -> None:
    """The next instance finds neither the key nor anything in between."""

    async def replace(storage: DurableObjectStorage) -> None:
        await storage.delete("old")
        await storage.put("new", 1)
        await storage.put("short-lived", 1)
        await storage.delete(["short-lived"])

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put("old", 1))
        await tell_to(objects(host), replace)
        assert host.statistics().batches == 2
        assert await stored_afresh(host) == {"new": 1}


@shows(MANY)
async def test_a_delete_of_many_with_a_refused_key_deletes_nothing() -> None:
    """Not even the keys before it."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"a": 1, "b": 2})
        with pytest.raises(ValueError, match="2048"):
            await storage.delete(["a", "k" * 2_049, "b"])
        assert await storage.list() == {"a": 1, "b": 2}

    await in_storage(story)
