"""Base64 in JSON: one spelling for every bytes, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.base64_text import decode_base64, encode_base64
from roomhost.actors.errors import InvalidArgument, PayloadTooLarge


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "=AAA",
        "A===",
        "AAAA=",
        "AAA=AAA=",
        "AAAA====",
        "AB==",
        "AAB=",
        "AA AA",
        "AAAA\n",
        " AAAA",
        "AA-_",
        "AA\u0000A",
        "ÄAAA",
        "\ud800AAA",
    ],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    """Without padding, with too much of it, with bits nobody reads, with anything between."""
    with pytest.raises(InvalidArgument, match="x is base64 with padding") as refused:
        decode_base64(text, "x", 100)
    assert (refused.value.code, refused.value.field) == ("invalid_argument", "x")


@pytest.mark.parametrize("limit", range(5))
def test_a_text_has_a_bound_in_bytes(limit: int) -> None:
    """At the bound it is good; a byte more is `payload_too_large`, before anything is decoded if it
    is much more."""
    good = encode_base64(b"x" * limit)
    assert decode_base64(good, "x", limit) == b"x" * limit
    for text in (encode_base64(b"x" * (limit + 1)), "?" * 100):
        with pytest.raises(PayloadTooLarge) as refused:
            decode_base64(text, "x", limit)
        assert refused.value.field == "x"


@given(st.binary())
def test_bytes_come_back(data: bytes) -> None:
    """What was encoded is decoded."""
    assert decode_base64(encode_base64(data), "x", len(data)) == data


@given(st.text(alphabet="AB/+=", max_size=9) | st.text(max_size=9))
def test_there_is_one_text_for_bytes(text: str) -> None:
    """Whatever is accepted is what those bytes are encoded as."""
    try:
        data = decode_base64(text, "x", 100)
    except InvalidArgument:
        return

    assert encode_base64(data) == text
