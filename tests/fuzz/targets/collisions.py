"""Keys that a dictionary of Python finds in one place: whoever knows how tuples are hashed makes any
number of them, and putting them in takes time in the square of that."""

from __future__ import annotations

import msgspec

MODULUS = 2**64
# Of xxHash, as CPython's tuples have it (Objects/tupleobject.c).
PRIME_1, PRIME_2, PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
INVERSE_1, INVERSE_2 = pow(PRIME_1, -1, MODULUS), pow(PRIME_2, -1, MODULUS)
GREATEST = 2**61 - 1  # below it an integer is its own hash
PAIR_BYTES = 15


def colliding_pairs(count: int) -> list[tuple[int, int]]:
    """So many pairs of integers with one hash."""
    turned = 12_345 * INVERSE_1 % MODULUS
    before = (turned >> 31) | (turned << 33) % MODULUS
    pairs: list[tuple[int, int]] = []
    first = 0
    while len(pairs) < count:
        first += 1
        lane = (PRIME_5 + first * PRIME_2) % MODULUS
        lane = ((lane << 31) % MODULUS | (lane >> 33)) * PRIME_1 % MODULUS
        second = (before - lane) * INVERSE_2 % MODULUS
        if second >= MODULUS // 2:
            second -= MODULUS
        if abs(second) < GREATEST and second != -1:
            pairs.append((first, second))
    return pairs


def colliding_keys(size: int) -> bytes:
    """A map of MessagePack of about that size, whose keys are such pairs."""
    pairs = colliding_pairs(size // PAIR_BYTES)
    entries = [msgspec.msgpack.encode(pair) + b"\x00" for pair in pairs]
    return b"\xdf" + len(entries).to_bytes(4, "big") + b"".join(entries)
