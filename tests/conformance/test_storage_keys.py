"""Storage: keys and limits"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.stories import STAGES, Calls, Tell, everywhere, in_storage, stored_afresh, tell_to
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

KEYS = Feature("storage keys", "5.2")
KINDS = Feature(
    "storage keys: other types",
    "5.2",
    differs="an int is taken as its decimal digits, anything else is a TypeError; JavaScript "
    "makes a string of it",
)
SURROGATES = Feature(
    "storage keys: lone surrogates",
    "5.2",
    differs="a ValueError: they have no UTF-8 form, and JavaScript would replace them",
)
KEY_SIZE = Feature(
    "storage limits: key",
    "5.5",
    differs="2,048 UTF-8 bytes, as on production's key-value back-end; a ValueError",
)
VALUE_SIZE = Feature(
    "storage limits: value",
    "5.5",
    differs="key and encoded value together 2 MiB, as production documents; a ValueError",
)

KEY_LIMIT = 2_048
ENTRY_LIMIT = 2 * 1024 * 1024
LONGEST = {
    "ASCII": "k" * 2_048,
    "two bytes": "\u00e9" * 1_024,
    "four bytes": "\U0001f600" * 512,
    "NUL": "\0" * 2_048,
}
# Whatever takes a key, as a function of the storage calls and the key.
TAKES_A_KEY: dict[str, Callable[[Any, Any], Any]] = {
    "get": lambda storage, key: storage.get(key),
    "get many": lambda storage, key: storage.get(["a", key]),
    "put": lambda storage, key: storage.put(key, 1),
    "put many": lambda storage, key: storage.put({"a": 1, key: 1}),
    "delete": lambda storage, key: storage.delete(key),
    "delete many": lambda storage, key: storage.delete(["kept", key]),
    "start": lambda storage, key: storage.list(start=key),
    "start_after": lambda storage, key: storage.list(start_after=key),
    "end": lambda storage, key: storage.list(end=key),
    "prefix": lambda storage, key: storage.list(prefix=key),
}
ODD_KEYS = ("", " ", "\0", "a\0b", "a\nb", "__proto__", "\u00e9", "e\u0301", "\ufeff", "K", "k")

longest = pytest.mark.parametrize("key", LONGEST.values(), ids=LONGEST)


@shows(KEYS)
@everywhere
async def test_any_text_is_a_key_of_its_own(tell: Tell) -> None:
    """Empty, with NUL, whatever it looks like: nothing is trimmed, folded or normalised."""

    async def story(storage: Calls) -> None:
        for number, key in enumerate(ODD_KEYS):
            await storage.put(key, number)
        for number, key in enumerate(ODD_KEYS):
            assert await storage.get(key) == number
            assert (await storage.list(start=key, limit=1)) == {key: number}
        assert len(await storage.list()) == len(ODD_KEYS)
        assert await storage.delete(list(ODD_KEYS)) == len(ODD_KEYS)

    await tell(story)


@shows(KEYS)
async def test_odd_keys_come_back_from_disk() -> None:
    """The same ones, with their values."""
    entries = {key: number for number, key in enumerate(ODD_KEYS)}
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put(entries))
        assert await stored_afresh(host) == entries


@shows(KINDS)
@everywhere
async def test_an_int_is_its_decimal_digits_as_a_key(tell: Tell) -> None:
    """In every call; what comes back is the string."""

    async def story(storage: Any) -> None:
        await storage.put(5, "five")
        await storage.put({10: "ten", -1: "minus one"})
        assert await storage.get("5") == await storage.get(5) == "five"
        assert await storage.get([10, "-1"]) == {"-1": "minus one", "10": "ten"}
        assert list(await storage.list(start=1)) == ["10", "5"], "in the order of their texts"
        assert await storage.delete([5, "5"]) == 1
        assert await storage.delete(10) is True

    await tell(story)


async def every_call_refuses(key: object, error: type[Exception], message: str) -> None:
    """Each call raises this error for the key, and changes nothing."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("kept", 0)
        for name, call in TAKES_A_KEY.items():
            try:
                await call(storage, key)
            except error as refusal:
                assert re.search(message, str(refusal)), name
            else:
                pytest.fail(f"{name} takes {key!r}")
            assert await storage.list() == {"kept": 0}, name

    await in_storage(story)


@shows(KINDS)
@pytest.mark.parametrize("key", [True, 1.5, b"kept", object()], ids=["bool", "float", "bytes", "?"])
async def test_a_key_of_another_type_is_refused(key: object) -> None:
    """With a TypeError, by every call, and nothing is changed."""
    await every_call_refuses(key, TypeError, "")


@shows(SURROGATES)
async def test_a_key_that_is_no_valid_unicode_is_refused() -> None:
    """With a ValueError that says why, by every call."""
    await every_call_refuses("a\ud800", ValueError, "surrogate")


@shows(KEY_SIZE)
@longest
async def test_a_key_of_2048_bytes_is_good_for_every_call(key: str) -> None:
    """Counted in UTF-8 bytes, before and after it is on disk."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({key: 1, "": 0})
        for _ in STAGES:
            assert await storage.get(key) == 1
            assert await storage.get([key, ""]) == {"": 0, key: 1}
            for option in ("start", "prefix"):
                assert await storage.list(**{option: key}) == {key: 1}  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            assert await storage.list(start_after=key) == {}
            assert await storage.list(end=key) == {"": 0}
            await storage.sync()
        assert await storage.delete(key) is True
        assert await storage.list() == {"": 0}

    await in_storage(story)


@shows(KEY_SIZE)
@longest
async def test_a_key_of_more_than_2048_bytes_is_refused(key: str) -> None:
    """By every call, with the limit and the size that came; nothing is changed."""
    message = r"^Keys cannot be larger than 2048 bytes\. A key of size 2049 was provided\.$"
    await every_call_refuses(key + "x", ValueError, message)


@shows(KEY_SIZE)
@pytest.mark.parametrize(
    "call",
    [
        lambda kv, key: kv.get(key),
        lambda kv, key: kv.put(key, 1),
        lambda kv, key: kv.delete(key),
        lambda kv, key: kv.list(start=key),
    ],
    ids=["get", "put", "delete", "list"],
)
async def test_the_synchronous_calls_have_the_same_limit(call: Callable[..., Any]) -> None:
    """`ctx.storage.kv` refuses the key too."""

    def story(storage: DurableObjectStorage) -> None:
        with pytest.raises(ValueError, match=r"2048 bytes.*size 2049"):
            call(storage.kv, "k" * (KEY_LIMIT + 1))

    await in_storage(story)


@shows(KEY_SIZE)
async def test_long_keys_that_differ_at_their_ends_are_different_keys() -> None:
    """They sort by all of their bytes, before and after they are on disk."""
    stem = "k" * 2_040
    keys = [stem, stem + "\0", stem + "a", stem + "ab", stem + "b", stem + "\u00e9"]

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({key: number for number, key in reversed([*enumerate(keys)])})
        for _ in STAGES:
            assert [*(await storage.list()).items()] == [(k, n) for n, k in enumerate(keys)]
            assert [*await storage.list(prefix=stem + "a")] == keys[2:4]
            assert [*await storage.list(start_after=stem + "a", limit=2)] == keys[3:5]
            await storage.sync()
        assert await storage.delete(stem + "a") is True
        assert await storage.get(stem + "ab") == 3

    await in_storage(story)


@shows(VALUE_SIZE)
@everywhere
@pytest.mark.parametrize("key", ["k", "k" * 2_048], ids=["short key", "long key"])
async def test_an_entry_of_2_mib_is_stored_and_a_byte_more_is_refused(tell: Tell, key: str) -> None:
    """Key and encoded value count together; the error tells the limit and both sizes."""
    # Five bytes say that so many bytes follow.
    largest = bytes(ENTRY_LIMIT - len(key) - 5)

    async def story(storage: Calls) -> None:
        await storage.put(key, largest)
        message = rf"2097152 bytes.*size \d+ .*size {len(key)}\b"
        with pytest.raises(ValueError, match=message):
            await storage.put(key, largest + b"x")
        with pytest.raises(ValueError, match=message):
            await storage.put({"other": 1, key: largest + b"x"})
        assert await storage.get(key) == largest
        assert await storage.get("other") is None

    await tell(story)


@shows(VALUE_SIZE)
async def test_a_value_that_is_too_large_does_not_reset_the_object() -> None:
    """The call fails and that is all: memory and earlier writes are kept."""

    async def story(actor: Any) -> None:
        actor.memory.append("alive")
        await actor.ctx.storage.put("before", 1)
        with pytest.raises(ValueError, match="2097152"):
            actor.ctx.storage.kv.put("large", "x" * ENTRY_LIMIT)

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert await within(objects(host), lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {"before": 1}


@shows(VALUE_SIZE)
async def test_many_large_values_go_in_one_call() -> None:
    """The limit is of an entry, not of a call or a commit."""
    entries = {f"k{number}": bytes([number]) * 1_500_000 for number in range(16)}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put(entries))
        await host.evict(objects(host))
        assert await tell_to(objects(host), lambda storage: has(storage, entries))


async def has(storage: DurableObjectStorage, entries: dict[str, bytes]) -> bool:
    """Whether storage holds these entries and no other."""
    return await storage.list() == entries
