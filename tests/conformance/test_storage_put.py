"""Storage: put"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.runtime import DataCloneError, DurableObjectStorage, StorageError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.disk import Disk
from ..helpers.stories import (
    STAGES,
    Calls,
    Outcomes,
    Tell,
    everywhere,
    held_host,
    in_storage,
    stored,
    stored_afresh,
    tell_to,
)
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

PUT = Feature("storage.put", "5.2")
MANY = Feature("storage.put: several entries", "5.2")
ALL_OR_NONE = Feature("storage.put: several entries, all or none", "5.2")
NO_VALUE = Feature(
    "storage.put: undefined",
    "5.2",
    differs="Python has no undefined: a call without a value is the TypeError, None is stored",
)
AT_CALL = Feature("storage.put: the value is taken at the call", "5.2")
UNAWAITED = Feature("storage.put: without await", "4.6")
COALESCING = Feature("storage: write coalescing", "4.6")
PREFIX = Feature("storage: a crash keeps whole turns, in order", "4.6")

CALL_FORM = r"put\(\) may only be called with a single key-value pair"


@shows(PUT)
@everywhere
async def test_the_last_put_of_a_key_wins(tell: Tell) -> None:
    """It replaces the value whole, of whatever type it was; put returns nothing."""

    async def story(storage: Calls) -> None:
        for value in ({"a": 1}, [2], None, "last"):
            result: object = await storage.put("k", value)  # type: ignore[func-returns-value]
            assert result is None
            assert await storage.get("k", "none") == value
        assert await storage.list() == {"k": "last"}

    await tell(story)


@shows(PUT)
async def test_a_put_of_the_same_value_changes_nothing() -> None:
    """Once or again, the entry is there."""

    async def story(storage: DurableObjectStorage) -> None:
        for _ in STAGES:
            await storage.put("k", [1])
            assert await storage.list() == {"k": [1]}
            await storage.sync()

    await in_storage(story)


@shows(MANY)
@everywhere
async def test_put_of_many_stores_every_member(tell: Tell) -> None:
    """New ones and replaced ones; others stay as they are; an empty mapping stores nothing."""

    async def story(storage: Calls) -> None:
        await storage.put({"kept": 0, "replaced": 0})
        await storage.put({"replaced": 1, "new": None})
        await storage.put({})
        assert await storage.list() == {"kept": 0, "new": None, "replaced": 1}

    await tell(story)


@mistake(21)
@shows(MANY)
async def test_mistake_21_put_and_delete_take_more_than_128_keys() -> None:
    """One call, one commit, however many keys."""
    entries = {f"key {number:04}": number for number in range(1_000)}

    async def put(storage: DurableObjectStorage) -> None:
        await storage.put(entries)

    async def delete(storage: DurableObjectStorage) -> Any:
        return await storage.delete(list(entries))

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await tell_to(stub, put)
        assert await stored_afresh(host) == entries
        assert await tell_to(stub, delete) == 1_000
        assert await stored_afresh(host) == {}
        assert host.statistics().batches == 2


@shows(ALL_OR_NONE)
@everywhere
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param({"value": object()}, DataCloneError, id="value"),
        pytest.param({"k" * 2_049: 1}, ValueError, id="long key"),
        pytest.param({"size": bytes(2 * 1024 * 1024)}, ValueError, id="large value"),
        pytest.param({None: 1}, TypeError, id="no key"),
    ],
)
async def test_put_of_many_stores_nothing_when_a_member_is_refused(
    tell: Tell, bad: dict[Any, Any], error: type[Exception]
) -> None:
    """Not even those before it; what was written earlier stays, and the object goes on."""

    async def story(storage: Calls) -> None:
        await storage.put("a", "earlier")
        with pytest.raises(error):
            await storage.put({"a": 1, "b": 1, **bad, "c": 1})
        assert await storage.list() == {"a": "earlier"}
        await storage.put("later", 1)

    await tell(story)


@shows(ALL_OR_NONE)
async def test_a_refused_put_neither_resets_the_object_nor_takes_earlier_writes_along() -> None:
    """The handler catches the error or not: what it wrote before is on disk, its memory is kept."""

    async def story(actor: Any) -> None:
        actor.memory.append("alive")
        actor.ctx.storage.put("before", 1)
        await actor.ctx.storage.put({"good": 1, "bad": object()})

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        with pytest.raises(DataCloneError):
            await within(stub, story)
        assert await within(stub, lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {"before": 1}


@shows(NO_VALUE)
@everywhere
async def test_put_without_a_value_is_a_type_error(tell: Tell) -> None:
    """The key keeps the value it has."""

    async def story(storage: Any) -> None:
        await storage.put("k", 1)
        with pytest.raises(TypeError, match=r"put\(\) called with undefined value"):
            await storage.put("k")
        assert await storage.get("k") == 1

    await tell(story)


@shows(MANY)
@everywhere
async def test_put_in_another_form_is_a_type_error(tell: Tell) -> None:
    """The message says which two forms there are; nothing is stored."""
    forms: list[tuple[Any, ...]] = [
        ({"a": 1}, 5),
        ({"a": 1}, None),
        ([("a", 1)],),
        ({"a"},),
        (None, 1),
        (1.5, 1),
        (None,),
    ]

    async def story(storage: Any) -> None:
        for arguments in forms:
            with pytest.raises(TypeError, match=CALL_FORM):
                await storage.put(*arguments)
        assert await storage.list() == {}

    await tell(story)


@mistake(19)
@shows(AT_CALL)
@everywhere
async def test_mistake_19_a_value_is_taken_when_put_is_called(tell: Tell) -> None:
    """What becomes of it before the write is awaited, or committed, is not stored."""

    async def story(storage: Calls) -> None:
        value = {"inner": [1]}
        entries = {"many": value}
        one, many = storage.put("one", value), storage.put(entries)
        value["inner"].append(2)
        entries["other"] = {}
        await many
        await one
        assert await storage.list() == {"many": {"inner": [1]}, "one": {"inner": [1]}}

    await tell(story)


@mistake(19)
@shows(AT_CALL)
async def test_mistake_19_a_value_changed_before_its_commit_is_stored_as_it_was() -> None:
    """On disk is what `put` was given, although the handler went on changing it."""

    async def story(storage: DurableObjectStorage) -> None:
        value = [1]
        await storage.put("async", value)
        storage.kv.put("sync", value)
        value.clear()

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"async": [1], "sync": [1]}


@shows(UNAWAITED)
async def test_writes_that_nobody_awaits_are_stored_and_replies_wait_for_them() -> None:
    """The handler returns at once; its caller is told when the writes are on disk."""
    disk = Disk()

    def story(storage: DurableObjectStorage) -> str:
        storage.put("a", 1)
        storage.put({"b": 2, "gone": 3})
        storage.delete("gone")
        return "reply"

    async with held_host(disk) as (host, outcomes):
        outcomes.of("story", tell_to(objects(host), story))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == []
        disk.release()
        assert await stored_afresh(host) == {"a": 1, "b": 2}
    assert outcomes == [("story", "reply")]


@shows(COALESCING)
@pytest.mark.parametrize("awaited", [True, False])
async def test_writes_of_one_turn_share_a_commit_and_the_last_of_a_key_counts(
    awaited: bool,
) -> None:
    """Awaiting a write is no end of a turn; sync is."""

    async def story(storage: DurableObjectStorage) -> None:
        for number in range(10):
            for call in (
                storage.put("n", number),
                storage.put({f"k{number}": number, "many": number}),
                storage.delete(f"k{number - 1}"),
            ):
                if awaited:
                    await call
        await storage.sync()
        await storage.put("again", 1)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().batches == 2
        assert await stored_afresh(host) == {"again": 1, "k9": 9, "many": 9, "n": 9}


@shows(COALESCING)
async def test_an_alarm_is_of_one_commit_with_the_writes_of_its_turn() -> None:
    """Set or deleted before or after them: what fails or is lost, is so together."""
    disk = Disk()
    due_ms = 1_800_000_000_000

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("before", 1)
        await storage.set_alarm(due_ms)
        await storage.put("after", 1)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.failing = True
        with pytest.raises(StorageError):
            await tell_to(objects(host), story)
        disk.failing = False
        assert await stored(objects(host)) == {}
        assert await tell_to(objects(host), lambda storage: storage.get_alarm()) is None
        await tell_to(objects(host), story)
        assert host.statistics().batches == 1
        assert await stored_afresh(host) == {"after": 1, "before": 1}
        assert await tell_to(objects(host), lambda storage: storage.get_alarm()) == due_ms


@shows(COALESCING)
async def test_a_turn_that_writes_nothing_commits_nothing() -> None:
    """Reads, deletions of what is not there and empty calls are no writes."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({})
        await storage.get("a")
        await storage.list()
        assert await storage.delete("a") is False
        assert await storage.delete([]) == 0
        await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().commits == 0


@shows(COALESCING)
async def test_a_write_made_during_a_commit_goes_with_the_next() -> None:
    """The first commit holds what was written when it began, the second the rest, in order."""
    disk = Disk()
    first, second = {"first": 1, "both": 1}, {"both": 2, "second": 2}
    async with held_host(disk) as (host, outcomes):
        outcomes.of("first", tell_to(objects(host), lambda storage: storage.put(first)))
        await disk.reached()
        outcomes.of("second", tell_to(objects(host), lambda storage: storage.put(second)))
        await anyio.wait_all_tasks_blocked()
        disk.release_one()
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == [("first", None)]
        disk.release()
        assert await stored_afresh(host) == {"both": 2, "first": 1, "second": 2}
        assert host.statistics().batches == 2


async def turns(storage: DurableObjectStorage) -> None:
    """Four turns, each writing by every kind of call and waiting for its commit."""
    for turn in range(4):
        storage.put("put", turn)
        await storage.put({"many": turn, f"only {turn}": turn})
        storage.kv.put("kv", turn)
        await storage.delete(f"only {turn - 1}")
        await storage.sync()


def after_turns(count: int) -> dict[str, int]:
    """What is stored after some of these turns."""
    turn = count - 1
    return {} if count == 0 else {"kv": turn, "many": turn, f"only {turn}": turn, "put": turn}


@mistake(16)
@shows(PREFIX)
@pytest.mark.parametrize("commits", [0, 1, 2, 3])
async def test_mistake_16_a_turn_is_stored_whole_or_not_at_all(
    tmp_path: Path, commits: int
) -> None:
    """A crash after any commit leaves the writes of that many turns: no part of a later one."""
    disk = Disk()
    disk.hold()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path, wrap_commit=disk.wrap) as host:
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of("turns", tell_to(objects(host), turns))
            for _ in range(commits):
                await disk.reached()
                disk.release_one()
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            disk.failing = True
            disk.release()
            await host.crash()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await stored(objects(host)) == after_turns(commits)
