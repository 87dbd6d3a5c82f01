"""base64url: one text for every value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import base64url


@pytest.mark.parametrize(
    "text", ["A", "AA=", "AA==", "AB", "A+", "A/", "A A", "AA\n", "é", "\ud800"]
)
def test_another_text_is_refused(text: str) -> None:
    """Padding, the other alphabet, spaces, bits that are left over."""
    with pytest.raises(ValueError, match="not base64url"):
        base64url.decode(text)


@given(st.binary(max_size=40))
def test_bytes_come_back(data: bytes) -> None:
    """From text and from bytes."""
    text = base64url.encode(data)
    assert base64url.decode(text) == base64url.decode(text.encode()) == data


@given(st.binary(max_size=12))
def test_what_is_read_is_what_is_written(data: bytes) -> None:
    """No two texts are one value."""
    try:
        value = base64url.decode(data)
    except ValueError:
        return

    assert base64url.encode(value).encode() == data
