"""The rows of `roomhost bench`, for readers and for programs."""

from __future__ import annotations

import pytest

from roomhost.bindings.bench_rows import Row, duration, report
from roomhost.bindings.latencies import Latencies


def test_a_row_is_plain_json() -> None:
    """With `None` for what it has not."""
    memory = Row("memory", None, None, "8 KiB each", {"kib_each": 8.0})
    assert memory.as_json() == {
        "name": "memory",
        "per_second": None,
        "p50_us": None,
        "p95_us": None,
        "p99_us": None,
        "count": 0,
        "kib_each": 8.0,
        "note": "8 KiB each",
    }
    call = Row("call", 123.456, Latencies({1_000: 98, 64_000: 2}), "", {})
    assert call.as_json() == {
        "name": "call",
        "per_second": 123.5,
        "p50_us": 1.0,
        "p95_us": 1.0,
        "p99_us": 64.0,
        "count": 100,
        "note": "",
    }
    whole = report("demo", {"callers": 1}, [memory, call])
    assert [row["name"] for row in whole["rows"]] == ["memory", "call"]
    assert (whole["app"], whole["options"]) == ("demo", {"callers": 1})


@pytest.mark.parametrize(
    ("microseconds", "shown"),
    [(None, ""), (12.3, "12 µs"), (999.0, "999 µs"), (1_000.0, "1.0 ms"), (12_345.0, "12.3 ms")],
)
def test_durations_are_readable(microseconds: float | None, shown: str) -> None:
    """In the unit that fits."""
    assert duration(microseconds) == shown
