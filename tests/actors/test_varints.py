"""Integers of variable length: as lib0 and pycrdt write them, and nothing else is read."""

from __future__ import annotations

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.varints import (
    read_var_bytes,
    read_var_text,
    read_varuint,
    write_var_bytes,
    write_varuint,
)

INTEGERS = st.integers(0, 2**53 - 1)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "end within"),
        (b"\x80", "end within"),
        (b"\xff" * 7, "end within"),
        (b"\x80\x00", "too long"),
        (b"\x81\x80\x00", "too long"),
        (b"\xff" * 7 + b"\x10", "over 2\\^53-1"),
        (b"\xff" * 20, "over 2\\^53-1"),
        (b"\xff" * 100_000 + b"\x01", "over 2\\^53-1"),
    ],
)
def test_what_is_no_integer(data: bytes, problem: str) -> None:
    """Bytes that end, an integer JavaScript cannot count, a second way to write one: refused."""
    with pytest.raises(InvalidArgument, match=problem):
        read_varuint(data, 0)


def test_the_greatest() -> None:
    """2^53-1 is written in eight bytes, and read."""
    written = write_varuint(2**53 - 1)
    assert written == b"\xff" * 7 + b"\x0f"
    assert read_varuint(written, 0) == (2**53 - 1, 8)


@pytest.mark.parametrize("data", [b"\x01", b"\x05abcd", b"\xff\xff\xff\xff\x7fabc"])
def test_bytes_that_are_not_there(data: bytes) -> None:
    """A length over what is left is refused, before anything of that size is made."""
    with pytest.raises(InvalidArgument, match="are left"):
        read_var_bytes(data, 0)


@pytest.mark.parametrize("data", [b"\x01\xff", b"\x03\xed\xa0\x80", b"\x02\xc0\x80"])
def test_what_is_no_text(data: bytes) -> None:
    """A text is UTF-8, without surrogates."""
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        read_var_text(data, 0)


@given(INTEGERS, st.binary(max_size=3), st.binary(max_size=3))
def test_integers_are_read_as_written(value: int, before: bytes, behind: bytes) -> None:
    """What is written is what pycrdt writes, and is read where it stands."""
    written = write_varuint(value)
    assert written == pycrdt.write_var_uint(value)
    end = len(before) + len(written)
    assert read_varuint(before + written + behind, len(before)) == (value, end)


@given(st.binary(max_size=12))
def test_one_way_to_write_each(data: bytes) -> None:
    """What is read at all is, written again, the same bytes."""
    try:
        value, end = read_varuint(data, 0)
    except InvalidArgument:
        return

    assert write_varuint(value) == data[:end]


@given(st.binary(max_size=300), st.text(max_size=200))
def test_bytes_and_texts_are_read_as_written(data: bytes, text: str) -> None:
    """The length counts bytes, of a text too."""
    written = write_var_bytes(data) + write_var_bytes(text.encode())
    found, middle = read_var_bytes(written, 0)
    assert found == data
    assert read_var_text(written, middle) == (text, len(written))
