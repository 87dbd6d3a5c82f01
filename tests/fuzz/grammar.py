"""Strategies of Hypothesis for bytes: from grammars, and from good input with a few changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from .target import MAX_INPUT_BYTES

# What breaks decoders: ends of ranges, lengths that lie, and the marks of the formats here.
ODD_BYTES = tuple(
    bytes((byte,))
    for byte in (0, 1, 2, 9, 10, 13, 32, 34, 37, 44, 58, 91, 92, 96, 123, 127, 128, 255)
)
ODD_PARTS: tuple[bytes, ...] = (
    *ODD_BYTES,
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x80" * 8 + b"\x01",
    b"\xdd\xff\xff\xff\xff",  # an array of 2^32-1, a map, a text, an extension of MessagePack
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc7\x0c\xff",
    b"\xc1",
    b"\r\n",
    b"\r\n\r\n",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"1e999",
    b"-0",
    b"9" * 40,
    b"NaN",
    b"[" * 70,
    b"null",
    b"%00",
    b"..",
    "\u202e\u0130".encode(),
)

Edit = tuple[int, int, bytes]
edits: st.SearchStrategy[list[Edit]] = st.lists(
    st.tuples(
        st.integers(0, MAX_INPUT_BYTES),
        st.sampled_from((0, 0, 1, 1, 2, 5, 40)),
        st.sampled_from((b"", *ODD_PARTS)) | st.binary(max_size=6),
    ),
    max_size=4,
)


def edited(data: bytes, changes: Sequence[Edit]) -> bytes:
    """Bytes with changes: where, how many bytes go, and what stands there instead."""
    out = bytearray(data)
    for place, size, part in changes:
        at = place % (len(out) + 1)
        out[at : at + size] = part
    return bytes(out)


def near(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Good inputs with up to four changes; or two of them joined at any place."""
    one = st.sampled_from(list(seeds))
    changed = st.builds(edited, one, edits)
    joined = st.builds(
        lambda first, second, cut, start: first[:cut] + second[start:],
        one,
        one,
        st.integers(0, 200),
        st.integers(0, 200),
    )
    return changed | changed | joined


texts = st.text(max_size=8) | st.sampled_from(
    ("type", "id", "room", "a\x00b", "é", "\U0001f600", "x" * 300, "- at `", "__proto__")
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from((0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**64 - 1, -(2**63)))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
keys = scalars | st.binary(max_size=4) | st.tuples(scalars, scalars)
packed_values = st.recursive(
    scalars
    | st.binary(max_size=6)
    | st.floats()
    | st.builds(
        lambda code, data: msgspec.msgpack.Ext(code, data),
        st.integers(-128, 127),
        st.binary(max_size=20),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def packed(value: Any) -> bytes:
    """A value as MessagePack."""
    return msgspec.msgpack.encode(value)


def json_objects(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[bytes]:
    """JSON of objects with some of these fields, mostly of the right type, and now and then another."""
    own = st.fixed_dictionaries(
        {}, optional={name: of | json_values for name, of in fields.items()}
    )
    other = st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=5), json_values, max_size=1
    )
    return st.builds(lambda one, two: msgspec.json.encode(one | two), own, other)


def broken(good: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """What a grammar makes, as it is or with up to four changes."""
    return good | st.builds(edited, good, edits)
