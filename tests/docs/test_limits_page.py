"""The page of limits says the numbers of the code."""

from __future__ import annotations

import importlib
import re

import pytest

from ..helpers.doc_page import DOCS

ROW = re.compile(r"^\|.*\| (?P<shown>[^|]+) \| `(?P<folder>\w+)\.(?P<name>\w+)` \|$", re.MULTILINE)
ROWS = [match.groups() for match in ROW.finditer((DOCS / "limits.md").read_text(encoding="utf-8"))]
SIZES = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


@pytest.mark.parametrize(("shown", "folder", "name"), ROWS, ids=str)
def test_a_limit_of_the_page_is_that_of_the_code(shown: str, folder: str, name: str) -> None:
    """Each row names its constant, so that it can be compared."""
    value = getattr(importlib.import_module(f"roomhost.{folder}.limits"), name)
    assert shown == as_shown(name, value)


def test_the_page_has_limits_of_every_folder() -> None:
    """A table that the pattern misses would be compared with nothing."""
    assert {folder for _, folder, _ in ROWS} >= {"storage", "runtime", "actors"}
    assert len(ROWS) > 50


def as_shown(name: str, value: float) -> str:
    """A number as the page writes it, by the unit in its name."""
    if name.endswith("_BYTES"):
        for unit, size in SIZES:
            if value % size == 0:
                return f"{int(value) // size:,} {unit}"
        return f"{int(value):,} bytes"

    number = f"{int(value):,}" if value == int(value) else f"{value:g}"
    return f"{number} s" if name.endswith("_SECONDS") else number


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("A_BYTES", 2048, "2 KiB"),
        ("A_BYTES", 123, "123 bytes"),
        ("A_BYTES", 1 << 46, "64 TiB"),
        ("A_SECONDS", 30.0, "30 s"),
        ("A_SECONDS", 0.1, "0.1 s"),
        ("MAX_A", 10_000, "10,000"),
    ],
)
def test_numbers_are_written_with_their_unit(name: str, value: float, expected: str) -> None:
    """Bytes in the largest unit that divides them, thousands with a comma."""
    assert as_shown(name, value) == expected
