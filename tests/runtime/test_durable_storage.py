"""The storage calls of an actor, as semantics.md 5.1 to 5.6 has them."""

from __future__ import annotations

import math
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.runtime import DataCloneError, DurableObjectStorage, Host, HostError
from roomhost.runtime.storage_arguments import list_bounds
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


def storage_script(host: Host, name: str = "a") -> Any:
    """`await do(function, ...)`: run `function(storage, ...)` inside an object."""

    @script
    async def do(actor: Scripted) -> Any:
        return await calls.pop(0)(actor.ctx.storage)

    calls: list[Any] = []

    async def run(function: Any) -> Any:
        calls.append(function)
        return await host.env.OBJECT.get_by_name(name).run("do")

    return run


async def test_get_tells_a_missing_key_from_a_stored_none() -> None:
    """By its default. A value is a fresh copy each time."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            assert await storage.get("none") is None
            assert await storage.get("none", "default") == "default"
            await storage.put("none", None)
            assert await storage.get("none", "default") is None
            value = {"list": [1]}
            await storage.put("value", value)
            value["list"].append(2)
            first = await storage.get("value")
            first["list"].append(3)
            assert await storage.get("value") == {"list": [1]}

        await do(story)


async def test_several_keys_at_once() -> None:
    """Ascending UTF-8 order whatever was asked, missing ones absent, duplicates once."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            await storage.put({"b": 2, "a": 1, "é": 3, "": 0, "5": 5})
            got = await storage.get(["é", "b", "missing", "a", "b"])
            assert list(got.items()) == [("a", 1), ("b", 2), ("é", 3)]
            assert await storage.get([]) == {}
            assert await storage.get("") == 0
            assert await storage.get(5) == 5  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
            assert await storage.delete(["a", "a", "missing", "b"]) == 2
            assert await storage.delete([]) == 0
            assert await storage.delete("é") is True
            assert await storage.delete("é") is False
            await storage.put({})

        await do(story)


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("key", ValueError, "larger than 2048 bytes. A key of size 2049"),
        ("value", ValueError, "larger than 2097152 bytes"),
        ("type", DataCloneError, r"at \$\['deep'\]\[1\]\['er'\]"),
        ("surrogate", ValueError, "surrogate"),
        ("kind", TypeError, "put"),
        ("undefined", TypeError, "undefined value"),
        ("get", TypeError, "key or a list of keys"),
        ("naive", DataCloneError, "naive"),
    ],
)
async def test_bad_input_writes_nothing_and_the_actor_lives(
    name: str, error: Any, match: str
) -> None:
    """Each with the error of semantics.md; a failing member takes its whole put with it."""
    from datetime import datetime

    bad: dict[str, Any] = {
        "key": lambda storage: storage.put({"good": 1, "k" * 2_049: 1}),
        "value": lambda storage: storage.put({"good": 1, "big": b"x" * 2 * 1024 * 1024}),
        "type": lambda storage: storage.put({"good": 1, "v": {"deep": [0, {"er": object()}]}}),
        "surrogate": lambda storage: storage.put({"good": 1, "\ud800": 1}),
        "kind": lambda storage: storage.put({"good": 1}, 5),
        "undefined": lambda storage: storage.put("good"),
        "get": lambda storage: storage.get(None),
        "naive": lambda storage: storage.put("good", datetime(2026, 1, 1)),
    }
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)
        with pytest.raises(error, match=match):
            await do(bad[name])
        assert await do(lambda storage: storage.list()) == {}
        assert host.list_objects("OBJECT") == []


async def test_the_largest_entry_fits() -> None:
    """2,048 bytes of key, and 2 MiB with its value."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)
        key = "k" * 2_048
        value = b"x" * (2 * 1024 * 1024 - 2_048 - 5)
        await do(lambda storage: storage.put(key, value))
        await host.evict(host.env.OBJECT.get_by_name("a"))
        assert await do(lambda storage: storage.get(key)) == value


async def test_list_options_are_checked() -> None:
    """Both starts, a limit that is not positive: TypeErrors."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)
        with pytest.raises(TypeError, match="both start and startAfter"):
            await do(lambda storage: storage.list(start="a", start_after="b"))
        for limit in (0, -1, math.nan, "2", True):
            with pytest.raises(TypeError, match="List limit must be positive"):
                await do(lambda storage, limit=limit: storage.list(limit=limit))
        await do(lambda storage: storage.put({"a": 1, "b": 2}))
        assert await do(lambda storage: storage.list(limit=1.9)) == {"a": 1}


keys = st.sampled_from(["", "a", "a\0", "aa", "ab", "b", "é", "\uffee", "🙂", "z"])


@given(
    st.sets(keys),
    st.none() | keys,
    st.none() | keys,
    st.none() | keys,
    st.booleans(),
)
def test_the_bounds_of_list_are_those_of_a_filter(
    stored: set[str], start: str | None, end: str | None, prefix: str | None, after: bool
) -> None:
    """start, startAfter, end and prefix intersect, in the order of UTF-8 bytes."""
    begin = {"start_after": start} if after else {"start": start}
    options: dict[str, Any] = {"start": None, "start_after": None, **begin}
    first, last = list_bounds(end=end, prefix=prefix, **options)
    for key in stored:
        data = key.encode()
        expected = data.startswith((prefix or "").encode())
        if start is not None:
            expected &= data > start.encode() if after else data >= start.encode()
        if end is not None:
            expected &= data < end.encode()
        found = (first is None or data >= first) and (last is None or data < last)
        assert found == expected


async def test_list_merges_what_is_stored_with_what_is_not() -> None:
    """Pending writes and deletions count, from either end; surrogate pairs sort by bytes."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)
        await do(lambda storage: storage.put({key: key for key in ("a", "b", "c", "🙂", "\uffee")}))

        async def story(storage: DurableObjectStorage) -> Any:
            await storage.delete("b")
            await storage.put({"aa": 1, "z": 2})
            return [
                list(await storage.list()),
                list(await storage.list(reverse=True, limit=2)),
                list(await storage.list(start="aa", end="z", reverse=True)),
                list(await storage.list(start="z", end="a")),
                list(await storage.list(prefix="a", start_after="a")),
            ]

        assert await do(story) == [
            ["a", "aa", "c", "z", "\uffee", "🙂"],
            ["🙂", "\uffee"],
            ["c", "aa"],
            [],
            ["aa"],
        ]


async def test_delete_all_takes_entries_and_alarm() -> None:
    """What is written after it in the same turn stays, after a restart too."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            await storage.put({"a": 1, "b": 2})
            await storage.set_alarm(4_000_000_000_000)
            await storage.sync()
            await storage.put("c", 3)
            await storage.delete_all()
            await storage.put("d", 4)
            assert await storage.list() == {"d": 4}
            assert await storage.get_alarm() is None

        await do(story)
        await host.evict(host.env.OBJECT.get_by_name("a"))
        assert await do(lambda storage: storage.list()) == {"d": 4}
        assert await do(lambda storage: storage.get_alarm()) is None


async def test_kv_is_the_same_storage_without_waiting() -> None:
    """Plain functions over the same entries."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            storage.kv.put("a", [1])
            assert await storage.get("a") == [1]
            assert storage.kv.get("a") == [1]
            assert storage.kv.get("b", 0) == 0
            assert storage.kv.list(prefix="a") == {"a": [1]}
            assert storage.kv.delete("a") is True
            assert storage.kv.delete("a") is False

        await do(story)


async def test_options_that_are_hints_change_nothing() -> None:
    """`allow_concurrency` and `no_cache` are accepted everywhere."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            await storage.put("a", 1, allow_concurrency=True, no_cache=True, allow_unconfirmed=True)
            assert await storage.get("a", allow_concurrency=True, no_cache=True) == 1
            assert await storage.list(allow_concurrency=True, no_cache=True) == {"a": 1}
            assert await storage.delete("a", allow_concurrency=True, allow_unconfirmed=True)

        await do(story)


async def test_a_task_of_the_actors_own_writes_too() -> None:
    """Outside of any turn the host sees: it is durable all the same."""
    async with host_for(app, clock=ManualClock()) as host:
        do = storage_script(host)

        async def story(storage: DurableObjectStorage) -> None:
            async def write(key: str) -> None:
                await anyio.lowlevel.checkpoint()
                await storage.put(key, key)

            async with anyio.create_task_group() as group:
                for key in "abc":
                    group.start_soon(write, key)

        await do(story)
        await host.evict(host.env.OBJECT.get_by_name("a"))
        assert list(await do(lambda storage: storage.list())) == ["a", "b", "c"]


async def test_the_limits_of_an_entry_are_settings() -> None:
    """Smaller or larger than the defaults; the errors name what is in force, and nothing is stored."""
    small: dict[str, Any] = {"max_key_bytes": 4, "max_entry_bytes": 64}
    large: dict[str, Any] = {"max_key_bytes": 5_000, "max_entry_bytes": 4 * 1024 * 1024}

    @script
    async def put(actor: Scripted, key: str, size: int) -> list[str]:
        await actor.ctx.storage.put(key, "x" * size)
        return list(await actor.ctx.storage.list())

    async with host_for(app, clock=ManualClock(), **small) as host:
        stub = host.env.OBJECT.get_by_name("a")
        with pytest.raises(ValueError, match=r"larger than 4 bytes\. A key of size 5"):
            await stub.run("put", "fives", 1)
        with pytest.raises(ValueError, match=r"larger than 64 bytes, key included"):
            await stub.run("put", "k", 64)
        assert await stub.run("put", "four", 1) == ["four"]
    async with host_for(app, clock=ManualClock(), **large) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("put", "k" * 5_000, 3_000_000) == ["k" * 5_000]


@pytest.mark.parametrize("name", ["max_key_bytes", "max_entry_bytes"])
@pytest.mark.parametrize("value", [0, 2**31])
async def test_a_limit_that_cannot_be_kept_is_refused(name: str, value: int) -> None:
    """By name, before anything starts."""
    setting: dict[str, Any] = {name: value}
    with pytest.raises(HostError, match=f"{name}: from 1 to"):
        async with host_for(app, **setting):
            pass
