"""Where an object's keys stand in LMDB: in the order of their UTF-8 bytes, however long.

LMDB keys end at 511 bytes, a user's at 2,048. A short key stands as it is behind the object's
number. A long one stands by its first 480 bytes and a digest of the whole; the whole key stands
before the value. Long keys with the same first 480 bytes are neighbours, in the order of their
digests, so a scan sorts such a run by the whole keys.
"""

from __future__ import annotations

import hashlib

from .limits import DIGEST_BYTES, MAX_KEY_BYTES, PREFIX_BYTES

NUMBER_BYTES = 8
LONG_AT = (
    NUMBER_BYTES + PREFIX_BYTES + DIGEST_BYTES
)  # the size of a stored long key, and of no other


def encode_user_key(key: str, max_bytes: int = MAX_KEY_BYTES) -> bytes:
    """A key as bytes. TypeError: it is not a str. ValueError: over `max_bytes` in UTF-8, or a lone
    surrogate, which UTF-8 cannot have."""
    if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a key is a string, not {type(key).__name__}")

    try:
        data = key.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"a key must be valid Unicode, {key[:64]!r} has a lone surrogate"
        ) from None

    if len(data) > max_bytes:
        raise ValueError(
            f"Keys cannot be larger than {max_bytes} bytes. A key of size {len(data)} was provided."
        )

    return data


def number_bytes(number: int) -> bytes:
    """An object's number as the first bytes of its keys."""
    return number.to_bytes(NUMBER_BYTES, "big")


def stored_key(number: bytes, key: bytes) -> bytes:
    """The LMDB key of a user's key."""
    if len(key) <= PREFIX_BYTES:
        return number + key

    return number + key[:PREFIX_BYTES] + hashlib.blake2b(key, digest_size=DIGEST_BYTES).digest()


def stored_value(key: bytes, value: bytes) -> bytes:
    """The LMDB value: the value, behind the whole key where the LMDB key does not hold it."""
    if len(key) <= PREFIX_BYTES:
        return value

    return len(key).to_bytes(2, "big") + key + value


def is_long(stored: bytes) -> bool:
    """Whether an LMDB key stands for a long key."""
    return len(stored) == LONG_AT


def split(stored: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A user's key and value from LMDB's."""
    if not is_long(stored):
        return stored[NUMBER_BYTES:], value

    end = 2 + int.from_bytes(value[:2], "big")
    return value[2:end], value[end:]


def floor_key(number: bytes, key: bytes) -> bytes:
    """An LMDB key at or before every entry whose user key is `key` or greater."""
    return number + key[:PREFIX_BYTES]


def prefix_end(prefix: bytes) -> bytes | None:
    """The smallest key that is greater than every key with `prefix`; None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return None

    return stripped[:-1] + bytes((stripped[-1] + 1,))
