"""Unsigned integers of variable length, and the bytes and texts behind one: lib0's encoding, which the
protocols of Yjs are made of.

Pure and strict: what has a second way to be written, or does not end, is an InvalidArgument.
"""

from __future__ import annotations

from .errors import InvalidArgument
from .limits import MAX_SAFE_INTEGER

_SHORT = tuple(bytes((value,)) for value in range(128))


def read_varuint(data: bytes, at: int) -> tuple[int, int]:
    """The integer at a position, and the position behind it.

    InvalidArgument: the bytes end within it, it is over 2^53-1, or longer than it has to be.
    """
    start = at
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > MAX_SAFE_INTEGER or (byte == 0 and shift):
                break

            return value, at

        shift += 7
        if shift > 49:  # the eighth byte was not the last: more than 53 bits
            break
    else:
        raise InvalidArgument(f"the bytes end within the integer at byte {start}")

    raise InvalidArgument(f"the integer at byte {start} is over 2^53-1, or too long")


def read_var_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes behind their length, and the position behind them. InvalidArgument: there are fewer,
    or the length is no integer."""
    start = at
    size, at = read_varuint(data, at)
    end = at + size
    if end > len(data):
        raise InvalidArgument(
            f"{size} bytes are announced at byte {start}, and {len(data) - at} are left"
        )

    return data[at:end], end


def read_var_text(data: bytes, at: int) -> tuple[str, int]:
    """The text behind its length in bytes, likewise. InvalidArgument: it is not UTF-8."""
    raw, end = read_var_bytes(data, at)
    try:
        return raw.decode(), end
    except UnicodeDecodeError:
        raise InvalidArgument(f"the text at byte {at} is not UTF-8") from None


def write_varuint(value: int) -> bytes:
    """An integer of 0 to 2^53-1."""
    if value < 128:
        return _SHORT[value]

    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def write_var_bytes(data: bytes) -> bytes:
    """Bytes behind their length. A text: its UTF-8."""
    return write_varuint(len(data)) + data
