"""An object's committed entries, on a real LMDB environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.storage import UNCHANGED, Batch, ObjectStore
from roomhost.storage.environment import Environment
from roomhost.storage.keyspace import split
from roomhost.storage.limits import PREFIX_BYTES

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
        sizes = [len(key) + len(value) for key, value in entries.items()]
        assert store.measure(limit=100) == (len(sizes), sum(sizes))
        environment.close()


def test_a_clear_removes_one_object_and_comes_before_the_writes(environment: Environment) -> None:
    """Neighbours stay; what the same batch writes stays."""
    for number in (1, 2, 3):
        environment.apply([batch(number, {b"a": b"1", LONG + b"long" * 9: b"2"})])
    environment.apply([batch(2, {b"new": b"3"}, clear=True)])
    assert ObjectStore(environment, 2).scan(None, None) == [(b"new", b"3")]
    for number in (1, 3):
        assert len(ObjectStore(environment, number).scan(None, None)) == 2


@pytest.mark.parametrize(
    ("start", "end", "reverse", "first"),
    [
        (None, b"m", True, b"l"),
        (b"m", None, False, b"m:000"),
        (None, b"m:100", True, b"m:099"),
        (None, b"", True, None),
    ],
)
def test_a_scan_reads_no_more_than_it_returns(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    start: bytes | None,
    end: bytes | None,
    reverse: bool,
    first: bytes | None,
) -> None:
    """The entry next to a bound costs one look, not one for each of its neighbours."""
    writes: dict[bytes, bytes | None] = {b"m:%03d" % number: b"" for number in range(200)}
    environment.apply([batch(1, {**writes, b"l": b""})])
    looks = []

    def counted(stored: bytes, value: bytes) -> tuple[bytes, bytes]:
        looks.append(stored)
        return split(stored, value)

    monkeypatch.setattr("roomhost.storage.store.split", counted)
    found = ObjectStore(environment, 1).scan(start, end, reverse=reverse, limit=1)
    assert found == ([] if first is None else [(first, b"")])
    assert len(looks) <= 1


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
