"""An object's committed entries, on a real LMDB environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.storage import UNCHANGED, Batch, ObjectStore, encode_user_key, prefix_end
from roomhost.storage.environment import Environment
from roomhost.storage.limits import MAX_KEY_BYTES, PREFIX_BYTES

LONG = b"p" * (PREFIX_BYTES - 1)
keys = st.one_of(
    st.binary(max_size=3),
    # Around the size where a key is stored in another way, many of them alike in their first bytes.
    st.builds(lambda tail: LONG + tail, st.binary(max_size=4)),
    st.builds(lambda tail: LONG + b"q" + tail, st.binary(max_size=60)),
)
bounds = st.none() | keys


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An empty environment."""
    opened = Environment(tmp_path / "partition", 1 << 20)
    yield opened
    opened.close()


def batch(number: int, writes: dict[bytes, bytes | None], *, clear: bool = False) -> Batch:
    """A batch of entries alone."""
    return Batch(number, None, clear, writes, UNCHANGED)


@settings(max_examples=150)
@given(st.dictionaries(keys, st.binary(max_size=5), max_size=25), bounds, bounds, st.data())
def test_a_scan_is_a_slice_of_the_sorted_keys(
    entries: dict[bytes, bytes], start: bytes | None, end: bytes | None, data: st.DataObject
) -> None:
    """Short keys and long ones, in the order of all their bytes, from either end, up to a limit."""
    reverse = data.draw(st.booleans())
    limit = data.draw(st.none() | st.integers(0, 8))
    with TemporaryDirectory() as directory:
        environment = Environment(Path(directory) / "partition", 1 << 20)
        neighbours = {b"": b"0", LONG + b"qq" * 9: b"0", b"\xff" * 600: b"0"}
        environment.apply([batch(number, dict(neighbours)) for number in (1, 3)])
        environment.apply([batch(2, dict(entries))])
        store = ObjectStore(environment, 2)
        expected = sorted(
            (key, value)
            for key, value in entries.items()
            if (start is None or key >= start) and (end is None or key < end)
        )
        expected = expected[::-1] if reverse else expected
        assert store.scan(start, end, reverse=reverse, limit=limit) == expected[:limit]
        assert all(store.get(key) == value for key, value in entries.items())
        environment.close()


def test_a_clear_removes_one_object_and_comes_before_the_writes(environment: Environment) -> None:
    """Neighbours stay; what the same batch writes stays."""
    for number in (1, 2, 3):
        environment.apply([batch(number, {b"a": b"1", LONG + b"long" * 9: b"2"})])
    environment.apply([batch(2, {b"new": b"3"}, clear=True)])
    assert ObjectStore(environment, 2).scan(None, None) == [(b"new", b"3")]
    for number in (1, 3):
        assert len(ObjectStore(environment, number).scan(None, None)) == 2


def test_an_object_that_was_never_written_is_empty(environment: Environment) -> None:
    """No entry, no alarm."""
    store = ObjectStore(environment, 77)
    assert store.get(b"a") is None
    assert store.scan(None, None, reverse=True) == []
    assert store.alarm() is None


def test_a_batch_may_be_applied_twice(environment: Environment) -> None:
    """A replayed batch changes nothing."""
    twice = Batch(1, None, True, {b"a": b"1", b"b": None}, 5)
    environment.apply([twice])
    environment.apply([twice])
    store = ObjectStore(environment, 1)
    assert store.scan(None, None) == [(b"a", b"1")]
    assert store.alarm() == 5


@given(st.text(max_size=4))
def test_a_key_is_its_utf_8(key: str) -> None:
    """Surrogates aside, every string is a key."""
    assert encode_user_key(key) == key.encode()


def test_a_key_has_a_limit_and_a_type() -> None:
    """2,048 bytes pass, one more does not, and the error says how many came."""
    assert len(encode_user_key("é" * (MAX_KEY_BYTES // 2))) == MAX_KEY_BYTES
    with pytest.raises(ValueError, match=r"2048 bytes\. A key of size 2049 was provided"):
        encode_user_key("x" * (MAX_KEY_BYTES + 1))
    with pytest.raises(ValueError, match="lone surrogate"):
        encode_user_key("\udc00")
    with pytest.raises(TypeError, match="bytes"):
        encode_user_key(b"x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@given(st.binary(max_size=3), st.binary(max_size=5))
def test_the_end_of_a_prefix_bounds_what_has_it(prefix: bytes, key: bytes) -> None:
    """A key has the prefix exactly when it stands between the prefix and its end."""
    end = prefix_end(prefix)
    assert key.startswith(prefix) == (key >= prefix and (end is None or key < end))
