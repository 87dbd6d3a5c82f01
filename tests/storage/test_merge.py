"""Writes over older entries are what a dictionary would have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage.merge import merged

KEYS = st.binary(min_size=1, max_size=2)
BOUNDS = st.none() | KEYS


@given(
    below=st.dictionaries(KEYS, st.binary(max_size=2)),
    writes=st.dictionaries(KEYS, st.none() | st.binary(max_size=2)),
    start=BOUNDS,
    end=BOUNDS,
    reverse=st.booleans(),
    limit=st.none() | st.integers(1, 5),
)
def test_entries_are_those_of_a_dictionary(
    below: dict[bytes, bytes],
    writes: dict[bytes, bytes | None],
    start: bytes | None,
    end: bytes | None,
    reverse: bool,
    limit: int | None,
) -> None:
    """Within the bounds, in order, at most so many; however many of the older ones are deleted."""

    def within(entries: dict[bytes, bytes], most: int | None) -> list[tuple[bytes, bytes]]:
        keys = sorted(entries, reverse=reverse)
        return [
            (key, entries[key])
            for key in keys
            if (start is None or key >= start) and (end is None or key < end)
        ][:most]

    after = {key: value for key, value in (below | writes).items() if value is not None}
    found = merged(writes, lambda most: within(below, most), start, end, reverse, limit)
    assert found == within(after, limit)
