"""What an update of Yjs is made of: numbers, texts, JSON-like values, each read with its bounds.

The format is lib0's, as in yjs 13.6 (`lib0/decoding.js`); whatever yrs would read differently, or
without looking, is refused here: yrs wraps numbers of more than 32 bits, does not check that a text
is UTF-8, and reserves memory for as many entries as the sender declares (realtime.md 0.2).
Every reader takes the bytes and a position, and returns the position after what it read. A position
beyond the end is an IndexError, which the caller of all of them turns into `truncated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .errors import InvalidArgument
from .limits import MAX_ANY_DEPTH, MAX_JSON_DEPTH, MAX_SAFE_INTEGER, MAX_YJS_CLOCK, MAX_YJS_ID
from .tallies import REFUSALS

if TYPE_CHECKING:
    from typing import Final

CODE: Final = "invalid_update"
MAX_SHIFT: Final = 49  # of the last seven bits of a number: 2**56 - 1 in eight bytes

parse_json = msgspec.json.Decoder().decode


def refusal(what: str, at: int) -> InvalidArgument:
    """The error for something wrong at the byte `at`; it is counted."""
    REFUSALS.count("malformed")
    return InvalidArgument(f"not a Yjs update: {what}, at byte {at}", code=CODE)


def truncated(data: bytes) -> InvalidArgument:
    """The error for bytes that end too early; it is counted."""
    REFUSALS.count("truncated")
    return InvalidArgument(f"not a Yjs update: it ends after {len(data)} bytes", code=CODE)


def read_uint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and the position after it: seven bits a byte, the least first, spelled in the
    fewest bytes. InvalidArgument: it has more bytes than eight, or than it needs."""
    byte = data[at]
    at += 1
    if byte < 128:
        return byte, at

    value = byte & 127
    shift = 7
    while True:
        byte = data[at]
        at += 1
        if byte < 128:
            break
        value |= (byte & 127) << shift
        shift += 7
        if shift > MAX_SHIFT:
            raise refusal("a number of more than eight bytes", at)

    if not byte:
        raise refusal("a number with more bytes than it needs", at)

    return value | byte << shift, at


def read_count(data: bytes, at: int, entry_bytes: int) -> tuple[int, int]:
    """How many entries follow. InvalidArgument: as many do not fit into the bytes that are left,
    each being at least `entry_bytes`."""
    count, at = read_uint(data, at)
    if count * entry_bytes > len(data) - at:
        raise refusal(f"{count} entries declared, and {len(data) - at} bytes left", at)

    return count, at


def read_client(data: bytes, at: int) -> tuple[int, int]:
    """A client id. InvalidArgument: it is over MAX_YJS_ID."""
    client, at = read_uint(data, at)
    if client > MAX_YJS_ID:
        raise refusal(f"a client id over {MAX_YJS_ID}", at)

    return client, at


def read_clock(data: bytes, at: int) -> tuple[int, int]:
    """A clock. InvalidArgument: it is over MAX_YJS_CLOCK."""
    clock, at = read_uint(data, at)
    if clock > MAX_YJS_CLOCK:
        raise refusal(f"a clock over {MAX_YJS_CLOCK}", at)

    return clock, at


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length in clocks. InvalidArgument: it is zero, by which yrs divides, or too large."""
    length, at = read_uint(data, at)
    if not 0 < length <= MAX_YJS_CLOCK:
        raise refusal(f"a length of {length}", at)

    return length, at


def read_text(data: bytes, at: int) -> tuple[str, int]:
    """A text. InvalidArgument: it is not UTF-8, which yrs takes on trust."""
    size, at = read_uint(data, at)
    end = at + size
    if end > len(data):
        raise truncated(data)

    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise refusal("a text that is not UTF-8", at) from None


def skip_bytes(data: bytes, at: int) -> int:
    """Bytes of any value, with their number before them."""
    size, at = read_uint(data, at)
    if size > len(data) - at:
        raise truncated(data)

    return at + size


def skip_json(data: bytes, at: int) -> int:
    """A text that is JSON. InvalidArgument: it is not, or is deeper than MAX_JSON_DEPTH."""
    text, end = read_text(data, at)
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _depth(text) > MAX_JSON_DEPTH:
        raise refusal(f"JSON of more than {MAX_JSON_DEPTH} levels", at)

    try:
        parse_json(text)
    except (msgspec.DecodeError, UnicodeError):
        raise refusal("a text that is not JSON", at) from None

    return end


def skip_any(data: bytes, at: int, level: int = 1) -> int:
    """A value of lib0's `any` encoding, `level` being that of an array or a map that it may be.
    InvalidArgument: an unknown tag, more levels than MAX_ANY_DEPTH, or an integer that JavaScript
    does not count exactly."""
    tag = data[at]
    at += 1
    if tag == 119:
        return read_text(data, at)[1]
    if tag == 125:
        return _skip_integer(data, at)
    if tag in _FIXED_BYTES:
        end = at + _FIXED_BYTES[tag]
        if end > len(data):
            raise truncated(data)
        return end
    if tag == 116:
        return skip_bytes(data, at)
    if tag not in (117, 118):
        raise refusal(f"a value of the unknown kind {tag}", at)
    if level > MAX_ANY_DEPTH:
        raise refusal(f"a value of more than {MAX_ANY_DEPTH} levels", at)

    count, at = read_count(data, at, 1 if tag == 117 else 2)
    for _ in range(count):
        if tag == 118:
            _, at = read_text(data, at)
        at = skip_any(data, at, level + 1)

    return at


# undefined, null, false, true; float32; float64, bigint
_FIXED_BYTES: Final = {127: 0, 126: 0, 121: 0, 120: 0, 124: 4, 123: 8, 122: 8}


def _skip_integer(data: bytes, at: int) -> int:
    """An integer with its sign in the first byte: seven bits there, of which one is the sign."""
    byte = data[at]
    if byte < 128:
        return at + 1

    rest, end = read_uint(data, at + 1)
    if not rest:
        raise refusal("a number with more bytes than it needs", at)
    if rest << 6 | byte & 63 > MAX_SAFE_INTEGER:
        raise refusal(f"an integer beyond {MAX_SAFE_INTEGER}", at)

    return end


def _depth(text: str) -> int:
    """The most levels of arrays and objects in a JSON text, at least: what is within a string is
    not counted, what is no JSON is counted somehow."""
    deepest = level = 0
    quoted = escaped = False
    for mark in text:
        if quoted:
            if escaped:
                escaped = False
            elif mark == "\\":
                escaped = True
            elif mark == '"':
                quoted = False
        elif mark == '"':
            quoted = True
        elif mark in "[{":
            level += 1
            deepest = max(deepest, level)
        elif mark in "]}":
            level -= 1

    return deepest
