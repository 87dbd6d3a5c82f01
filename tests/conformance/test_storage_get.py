"""Storage: get"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import lmdb
import pytest

from roomhost.runtime import DurableObjectError, DurableObjectStorage
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
    stored,
    tell_to,
)
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

GET = Feature("storage.get", "5.1")
MISSING = Feature(
    "storage.get: a missing key",
    "5.1",
    differs="None, or the default given as the second argument, where JavaScript has undefined",
)
MANY = Feature("storage.get: several keys", "5.1")
OWN_WRITES = Feature("storage.get: sees uncommitted writes", "4.6")
COPIES = Feature("storage.get: a fresh copy each time", "5.1")
HINTS = Feature("storage.get: allowConcurrency, noCache", "4.2")
DAMAGE = Feature("storage.get: a value that cannot be read", "5.1")
ISOLATION = Feature("storage: an object's own", "5.1")


@shows(GET)
@everywhere
async def test_get_returns_what_put_stored(tell: Tell) -> None:
    """A plain value and a composed one."""

    async def story(storage: Calls) -> None:
        await storage.put("plain", "value")
        await storage.put("composed", {"list": [1, 2.5], "set": {b"x"}})
        assert await storage.get("plain") == "value"
        assert await storage.get("composed") == {"list": [1, 2.5], "set": {b"x"}}

    await tell(story)


@shows(MISSING)
@everywhere
async def test_a_missing_key_gives_none_or_the_default(tell: Tell) -> None:
    """The default is handed back as it is, and not stored."""

    async def story(storage: Calls) -> None:
        default: list[int] = []
        assert await storage.get("missing") is None
        assert await storage.get("missing", 0) == 0
        assert await storage.get("missing", default=default) is default
        assert await storage.list() == {}

    await tell(story)


@shows(MISSING)
@everywhere
async def test_a_stored_none_is_not_a_missing_key(tell: Tell) -> None:
    """None is stored like any value: the default tells the two apart."""

    async def story(storage: Calls) -> None:
        await storage.put("null", None)
        assert await storage.get("null", "default") is None
        assert await storage.get(["null", "missing"]) == {"null": None}
        assert await storage.list() == {"null": None}

    await tell(story)


@mistake(20)
@shows(MANY)
@everywhere
async def test_mistake_20_get_of_many_is_in_the_order_of_the_keys(tell: Tell) -> None:
    """Ascending by UTF-8 bytes, whatever the order of the arguments."""

    async def story(storage: Calls) -> None:
        await storage.put({"b": 2, "\U00010000": 5, "a": 1, "\uffee": 4, "c": 3})
        got = await storage.get(["\U00010000", "\uffee", "c", "a", "b"])
        assert list(got.items()) == [
            ("a", 1),
            ("b", 2),
            ("c", 3),
            ("\uffee", 4),
            ("\U00010000", 5),
        ]

    await tell(story)


@shows(MANY)
@everywhere
async def test_get_of_many_leaves_missing_keys_out_and_merges_equal_ones(tell: Tell) -> None:
    """Each key that exists is there once."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "b": 2})
        assert await storage.get(["b", "missing", "a", "b"]) == {"a": 1, "b": 2}
        assert await storage.get(["missing"]) == {}

    await tell(story)


@shows(MANY)
async def test_get_of_no_keys_is_empty() -> None:
    """An empty dict, not an error and not everything."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("a", 1)
        assert await storage.get([]) == {}

    await in_storage(story)


@mistake(21)
@shows(MANY)
async def test_mistake_21_get_takes_more_than_128_keys() -> None:
    """There is no cap on the keys of a call: that was the older back-end's."""
    entries = {f"key {number:04}": number for number in range(1_000)}

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put(entries)
        for _ in STAGES:
            assert list((await storage.get([*entries][:129])).values()) == list(range(129))
            assert await storage.get(list(entries)) == entries
            await storage.sync()

    await in_storage(story)


@shows(MANY)
@pytest.mark.parametrize("keys", [{"a": 1}, iter(["a"]), 1.5, None, b"a", [b"a"], ["a", None]])
async def test_get_refuses_what_is_neither_a_key_nor_a_list_of_keys(keys: Any) -> None:
    """A TypeError, never a guess."""

    async def story(storage: DurableObjectStorage) -> None:
        with pytest.raises(TypeError):
            await storage.get(keys)

    await in_storage(story)


@shows(OWN_WRITES)
@everywhere
async def test_get_sees_writes_that_nobody_awaited(tell: Tell) -> None:
    """A write is done when it is called; awaiting it adds nothing."""

    async def story(storage: Calls) -> None:
        storage.put("k", 1)
        assert await storage.get("k") == 1
        storage.put({"k": 2, "l": 3})
        assert await storage.get(["k", "l"]) == {"k": 2, "l": 3}
        storage.delete("k")
        assert await storage.get("k", "none") == "none"

    await tell(story)


@shows(OWN_WRITES)
async def test_get_mixes_what_is_on_disk_with_what_is_not() -> None:
    """Of several keys some are stored, some overwritten, some deleted, some new."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"stored": 1, "overwritten": 1, "deleted": 1})
        await storage.sync()
        storage.put({"overwritten": 2, "new": 2})
        storage.delete("deleted")
        expected = {"new": 2, "overwritten": 2, "stored": 1}
        for _ in STAGES:
            assert await storage.get(["stored", "overwritten", "deleted", "new"]) == expected
            await storage.sync()

    await in_storage(story)


@shows(OWN_WRITES)
async def test_get_sees_a_write_that_is_on_its_way_to_the_disk() -> None:
    """While the disk is held the value is there for every event of the object."""
    disk = Disk()
    seen: list[Any] = []

    async def read(storage: DurableObjectStorage) -> None:
        seen.append(await storage.get("k"))

    async with held_host(disk) as (host, outcomes):
        outcomes.of("put", tell_to(objects(host), lambda storage: storage.put("k", 1)))
        await disk.reached()
        outcomes.of("get", tell_to(objects(host), read))
        await anyio.wait_all_tasks_blocked()
        assert seen == [1]
        assert outcomes == [], "both replies wait for the disk"
    assert sorted(outcomes.labels) == ["get", "put"]


@shows(OWN_WRITES)
@everywhere
async def test_a_get_never_sees_a_later_write(tell: Tell) -> None:
    """The value is that of the moment of the call, however late it is awaited."""

    async def story(storage: Calls) -> None:
        await storage.put("k", "before")
        one, many, whole = storage.get("k"), storage.get(["k"]), storage.list()
        await storage.put({"k": "after", "l": 1})
        assert await one == "before"
        assert await many == await whole == {"k": "before"}

    await tell(story)


@mistake(19)
@shows(COPIES)
@everywhere
async def test_mistake_19_a_read_is_a_copy(tell: Tell) -> None:
    """What is done to it shows neither in storage nor in what another read has returned."""

    async def story(storage: Calls) -> None:
        await storage.put("k", {"inner": [1]})
        first, second = await storage.get("k"), await storage.get("k")
        first["inner"].append(2)
        (await storage.get(["k"]))["k"]["inner"].append(3)
        (await storage.list())["k"]["inner"].append(4)
        assert second == await storage.get("k") == {"inner": [1]}

    await tell(story)


@shows(COPIES)
async def test_a_value_once_stored_is_not_that_of_the_code_any_more() -> None:
    """Not even to the code that has put it there, on disk or not."""

    async def story(storage: DurableObjectStorage) -> None:
        value = {"inner": [1]}
        await storage.put("k", value)
        value["inner"].append(2)
        for _ in STAGES:
            assert await storage.get("k") == {"inner": [1]}
            await storage.sync()

    await in_storage(story)


@shows(HINTS)
@everywhere
async def test_hints_change_no_result(tell: Tell) -> None:
    """`allow_concurrency` and `no_cache` are taken by every read and write, and that is all."""

    async def story(storage: Calls) -> None:
        await storage.put("a", 1, allow_concurrency=True, no_cache=True)
        await storage.put({"b": 2}, allow_concurrency=True, no_cache=True)
        assert await storage.get("a", allow_concurrency=True, no_cache=True) == 1
        assert await storage.get(["b"], allow_concurrency=True, no_cache=True) == {"b": 2}
        assert await storage.list(allow_concurrency=True, no_cache=True) == {"a": 1, "b": 2}
        assert await storage.delete("a", allow_concurrency=True, no_cache=True) is True
        assert await storage.delete(["b"], allow_concurrency=True, no_cache=True) == 1
        assert await storage.get_alarm(allow_concurrency=True) is None

    await tell(story)


@shows(HINTS)
async def test_reads_with_allow_concurrency_lose_no_update() -> None:
    """Storage is at hand, so nothing runs between a read and the code behind it, hint or not."""

    async def increment(storage: DurableObjectStorage) -> None:
        count = await storage.get("n", 0, allow_concurrency=True)
        await storage.put("n", count + 1, allow_concurrency=True)

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(tell_to, stub, increment)
        assert await stored(stub) == {"n": 20}


@shows(GET)
async def test_what_was_stored_is_there_for_the_next_instance_and_host(tmp_path: Path) -> None:
    """After an eviction, and after a restart."""
    value = {"nested": [1, (2, 3)]}
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.put("k", value))
        assert await host.evict(stub)
        assert await tell_to(stub, lambda storage: storage.get("k")) == value
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await stored(objects(host)) == {"k": value}


def damage(data_dir: Path, ending: bytes) -> None:
    """Put a byte that begins no value in the place of a stored value that ends so."""
    directory = next(data_dir.rglob("data.mdb")).parent
    with lmdb.open(str(directory), max_dbs=16) as environment, environment.begin() as reading:
        names = list(reading.cursor().iternext(values=False))
    with lmdb.open(str(directory), max_dbs=16) as environment:
        for table in [environment.open_db(name) for name in names]:
            with environment.begin(write=True, db=table) as transaction:
                for key, value in list(transaction.cursor()):
                    if value.endswith(ending):
                        transaction.put(key, b"\xc1")


@shows(DAMAGE)
async def test_a_damaged_value_is_an_error_that_names_its_key(tmp_path: Path) -> None:
    """The call fails, the object goes on: other keys are read, this one can be written anew."""

    async def story(storage: DurableObjectStorage) -> None:
        with pytest.raises(DurableObjectError, match="'wounded'"):
            await storage.get("wounded")
        with pytest.raises(DurableObjectError, match="'wounded'"):
            await storage.get(["well", "wounded"])
        with pytest.raises(DurableObjectError, match="'wounded'"):
            await storage.list()
        assert await storage.get("well") == 1
        await storage.put("wounded", "healed")
        assert await storage.list() == {"well": 1, "wounded": "healed"}

    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        entries = {"well": 1, "wounded": "precious"}
        await tell_to(objects(host), lambda storage: storage.put(entries))
    damage(tmp_path, b"precious")
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        await tell_to(objects(host), story)


@shows(ISOLATION)
async def test_objects_do_not_see_each_other() -> None:
    """Same class, same keys, other storage: reads, lists and deletions stay inside."""
    async with host_for(app, clock=ManualClock()) as host:
        a, b = objects(host, "a"), objects(host, "b")
        plain = host.env.PLAIN.get_by_name("a")
        for stub in (a, b, plain):
            await tell_to(stub, lambda storage: storage.put("k", 1))
        await tell_to(b, lambda storage: storage.delete_all())
        assert await stored(a) == {"k": 1}
        assert await stored(b) == {}
        assert await stored(plain) == {"k": 1}, "the same name in another namespace"
