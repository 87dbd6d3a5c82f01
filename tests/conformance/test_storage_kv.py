"""Storage: ctx.storage.kv, and what is not offered"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectState,
    DurableObjectStorage,
    DurableObjectTransaction,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects
from ..helpers.disk import Disk
from ..helpers.stories import STAGES, held_host, in_storage, stored_afresh, tell_to
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

GET = Feature(
    "storage.kv.get",
    "5.9",
    differs="None, or the default given, for a missing key",
)
PUT = Feature("storage.kv.put", "5.9")
DELETE = Feature("storage.kv.delete", "5.9")
LIST = Feature(
    "storage.kv.list",
    "5.9",
    differs="a dict, a snapshot, in place of an iterator: nothing invalidates it",
)
ONE_TABLE = Feature("storage.kv: the same entries as the asynchronous calls", "5.9")
SQL = Feature(
    "storage.sql",
    "5.10",
    missing="objects are stored in LMDB, not in SQLite: the attribute does not exist",
)
SIZE = Feature("storage.sql.databaseSize", "5.10", missing="there is no `sql`")
BOOKMARKS = Feature(
    "storage: point-in-time recovery (bookmarks)",
    "5.11",
    missing="the methods do not exist; back up the data directory instead",
)
SURFACE = Feature("storage: nothing but the documented calls", "5.1")

CALLS = {"get", "put", "delete", "list", "get_alarm", "set_alarm", "delete_alarm", "delete_all"}


@shows(GET, PUT, DELETE)
async def test_the_synchronous_calls_return_their_results() -> None:
    """No await: get a value or the default, put nothing, delete whether the key existed."""

    def story(storage: DurableObjectStorage) -> None:
        kv = storage.kv
        result: object = kv.put("k", {"a": [1]})  # type: ignore[func-returns-value]
        assert result is None
        assert kv.get("k") == {"a": [1]}
        assert kv.get("missing") is None
        assert kv.get("missing", "default") == "default"
        assert kv.delete("k") is True
        assert kv.delete("k") is False
        assert kv.get("k", "default") == "default"

    await in_storage(story)


@shows(GET, PUT)
async def test_none_is_stored_by_the_synchronous_put() -> None:
    """And told from a missing key by the default."""

    def story(storage: DurableObjectStorage) -> None:
        storage.kv.put("null", None)
        assert storage.kv.get("null", "default") is None
        assert storage.kv.list() == {"null": None}

    await in_storage(story)


@shows(LIST)
@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, "abcde"),
        ({"start": "b"}, "bcde"),
        ({"start_after": "b"}, "cde"),
        ({"end": "d"}, "abc"),
        ({"start": "b", "end": "d"}, "bc"),
        ({"prefix": "c"}, "c"),
        ({"limit": 2}, "ab"),
        ({"reverse": True}, "edcba"),
        ({"reverse": True, "limit": 2, "end": "e"}, "dc"),
        ({"start": "d", "end": "b"}, ""),
    ],
    ids=str,
)
async def test_the_synchronous_list_takes_the_same_options(
    options: dict[str, Any], keys: str
) -> None:
    """And gives the same entries in the same order as the asynchronous one."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({key: ord(key) for key in "ebdac"})
        for _ in STAGES:
            got = storage.kv.list(**options)
            assert list(got.items()) == [(key, ord(key)) for key in keys]
            assert list((await storage.list(**options)).items()) == list(got.items())
            await storage.sync()

    await in_storage(story)


@shows(LIST)
async def test_two_lists_can_be_read_in_turns_while_entries_change() -> None:
    """Each shows what was there when it was called."""

    def story(storage: DurableObjectStorage) -> None:
        kv = storage.kv
        kv.put("a", 1)
        kv.put("b", 2)
        first = iter(kv.list().items())
        assert next(first) == ("a", 1)
        kv.delete("b")
        kv.put("c", 3)
        second = iter(kv.list(reverse=True).items())
        assert next(second) == ("c", 3)
        assert next(first) == ("b", 2)
        assert next(second) == ("a", 1)

    await in_storage(story)


@shows(ONE_TABLE)
async def test_both_kinds_of_calls_are_of_the_same_entries() -> None:
    """What one writes the other reads, at once and after a new start."""

    async def story(storage: DurableObjectStorage) -> None:
        storage.kv.put("kv", 1)
        await storage.put("async", 2)
        assert await storage.get("kv") == 1
        assert storage.kv.get("async") == 2
        assert await storage.list() == storage.kv.list() == {"async": 2, "kv": 1}
        assert await storage.delete("kv") is True
        assert storage.kv.delete("async") is True
        storage.kv.put("last", 3)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().batches == 1
        assert await stored_afresh(host) == {"last": 3}


@shows(ONE_TABLE)
async def test_the_synchronous_calls_take_part_in_transactions() -> None:
    """They see what it wrote, and their writes are undone with it."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put("txn", 1)
            assert storage.kv.get("txn") == 1
            storage.kv.put("kv", 2)
            assert storage.kv.delete("before") is True
            assert await txn.list() == {"kv": 2, "txn": 1}
            txn.rollback()

        storage.kv.put("before", 0)
        await storage.transaction(callback)
        assert storage.kv.list() == {"before": 0}

    await in_storage(story)


@shows(PUT, DELETE)
@pytest.mark.parametrize(
    "write", [lambda kv: kv.put("k", 1), lambda kv: kv.delete("stored")], ids=["put", "delete"]
)
async def test_replies_wait_for_synchronous_writes(write: Callable[[Any], Any]) -> None:
    """They are confirmed writes like any other."""
    disk = Disk()
    async with held_host(disk) as (host, outcomes):
        disk.release()
        await tell_to(objects(host), lambda storage: storage.put("stored", 1))
        disk.hold()
        outcomes.of("write", tell_to(objects(host), lambda storage: write(storage.kv)))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == []
    assert outcomes.labels == ["write"]


class Eager(DurableObject):
    """Reads and writes before its first event, which no awaited call can."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.starts: int = ctx.storage.kv.get("starts", 0) + 1
        ctx.storage.kv.put("starts", self.starts)

    async def count(self) -> int:
        return self.starts


@shows(GET, PUT)
async def test_a_constructor_can_use_the_synchronous_calls() -> None:
    """Each instance finds what the one before it has written."""
    async with host_for(App(name="kv", bindings={"EAGER": Eager}), clock=ManualClock()) as host:
        stub = host.env.EAGER.get_by_name("a")
        for expected in (1, 2, 3):
            assert await stub.count() == expected
            await host.evict(stub)


@shows(SQL, SIZE)
async def test_there_is_no_sql() -> None:
    """Its name is missing, so that code which needs it fails at once."""

    def story(storage: Any) -> None:
        with pytest.raises(AttributeError, match="sql"):
            storage.sql.exec("SELECT 1")

    await in_storage(story)


@shows(BOOKMARKS)
@pytest.mark.parametrize(
    "name",
    [
        "get_current_bookmark",
        "get_bookmark_for_time",
        "on_next_session_restore_bookmark",
        "wait_for_bookmark",
    ],
)
async def test_there_is_no_point_in_time_recovery(name: str) -> None:
    """Each of its methods is missing by name."""

    async def story(storage: Any) -> None:
        with pytest.raises(AttributeError, match=name):
            await getattr(storage, name)("bookmark")

    await in_storage(story)


def public(thing: object) -> set[str]:
    """The names one may use."""
    return {name for name in dir(thing) if not name.startswith("_")}


@shows(SURFACE)
async def test_storage_and_transaction_hide_what_they_are_made_of() -> None:
    """Their public names are the documented calls, and nothing else."""

    async def story(storage: DurableObjectStorage) -> None:
        assert public(storage) == CALLS | {"kv", "sync", "transaction", "transaction_sync"}
        assert public(storage.kv) == {"get", "put", "delete", "list"}
        names = await storage.transaction(lambda txn: public(txn))
        assert names == CALLS | {"rollback"}

    await in_storage(story)
