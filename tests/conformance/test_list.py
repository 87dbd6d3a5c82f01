"""Storage: list"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects
from ..helpers.stories import STAGES, Calls, Tell, everywhere, in_storage, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

LIST = Feature("storage.list", "5.4")
ORDER = Feature("storage.list: order", "5.4")
START = Feature("storage.list: start", "5.4")
START_AFTER = Feature("storage.list: startAfter", "5.4")
END = Feature("storage.list: end", "5.4")
PREFIX = Feature("storage.list: prefix", "5.4")
REVERSE = Feature("storage.list: reverse", "5.4")
LIMIT = Feature(
    "storage.list: limit",
    "5.4",
    differs="None is no limit; a text is refused, JavaScript would read it as a number",
)
OPTIONS = Feature(
    "storage.list: other arguments",
    "5.4",
    differs="options are keywords: one that is unknown is a TypeError, JavaScript ignores it",
)

KEYS = ["a", "b", "ba", "bb", "bc", "c", "d"]
# Options and what they give of KEYS, in order; with reverse=True besides, the same backwards.
RANGES: list[tuple[Any, dict[str, Any], str]] = [
    (START, {"start": "bb"}, "bb bc c d"),
    (START, {"start": "bab"}, "bb bc c d"),
    (START, {"start": ""}, "a b ba bb bc c d"),
    (START, {"start": "d"}, "d"),
    (START, {"start": "d\0"}, ""),
    (START, {"start": "e"}, ""),
    (START_AFTER, {"start_after": "bb"}, "bc c d"),
    (START_AFTER, {"start_after": "bab"}, "bb bc c d"),
    (START_AFTER, {"start_after": ""}, "a b ba bb bc c d"),
    (START_AFTER, {"start_after": "d"}, ""),
    (END, {"end": "bb"}, "a b ba"),
    (END, {"end": "bab"}, "a b ba"),
    (END, {"end": "a"}, ""),
    (END, {"end": ""}, ""),
    (END, {"end": "z"}, "a b ba bb bc c d"),
    (END, {"start": "b", "end": "bc"}, "b ba bb"),
    (END, {"start_after": "b", "end": "bc"}, "ba bb"),
    (END, {"start": "b", "end": "b\0"}, "b"),
    (END, {"start": "b", "end": "b"}, ""),
    (END, {"start_after": "b", "end": "ba"}, ""),
    (END, {"start": "c", "end": "b"}, ""),
    (END, {"start_after": "z", "end": "a"}, ""),
    (PREFIX, {"prefix": "b"}, "b ba bb bc"),
    (PREFIX, {"prefix": "bb"}, "bb"),
    (PREFIX, {"prefix": ""}, "a b ba bb bc c d"),
    (PREFIX, {"prefix": "bbb"}, ""),
    (PREFIX, {"prefix": "e"}, ""),
    (PREFIX, {"prefix": "b", "start": "bb"}, "bb bc"),
    (PREFIX, {"prefix": "b", "start": "a"}, "b ba bb bc"),
    (PREFIX, {"prefix": "b", "start": "c"}, ""),
    (PREFIX, {"prefix": "b", "start_after": "b"}, "ba bb bc"),
    (PREFIX, {"prefix": "b", "start_after": "a"}, "b ba bb bc"),
    (PREFIX, {"prefix": "b", "start_after": "bc"}, ""),
    (PREFIX, {"prefix": "b", "start_after": "d"}, ""),
    (PREFIX, {"prefix": "b", "end": "bb"}, "b ba"),
    (PREFIX, {"prefix": "b", "end": "z"}, "b ba bb bc"),
    (PREFIX, {"prefix": "b", "end": "b"}, ""),
    (PREFIX, {"prefix": "b", "end": "a"}, ""),
    (PREFIX, {"prefix": "b", "start": "ba", "end": "bc"}, "ba bb"),
]


def ranges_of(feature: Feature) -> pytest.MarkDecorator:
    """Rows of the table, to be tested forward and backward."""
    rows = [(options, keys.split()) for shown, options, keys in RANGES if shown is feature]
    return pytest.mark.parametrize(("options", "expected"), rows, ids=[str(row[0]) for row in rows])


async def fill(storage: Any) -> None:
    """Every key, with its place as the value, written in another order."""
    for key in reversed(KEYS):
        await storage.put(key, KEYS.index(key))


async def expect(options: dict[str, Any], keys: list[str]) -> None:
    """These options give these keys with their values, in this order, written and on disk."""

    async def story(storage: DurableObjectStorage) -> None:
        await fill(storage)
        for _ in STAGES:
            got = await storage.list(**options)
            assert list(got.items()) == [(key, KEYS.index(key)) for key in keys]
            await storage.sync()

    await in_storage(story)


@shows(LIST)
@everywhere
async def test_list_returns_every_entry(tell: Tell) -> None:
    """Keys and values, as a dict; nothing gives an empty one."""

    async def story(storage: Calls) -> None:
        assert await storage.list() == {}
        await storage.put({"b": [2], "a": None, "": {"c": 3}})
        assert await storage.list() == {"": {"c": 3}, "a": None, "b": [2]}

    await tell(story)


@shows(ORDER)
@everywhere
async def test_entries_are_in_ascending_order_whatever_that_of_their_writes(tell: Tell) -> None:
    """Texts, not numbers: "10" is before "9", capitals before small letters."""
    ordered = ["", "\0", " ", "1", "10", "9", "A", "Z", "a", "a\0", "aa", "b", "z", "\u00e9"]

    async def story(storage: Calls) -> None:
        for key in ordered[::2] + ordered[::-1]:
            await storage.put(key, 1)
        assert list(await storage.list()) == ordered

    await tell(story)


@mistake(17)
@shows(ORDER)
@everywhere
async def test_mistake_17_keys_are_sorted_by_their_utf8_bytes(tell: Tell) -> None:
    """A character beyond U+FFFF, two code units in JavaScript, sorts behind U+FFEE, not before."""
    ordered = ["e", "e\u0301", "f", "\u00e9", "\ud7ff", "\ue000", "\uffee", "\uffff", "\U00010000"]

    async def story(storage: Calls) -> None:
        await storage.put(dict.fromkeys(sorted(ordered, key=lambda key: key.encode("utf-16")), 1))
        assert list(await storage.list()) == ordered
        assert list(await storage.list(reverse=True)) == ordered[::-1]
        assert list(await storage.list(start="\uffee")) == ordered[-3:]
        assert list(await storage.list(end="\U00010000", reverse=True, limit=1)) == ["\uffff"]

    await tell(story)


@mistake(17)
@shows(ORDER)
async def test_mistake_17_the_order_is_the_same_on_disk() -> None:
    """As it was before the commit."""
    keys = ["\U0001f600", "\uffee", "\U00010000", "\ue000", "z", "\u00e9", "\U0010ffff"]

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put(dict.fromkeys(keys, 1))
        await storage.sync()
        assert list(await storage.list()) == sorted(keys, key=str.encode)

    await in_storage(story)


@shows(START)
@ranges_of(START)
async def test_start_is_inclusive(options: dict[str, Any], expected: list[str]) -> None:
    """Whether a key of that name exists or not."""
    await expect(options, expected)


@shows(START_AFTER)
@ranges_of(START_AFTER)
async def test_start_after_is_exclusive(options: dict[str, Any], expected: list[str]) -> None:
    """Whether a key of that name exists or not."""
    await expect(options, expected)


@shows(START_AFTER)
@everywhere
async def test_start_after_leaves_out_that_one_key_alone(tell: Tell) -> None:
    """The next possible key is the same text with a NUL behind it, and it is in."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "a\0": 2, "a\0\0": 3, "aa": 4})
        assert await storage.list(start_after="a") == {"a\0": 2, "a\0\0": 3, "aa": 4}
        assert await storage.list(start_after="a\0") == {"a\0\0": 3, "aa": 4}

    await tell(story)


@shows(END)
@ranges_of(END)
async def test_end_is_exclusive(options: dict[str, Any], expected: list[str]) -> None:
    """At or before the start the range is empty, which is no error."""
    await expect(options, expected)


@mistake(18)
@shows(PREFIX)
@ranges_of(PREFIX)
async def test_mistake_18_prefix_is_intersected_with_the_range(
    options: dict[str, Any], expected: list[str]
) -> None:
    """Bounds outside of the prefix count as its own ends, bounds inside as they are."""
    await expect(options, expected)


@shows(PREFIX)
@everywhere
@pytest.mark.parametrize("prefix", ["\x7f", "\u07ff", "\uffff", "\U0010ffff", "a\U0010ffff"])
async def test_a_prefix_may_end_with_the_last_character_of_its_kind(
    tell: Tell, prefix: str
) -> None:
    """All that begins with it is in, whatever comes next in the order is not."""

    async def story(storage: Calls) -> None:
        inside = [prefix, prefix + "\0", prefix + "z", prefix + "\U0010ffff"]
        await storage.put(dict.fromkeys(["", "a", "b", "\u0080", "\u0800", "\U00010000"], 0))
        await storage.put(dict.fromkeys(inside, 1))
        assert await storage.list(prefix=prefix) == dict.fromkeys(inside, 1)
        assert list(await storage.list(prefix=prefix, reverse=True)) == inside[::-1]

    await tell(story)


@mistake(18)
@shows(REVERSE)
async def test_mistake_18_reverse_gives_the_same_entries_backwards() -> None:
    """Of every range: `start` and `end` keep their meaning, they are not swapped."""

    async def story(storage: DurableObjectStorage) -> None:
        await fill(storage)
        for _ in STAGES:
            for _, options, keys in RANGES:
                got = await storage.list(**options, reverse=True)
                assert list(got) == keys.split()[::-1], options
                assert all(value == KEYS.index(key) for key, value in got.items())
            await storage.sync()

    await in_storage(story)


@shows(LIMIT)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"limit": 1}, "a"),
        ({"limit": 3}, "a b ba"),
        ({"limit": 7}, "a b ba bb bc c d"),
        ({"limit": 8}, "a b ba bb bc c d"),
        ({"limit": 2**70}, "a b ba bb bc c d"),
        ({"limit": None}, "a b ba bb bc c d"),
        ({"limit": 1.9}, "a"),
        ({"limit": math.inf}, "a b ba bb bc c d"),
        ({"limit": 2, "start": "bab"}, "bb bc"),
        ({"limit": 2, "start_after": "bb"}, "bc c"),
        ({"limit": 2, "start_after": "bab"}, "bb bc"),
        ({"limit": 2, "start_after": "c"}, "d"),
        ({"limit": 2, "end": "ba"}, "a b"),
        ({"limit": 2, "start": "bb", "prefix": "b"}, "bb bc"),
        ({"limit": 9, "start": "bb", "prefix": "b"}, "bb bc"),
        ({"limit": 1, "start": "c", "end": "b"}, ""),
    ],
    ids=str,
)
async def test_limit_cuts_the_result(options: dict[str, Any], expected: str) -> None:
    """Of what the other options leave; a fraction is cut off."""
    await expect(options, expected.split())


@mistake(18)
@shows(REVERSE, LIMIT)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"limit": 1}, "d"),
        ({"limit": 3}, "d c bc"),
        ({"limit": 9}, "d c bc bb ba b a"),
        ({"limit": 2, "end": "bc"}, "bb ba"),
        ({"limit": 2, "start": "c"}, "d c"),
        ({"limit": 1, "start_after": "c"}, "d"),
        ({"limit": 2, "prefix": "b"}, "bc bb"),
        ({"limit": 2, "prefix": "b", "start": "bb"}, "bc bb"),
        ({"limit": 9, "prefix": "b", "start": "bb"}, "bc bb"),
        ({"limit": 2, "prefix": "b", "end": "bc"}, "bb ba"),
    ],
    ids=str,
)
async def test_mistake_18_in_reverse_limit_keeps_the_last_entries(
    options: dict[str, Any], expected: str
) -> None:
    """Those of the end of the range, which come first."""
    await expect({**options, "reverse": True}, expected.split())


@mistake(18)
@shows(LIMIT)
@everywhere
async def test_mistake_18_a_limit_that_is_not_positive_is_a_type_error(tell: Tell) -> None:
    """0 is no way to ask for nothing; what is no number is refused too."""
    limits: list[Any] = [0, -1, 0.5, -0.0, math.nan, -math.inf, True, "2", [], "x"]

    async def story(storage: Calls) -> None:
        await storage.put("a", 1)
        calls: list[dict[str, Any]] = [{}, {"reverse": True}, {"prefix": "a"}]
        for limit, options in itertools.product(limits, calls):
            with pytest.raises(TypeError, match=r"^List limit must be positive\.$"):
                await storage.list(limit=limit, **options)

    await tell(story)


@shows(LIST)
async def test_list_has_no_cap() -> None:
    """Ten thousand entries come in one call, and 129 when 129 are asked for."""
    entries = {f"{number:05}": number for number in range(10_000)}

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put(entries)
        for _ in STAGES:
            assert await storage.list() == entries
            assert list(await storage.list(limit=129)) == list(entries)[:129]
            assert list(await storage.list(prefix="001", reverse=True)) == [
                f"001{number:02}" for number in reversed(range(100))
            ]
            await storage.sync()

    await in_storage(story)


@shows(START_AFTER)
@everywhere
async def test_both_starts_together_are_a_type_error(tell: Tell) -> None:
    """Even where they are equal or empty."""
    message = r"^list\(\) cannot be called with both start and startAfter values\.$"

    async def story(storage: Calls) -> None:
        for start, start_after in (("a", "b"), ("a", "a"), ("", "")):
            with pytest.raises(TypeError, match=message):
                await storage.list(start=start, start_after=start_after)

    await tell(story)


@shows(OPTIONS)
@everywhere
async def test_list_takes_no_positional_argument_and_no_unknown_option(tell: Tell) -> None:
    """A key, a list, a misspelt option: TypeErrors."""

    async def story(storage: Any) -> None:
        for arguments in (("a",), (["a"],), ({"start": "a"},), (None,)):
            with pytest.raises(TypeError):
                await storage.list(*arguments)
        for name in ("startAfter", "begin", "from_"):
            with pytest.raises(TypeError, match=name):
                await storage.list(**{name: "a"})

    await tell(story)


@shows(OPTIONS)
@pytest.mark.parametrize("option", ["start", "start_after", "end", "prefix"])
async def test_a_bound_of_another_type_is_a_type_error(option: str) -> None:
    """Bounds are keys."""

    async def story(storage: Any) -> None:
        for bound in (b"a", 1.5, True, ["a"], {"a": 1}):
            with pytest.raises(TypeError):
                await storage.list(**{option: bound})

    await in_storage(story)


@shows(OPTIONS)
@everywhere
async def test_none_is_the_absence_of_an_option(tell: Tell) -> None:
    """Every option can be given as None."""

    async def story(storage: Calls) -> None:
        await storage.put({"a": 1, "b": 2})
        got = await storage.list(start=None, start_after=None, end=None, prefix=None, limit=None)
        assert got == {"a": 1, "b": 2}
        assert await storage.list(start="b", start_after=None) == {"b": 2}

    await tell(story)


@shows(OPTIONS)
async def test_options_are_not_changed() -> None:
    """A dict of them can be used for one call after another."""
    options: dict[str, Any] = {"start": "b", "end": "c", "prefix": "b", "reverse": True, "limit": 2}
    before = dict(options)

    async def story(storage: DurableObjectStorage) -> None:
        await fill(storage)
        assert list(await storage.list(**options)) == list(await storage.list(**options))

    await in_storage(story)
    assert options == before


@shows(LIST)
async def test_list_is_of_the_object_alone() -> None:
    """Neighbours with the same and with greater and smaller keys do not show, at either end."""
    options: list[dict[str, Any]] = [{}, {"reverse": True}, {"start": ""}, {"limit": 5}]

    async def story(storage: DurableObjectStorage) -> None:
        for each in options:
            assert await storage.list(**each) == {"m": 1}

    async with host_for(app, clock=ManualClock()) as host:
        stubs = [objects(host, name) for name in "abc"]
        for stub in stubs:
            await tell_to(stub, lambda storage: storage.put({"": 0, "m": 1, "\U0010ffff": 2}))
        await tell_to(stubs[1], lambda storage: storage.delete(["", "\U0010ffff"]))
        await tell_to(stubs[1], story)
        await host.evict(stubs[1])
        await tell_to(stubs[1], story)
