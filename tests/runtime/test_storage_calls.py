"""What storage promises the code of an object, against models and against crashes."""

from __future__ import annotations

# pyright: basic, reportPossiblyUnboundVariable=false, reportOptionalIterable=false
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime import DataCloneError, DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Disk, Laboratory, app, objects, within

pytestmark = pytest.mark.anyio

# Few characters, so that keys meet: ASCII, the byte 0, the end of the BMP, surrogate pairs.
KEYS = st.text("\0ab\u00e9\uffee\uffff\U00010000\U0010ffff", max_size=3)
BOUNDS = st.none() | KEYS


def model_list(entries: Mapping[str, Any], options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """`list` as a filter over all entries, sorted by their bytes."""
    start, after, end = options["start"], options["start_after"], options["end"]
    kept = [
        (key, value)
        for key, value in sorted(entries.items(), key=lambda entry: entry[0].encode())
        if (start is None or key.encode() >= start.encode())
        and (after is None or key.encode() > after.encode())
        and (end is None or key.encode() < end.encode())
        and (options["prefix"] is None or key.startswith(options["prefix"]))
    ]
    if options["reverse"]:
        kept.reverse()
    return kept if options["limit"] is None else kept[: options["limit"]]


LISTS = st.fixed_dictionaries(
    {
        "start": BOUNDS,
        "start_after": BOUNDS,
        "end": BOUNDS,
        "prefix": BOUNDS,
        "reverse": st.booleans(),
        "limit": st.none() | st.integers(1, 4),
    }
).filter(lambda options: options["start"] is None or options["start_after"] is None)

STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers()),
    st.tuples(st.just("put many"), st.dictionaries(KEYS, st.integers(), max_size=4)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("delete many"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("get many"), st.lists(KEYS, max_size=4)),
    st.tuples(st.just("list"), LISTS),
    st.tuples(st.just("delete all")),
    st.tuples(st.sampled_from(["suspend", "sync", "begin", "release", "rollback", "hold", "go"])),
)


class Rollback(Exception):
    """Ends a synchronous transaction of the model."""


async def run_steps(
    storage: DurableObjectStorage, disk: Disk, steps: list[Any], entries: dict[str, Any]
) -> None:
    """Every step does to storage what it does to a dict."""
    held = False
    position = 0

    def apply_synchronously(model: dict[str, Any]) -> None:
        """A savepoint: up to its release or rollback, or to the end."""
        nonlocal position
        while position < len(steps):
            name, *arguments = steps[position]
            position += 1
            if name == "begin":
                inner = dict(model)
                try:
                    storage.transaction_sync(partial(apply_synchronously, inner))
                except Rollback:
                    pass
                else:
                    model.clear()
                    model.update(inner)
            elif name == "release":
                return
            elif name == "rollback":
                raise Rollback
            elif name == "put":
                storage.kv.put(*arguments)
                model[arguments[0]] = arguments[1]
            elif name == "delete":
                assert storage.kv.delete(arguments[0]) is (arguments[0] in model)
                model.pop(arguments[0], None)
            elif name == "get":
                assert storage.kv.get(arguments[0]) == model.get(arguments[0])
            elif name == "list":
                listed = storage.kv.list(**arguments[0])
                assert list(listed.items()) == model_list(model, arguments[0])
            elif name == "delete all":
                with pytest.raises(RuntimeError, match="within a transaction"):
                    storage.delete_all()

    while position < len(steps):
        name, *arguments = steps[position]
        if name in ("put", "delete", "get", "list"):
            single = getattr(storage, name)
            if name == "list":
                assert list((await single(**arguments[0])).items()) == model_list(
                    entries, arguments[0]
                )
            elif name == "get":
                assert await single(arguments[0], "none") == entries.get(arguments[0], "none")
            elif name == "delete":
                assert await single(arguments[0]) is (arguments[0] in entries)
                entries.pop(arguments[0], None)
            else:
                await single(*arguments)
                entries[arguments[0]] = arguments[1]
        elif name == "put many":
            await storage.put(arguments[0])
            entries.update(arguments[0])
        elif name == "delete many":
            assert await storage.delete(arguments[0]) == len(set(arguments[0]) & set(entries))
            for key in arguments[0]:
                entries.pop(key, None)
        elif name == "get many":
            got = await storage.get(arguments[0])
            expected = sorted(set(arguments[0]) & set(entries), key=str.encode)
            assert list(got.items()) == [(key, entries[key]) for key in expected]
        elif name == "delete all":
            await storage.delete_all()
            entries.clear()
        elif name == "begin":
            apply_synchronously_from = position
            position += 1
            model = dict(entries)
            try:
                storage.transaction_sync(partial(apply_synchronously, model))
            except Rollback:
                pass
            else:
                entries.clear()
                entries.update(model)
            assert position > apply_synchronously_from
            continue
        elif name == "suspend":
            await anyio.lowlevel.checkpoint()
        elif name == "sync" and not held:
            await storage.sync()
        elif name in ("hold", "go"):
            held = name == "hold"
            disk.hold() if held else disk.release()
        position += 1
    disk.release()


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25))
async def test_storage_is_a_dict_sorted_by_utf8_bytes(steps: list[Any]) -> None:
    """Whatever is on disk, on its way there or in a savepoint; and a restart finds the same."""
    disk = Disk()
    entries: dict[str, Any] = {}
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        stub = objects(host)
        await within(stub, lambda actor: run_steps(actor.ctx.storage, disk, steps, entries))
        await host.evict(stub)
        stored = await within(stub, lambda actor: actor.ctx.storage.list())
        assert list(stored.items()) == sorted(entries.items(), key=lambda each: each[0].encode())


async def test_utf8_order_is_not_the_order_of_utf16() -> None:
    """A surrogate-pair character sorts after U+FFEE; a key comes before those it begins."""
    keys = ["\U0001f600", "\uffee", "b", "a\0", "a", "", "\u00e9", "Z", "10", "9", "ab"]
    expected = ["", "10", "9", "Z", "a", "a\0", "ab", "b", "\u00e9", "\uffee", "\U0001f600"]

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put(dict.fromkeys(keys, 1))
        for _ in range(2):
            assert list(await storage.list()) == expected
            assert list(await storage.get(keys)) == expected
            await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


async def test_the_longest_key_serves_in_every_option() -> None:
    """2,048 bytes as a key, a bound and a prefix, before and after it is on disk."""
    longest = "k" * 2_047 + "z"

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put({"k": 1, longest: 2, "l": 3})
        for _ in range(2):
            assert list(await storage.list(start=longest)) == [longest, "l"]
            assert list(await storage.list(start_after=longest)) == ["l"]
            assert list(await storage.list(start_after=longest, reverse=True)) == ["l"]
            assert list(await storage.list(end=longest)) == ["k"]
            assert list(await storage.list(end=longest, reverse=True, limit=1)) == ["k"]
            assert list(await storage.list(prefix=longest)) == [longest]
            assert list(await storage.list(prefix=longest, reverse=True)) == [longest]
            assert list(await storage.list(prefix="\U0010ffff" * 512)) == []
            await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


async def test_a_list_is_a_snapshot() -> None:
    """Of the moment of the call: neither later writes nor changes to it show on the other side."""

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put({"a": [1], "b": [2]})
        listed = await storage.list()
        await storage.delete("a")
        await storage.put("c", 3)
        listed["b"].append(5)
        assert listed == {"a": [1], "b": [2, 5]}
        assert await storage.list() == {"b": [2], "c": 3}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


VALUES: list[Any] = [
    None,
    True,
    -(2**200),
    -0.0,
    float("inf"),
    "\0\U0001f600",
    b"\0\xff",
    (1, [2, (3,)]),
    {1: "int", "1": "str", None: {True}},
    {frozenset({1}), 2},
    datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    Decimal("-0.10"),
    UUID(int=5),
    timedelta(days=-1, microseconds=1),
]


async def test_values_keep_type_and_sign() -> None:
    """In memory and back from disk alike; 1 and True, 0.0 and -0.0, tuples and lists differ."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await within(stub, lambda actor: actor.ctx.storage.put("values", VALUES))
        for _ in range(2):
            got = await within(stub, lambda actor: actor.ctx.storage.get("values"))
            assert repr(got) == repr(VALUES)
            await host.evict(stub)


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (object(), r"\$$|at \$"),
        ({"a": [0, {"b": (1, object())}]}, r"\['a'\]\[1\]\['b'\]\[1\]"),
        ({"f": lambda: None}, r"\['f'\]"),
        ([{"g": iter([1])}], r"\[0\]\['g'\]"),
        ([Rollback()], r"\[0\]"),
        ({("tuple", "key"): 1}, "key|tuple"),
    ],
)
async def test_a_bad_value_is_named_by_its_path_and_changes_nothing(bad: Any, path: str) -> None:
    """Neither its own key nor its neighbours'; the instance goes on, with its earlier writes."""

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        actor.memory.append("alive")
        await storage.put({"a": 1, "b": 2})
        writes: list[Callable[[], Any]] = [
            lambda: storage.put("a", bad),
            lambda: storage.put({"a": 3, "c": 4, "bad": bad, "b": 5}),
        ]
        for write in writes:
            with pytest.raises(DataCloneError, match=path):
                await write()
        with pytest.raises(DataCloneError, match=path):
            storage.kv.put("a", bad)
        assert await storage.list() == {"a": 1, "b": 2}

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await within(stub, story)
        assert await within(stub, lambda actor: actor.memory) == ["alive"]
        await host.evict(stub)
        assert await within(stub, lambda actor: actor.ctx.storage.list()) == {"a": 1, "b": 2}


async def test_a_value_that_contains_itself_is_refused() -> None:
    """With an error of the value's, not by exhausting the stack."""
    loop: list[Any] = []
    loop.append({"again": loop})
    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        with pytest.raises((DataCloneError, ValueError)):
            await within(stub, lambda actor: actor.ctx.storage.put("loop", loop))
        assert await within(stub, lambda actor: actor.ctx.storage.list()) == {}


async def test_limits_of_keys_and_values_in_every_call() -> None:
    """2,048 bytes, however many characters; 2 MiB with the key; the error tells both figures."""
    long = "\u00e9" * 1_024 + "x"
    big = bytes(2 * 1024 * 1024)

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        kv = storage.kv
        too_long: list[Callable[[], Any]] = [
            lambda: storage.get(long),
            lambda: storage.get(["a", long]),
            lambda: storage.put(long, 1),
            lambda: storage.put({"a": 1, long: 1}),
            lambda: storage.delete(long),
            lambda: storage.delete(["kept", long]),
            lambda: storage.list(start=long),
            lambda: storage.list(end=long),
            lambda: storage.list(prefix=long),
        ]
        for call in too_long:
            with pytest.raises(ValueError, match=r"2048 bytes.* size 2049 "):
                await call()
        synchronous: list[Callable[[], Any]] = [
            lambda: kv.put(long, 1),
            lambda: kv.get(long),
            lambda: kv.delete(long),
        ]
        for call in synchronous:
            with pytest.raises(ValueError, match=r"2048 bytes.* size 2049 "):
                call()
        too_big: list[Callable[[], Any]] = [
            lambda: storage.put("big", big),
            lambda: storage.put({"a": 1, "big": big, "b": 2}),
        ]
        for call in too_big:
            with pytest.raises(ValueError, match=r"2097152 bytes.*size 20971\d\d"):
                await call()
        assert await storage.list() == {"kept": 0}

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await within(stub, lambda actor: actor.ctx.storage.put("kept", 0))
        await within(stub, story)


async def test_wrong_kinds_of_arguments_are_type_errors() -> None:
    """And change nothing."""

    async def story(actor: Laboratory) -> None:
        storage: Any = actor.ctx.storage
        limits: list[Any] = [0, -1, float("nan"), 0.5, True, "x", []]
        calls: list[Callable[[], Any]] = [
            lambda: storage.get(None),
            lambda: storage.get(True),
            lambda: storage.get(1.5),
            lambda: storage.get(b"a"),
            lambda: storage.get(["a", None]),
            lambda: storage.put(None, 1),
            lambda: storage.put(b"a", 1),
            lambda: storage.put("a"),
            lambda: storage.put({"a": 1}, 5),
            lambda: storage.put({"a": 1}, None),
            lambda: storage.put({"a": 1, None: 2}),
            lambda: storage.put([("a", 1)]),
            lambda: storage.delete(None),
            lambda: storage.delete(["kept", None]),
            lambda: storage.list("a"),
            lambda: storage.list(start="a", start_after="a"),
            lambda: storage.list(start=b"a"),
            *[partial(storage.list, limit=limit) for limit in limits],
        ]
        for call in calls:
            with pytest.raises(TypeError):
                await call()
        assert await storage.list() == {"kept": 0}

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await within(stub, lambda actor: actor.ctx.storage.put("kept", 0))
        await within(stub, story)


async def test_a_fraction_of_a_limit_is_cut_off_and_an_endless_one_is_none() -> None:
    """1.9 is 1; infinity, or more than any storage holds, is everything."""

    async def story(actor: Laboratory) -> None:
        storage: Any = actor.ctx.storage
        await storage.put({"a": 1, "b": 2, "c": 3})
        await storage.delete("b")
        for _ in range(2):
            assert await storage.list(limit=1.9) == {"a": 1}
            for endless in (float("inf"), 2**63 - 1, 2**64, 10**30):
                assert await storage.list(limit=endless) == {"a": 1, "c": 3}
            await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


async def test_a_value_is_taken_when_put_is_called() -> None:
    """Not when its result is awaited: what happens to it in between is not stored (5.2)."""

    async def story(actor: Laboratory) -> Any:
        storage = actor.ctx.storage
        value = [1]
        written = storage.put("value", value)
        value.append(2)
        await written
        return await storage.get("value")

    async with host_for(app, clock=ManualClock()) as host:
        assert await within(objects(host), story) == [1]


async def test_a_crash_keeps_whole_turns_and_only_the_first_ones(tmp_path: Path) -> None:
    """Each turn writes three keys; after the crash all three say the same turn, a committed one."""
    disk = Disk()

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        for turn in range(6):
            await storage.put("a", turn)
            storage.kv.put("b", turn)
            await storage.put({"c": turn, f"only {turn}": turn})
            await storage.delete(f"only {turn - 1}")
            if turn == 2:
                await storage.sync()
                disk.hold()
                held.set()
            await anyio.lowlevel.checkpoint()

    held = anyio.Event()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path, wrap_commit=disk) as host:
        async with anyio.create_task_group() as group:
            group.start_soon(expect_lost, objects(host), story)
            await held.wait()
            await anyio.wait_all_tasks_blocked()
            disk.fail()
            disk.release()
            await host.crash()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        stored = await within(objects(host), lambda actor: actor.ctx.storage.list())
    assert stored == {"a": 2, "b": 2, "c": 2, "only 2": 2}


async def expect_lost(stub: Any, story: Any) -> None:
    """A call that ends with its host."""
    with pytest.raises(Exception) as caught:
        await within(stub, story)
    assert getattr(caught.value, "retryable", False) or caught.type.__name__ == "StorageError"


async def test_storage_of_one_object_is_not_seen_by_another() -> None:
    """Neither by list without bounds, nor touched by delete_all."""
    async with host_for(app, clock=ManualClock()) as host:
        stubs = [objects(host, name) for name in ("a", "b", "c")]
        for value, stub in enumerate(stubs):
            await within(
                stub,
                lambda actor, value=value: actor.ctx.storage.put({"": value, "\U0010ffff": 1}),
                value,
            )
        await within(stubs[1], lambda actor: actor.ctx.storage.delete_all())
        got = [await within(stub, lambda actor: actor.ctx.storage.list()) for stub in stubs]
        assert got == [{"": 0, "\U0010ffff": 1}, {}, {"": 2, "\U0010ffff": 1}]


async def test_ten_thousand_keys_in_one_call() -> None:
    """There is no cap on keys: written, read, counted and deleted at once, in one commit."""
    entries = {f"{number:05}": number for number in range(10_000)}

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put(entries)
        assert await storage.get(list(entries)) == entries
        await storage.sync()
        assert await storage.list(limit=3, reverse=True) == {
            "09999": 9_999,
            "09998": 9_998,
            "09997": 9_997,
        }
        assert await storage.delete([*entries, *entries]) == 10_000
        assert await storage.list() == {}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert host.statistics().batches == 2
