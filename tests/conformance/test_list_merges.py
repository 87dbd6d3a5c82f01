"""Storage: list, with uncommitted writes merged in"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects
from ..helpers.disk import Disk
from ..helpers.stories import Calls, Tell, everywhere, held_host, in_storage, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

SNAPSHOT = Feature("storage.list: a snapshot", "5.4")
MERGED = Feature("storage.list: uncommitted writes merged", "5.4")
MODEL = Feature("storage.list: equals a sorted dict, for all options", "5.4")
PAGES = Feature("storage.list: page by page", "5.4")


@shows(SNAPSHOT)
@everywhere
async def test_a_list_does_not_show_later_writes(tell: Tell) -> None:
    """Neither one that is awaited at once nor one that is awaited late."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "b": 2})
        late = storage.list()
        early = await storage.list()
        storage.put({"a": 3, "c": 4})
        storage.delete("b")
        assert await late == early == {"a": 1, "b": 2}
        assert await storage.list() == {"a": 3, "c": 4}

    await tell(story)


@mistake(19)
@shows(SNAPSHOT)
@everywhere
async def test_mistake_19_a_list_is_made_of_copies(tell: Tell) -> None:
    """Changing the dict or a value in it changes nothing that is stored."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": [1], "b": [2]})
        got = await storage.list()
        del got["a"]
        got["b"].append(3)
        got["c"] = [4]
        assert await storage.list() == {"a": [1], "b": [2]}

    await tell(story)


@shows(SNAPSHOT)
async def test_a_list_can_be_walked_while_its_entries_are_deleted() -> None:
    """As code does that tidies up, with suspensions in between."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({f"{number:02}": number for number in range(50)})
        for key in await storage.list():
            assert await storage.delete(key) is True
            await anyio.lowlevel.checkpoint()
        assert await storage.list() == {}

    await in_storage(story)


async def on_disk(storage: DurableObjectStorage, keys: str) -> None:
    """One entry for each letter, committed, with its letter as the value."""
    await storage.put({key: key for key in keys})
    await storage.sync()


async def expect(storage: Calls, expected: str, **options: Any) -> None:
    """These options give these keys, in this order, and reversed the same set backwards."""
    assert "".join(await storage.list(**options)) == expected
    if "limit" not in options:
        assert "".join(await storage.list(**options, reverse=True)) == expected[::-1]


@shows(MERGED)
async def test_new_entries_stand_among_the_committed_ones() -> None:
    """Before, between and behind them, in whatever range."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "bdf")
        storage.put({"a": 1, "c": 1, "e": 1, "g": 1})
        await expect(storage, "abcdefg")
        await expect(storage, "cde", start="c", end="f")
        await expect(storage, "efg", start_after="d")
        assert "".join(await storage.list(limit=3)) == "abc"
        assert "".join(await storage.list(limit=3, reverse=True)) == "gfe"

    await in_storage(story)


@shows(MERGED)
async def test_entries_deleted_since_do_not_count_towards_the_limit() -> None:
    """The list goes on behind them, forward and backward."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "abcdefgh")
        storage.delete([*"abfgh"])
        await expect(storage, "cde")
        await expect(storage, "cd", limit=2)
        await expect(storage, "cde", limit=3)
        await expect(storage, "cde", limit=4)
        assert "".join(await storage.list(limit=2, reverse=True)) == "ed"
        assert "".join(await storage.list(limit=2, start="b", end="g", reverse=True)) == "ed"

    await in_storage(story)


@shows(MERGED)
async def test_keys_known_to_be_absent_do_not_count_towards_the_limit() -> None:
    """Read and not found, or deleted without having been there."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "bdf")
        await storage.get([*"aceg"])
        await storage.delete([*"ace"])
        await expect(storage, "bd", limit=2)
        assert "".join(await storage.list(limit=2, reverse=True)) == "fd"

    await in_storage(story)


@shows(MERGED)
async def test_new_entries_behind_the_cut_are_left_out() -> None:
    """And those before it push committed ones out."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "bcde")
        storage.put({"f": 1, "g": 1})
        await expect(storage, "bc", limit=2)
        storage.put("a", 1)
        await expect(storage, "ab", limit=2)
        assert "".join(await storage.list(limit=3, reverse=True)) == "gfe"
        storage.delete("f")
        assert "".join(await storage.list(limit=3, reverse=True)) == "ged"

    await in_storage(story)


@shows(MERGED)
@pytest.mark.parametrize("end", ["a", "e"])
async def test_an_end_of_the_range_overwritten_or_deleted(end: str) -> None:
    """The new value shows; a deleted one is out, also as the bound of a range."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "abcde")
        storage.put(end, "new")
        assert (await storage.list())[end] == "new"
        await expect(storage, "abcde")
        storage.delete(end)
        await expect(storage, "abcde".replace(end, ""))
        await expect(storage, "abcde".replace(end, ""), start="a", end="f")
        await expect(storage, "bcde".replace(end, ""), start_after="a")
        storage.put(end, "again")
        assert (await storage.list())[end] == "again"

    await in_storage(story)


@shows(MERGED)
async def test_a_range_whose_every_entry_was_deleted_is_empty() -> None:
    """With a limit too, and though there are entries outside of it."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "abcdef")
        storage.delete([*"bcde"])
        await expect(storage, "", start="b", end="f")
        await expect(storage, "", start_after="a", end="f", limit=1)
        await expect(storage, "f", start_after="a", limit=1)

    await in_storage(story)


@shows(MERGED)
async def test_a_list_changes_nothing_that_is_to_be_committed() -> None:
    """A write that puts back what is on disk is written all the same, after the contrary one."""

    async def story(storage: DurableObjectStorage) -> None:
        await on_disk(storage, "ab")
        storage.delete("a")
        await expect(storage, "b")
        storage.put("a", "a")
        await expect(storage, "ab")
        storage.put("c", 1)
        await expect(storage, "abc")
        storage.delete("c")
        await storage.sync()
        await expect(storage, "ab")

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        await host.evict(objects(host))
        assert await tell_to(objects(host), lambda storage: storage.list()) == {"a": "a", "b": "b"}


@shows(MERGED)
async def test_a_list_sees_writes_that_are_on_their_way_to_the_disk() -> None:
    """And newer ones over them; when the first commit is done the newer ones still count."""
    disk = Disk()
    seen: list[str] = []

    async def look(storage: DurableObjectStorage) -> None:
        seen.append("".join(f"{key}{value}" for key, value in (await storage.list()).items()))

    async def write(storage: DurableObjectStorage) -> None:
        storage.put({"b": 2, "c": 2})
        storage.delete("a")
        await look(storage)

    async with held_host(disk) as (host, outcomes):
        stub = objects(host)
        outcomes.of("first", tell_to(stub, lambda storage: storage.put({"a": 1, "b": 1})))
        await disk.reached()
        outcomes.of("second", tell_to(stub, write))
        await anyio.wait_all_tasks_blocked()
        disk.release_one()
        await disk.reached()
        outcomes.of("look", tell_to(stub, look))
        await anyio.wait_all_tasks_blocked()
        assert seen == ["b2c2", "b2c2"]


@shows(PAGES)
@everywhere
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
async def test_pages_by_start_after_make_up_the_whole(tell: Tell, size: int) -> None:
    """Each entry once, in order, whatever the size of a page; backwards by `end`."""
    keys = ["", "\0", "a", "a\0", "aa", "b", "\uffff", "\U0010ffff"]

    async def story(storage: Calls) -> None:
        await storage.put({key: number for number, key in enumerate(keys)})
        forward = [*await storage.list(limit=size)]
        while page := await storage.list(start_after=forward[-1], limit=size):
            forward += page
        backward = [*await storage.list(reverse=True, limit=size)]
        while page := await storage.list(end=backward[-1], reverse=True, limit=size):
            backward += page
        assert forward == backward[::-1] == keys

    await tell(story)


# Few characters, so that keys meet: the first and last of each length in UTF-8, and NUL.
TEXTS = st.text("\0ab\x7f\u0080\uffee\uffff\U00010000\U0010ffff", max_size=3)
ENTRIES = st.dictionaries(TEXTS, st.integers(0, 9), max_size=12)
CHANGES = st.dictionaries(TEXTS, st.none() | st.integers(10, 19), max_size=8)  # None: deleted
BOUNDS = st.none() | TEXTS
QUERIES = st.fixed_dictionaries(
    {
        "start": BOUNDS,
        "start_after": BOUNDS,
        "end": BOUNDS,
        "prefix": BOUNDS,
        "reverse": st.booleans(),
        "limit": st.none() | st.integers(1, 6),
    }
).filter(lambda query: query["start"] is None or query["start_after"] is None)


def in_model(entries: Mapping[str, int], query: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What `list` gives, told by the words of its description: keep, sort, turn, cut."""
    start, after, end = query["start"], query["start_after"], query["end"]
    kept = [
        key
        for key in entries
        if (start is None or key.encode() >= start.encode())
        and (after is None or key.encode() > after.encode())
        and (end is None or key.encode() < end.encode())
        and key.startswith(query["prefix"] or "")
    ]
    kept.sort(key=str.encode, reverse=query["reverse"])
    return [(key, entries[key]) for key in kept[: query["limit"]]]


def change(storage: Any, model: dict[str, int], changes: Mapping[str, int | None]) -> None:
    """Put and delete, in storage and in the model."""
    for key, value in changes.items():
        if value is None:
            storage.delete(key)
            model.pop(key, None)
        else:
            storage.put(key, value)
            model[key] = value


@shows(MODEL)
@settings(max_examples=40)
@given(ENTRIES, CHANGES, CHANGES, CHANGES, st.lists(QUERIES, min_size=1, max_size=6))
async def test_list_equals_the_model(
    entries: dict[str, int],
    in_flight: dict[str, int | None],
    written: dict[str, int | None],
    in_transaction: dict[str, int | None],
    queries: list[dict[str, Any]],
) -> None:
    """Entries on disk, under those in flight, under those of this turn, under a transaction's."""
    disk = Disk()
    model = dict(entries)

    async def check(storage: Any) -> None:
        for query in queries:
            assert list((await storage.list(**query)).items()) == in_model(model, query)

    async def transact(storage: DurableObjectStorage, txn: Any) -> None:
        before = dict(model)
        change(txn, model, in_transaction)
        await check(txn)
        await check(storage)
        txn.rollback()
        model.clear()
        model.update(before)

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put(entries)
        await storage.sync()
        await check(storage)
        disk.hold()
        change(storage, model, in_flight)
        await anyio.lowlevel.checkpoint()
        change(storage, model, written)
        await check(storage)
        await storage.transaction(lambda txn: transact(storage, txn))
        await check(storage)
        disk.release()
        await storage.sync()
        await check(storage)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        await tell_to(objects(host), story)
        await host.evict(objects(host))
        await tell_to(objects(host), check)
