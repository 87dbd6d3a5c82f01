"""MessagePack from strangers, as the values that JSON has, and nothing else.

A key that is no text is refused before it is put into a dictionary: whoever makes a frame knows how
Python hashes tuples, and would have a thousand of them in one place, where each is compared with
all. So nothing is decoded without a type.
"""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any, Union

import msgspec

from .errors import InvalidArgument
from .limits import MAX_DEEP_VALUES, MAX_JSON_DEPTH

GREATEST = 1.7976931348623157e308
NEAR_LEVELS = 6  # of containers that are decoded at once; a type of more takes long to make
MAPS = (*range(0x80, 0x90), 0xDE, 0xDF)  # the first bytes of each
ARRAYS = (*range(0x90, 0xA0), 0xDC, 0xDD)

Finite = Annotated[float, msgspec.Meta(ge=-GREATEST, le=GREATEST)]


def _near() -> Any:
    one_of: Any = Union  # of types that are made here, which a checker cannot follow
    scalar: Any = one_of[bool, int, Finite, str, None]
    kind: Any = scalar
    for _ in range(NEAR_LEVELS):
        kind = one_of[scalar, GenericAlias(list, (kind,)), GenericAlias(dict, (str, kind))]
    return kind


_values = msgspec.msgpack.Decoder(_near())
_map = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_array = msgspec.msgpack.Decoder(list[msgspec.Raw])


def decode(data: bytes) -> Any:
    """The value of `data`. ValueError: it is no MessagePack, or has what JSON has not: a key that is no
    text, bytes, an extension, a number that is not finite. InvalidArgument: it is nested deeper than
    MAX_JSON_DEPTH, or deeper than what is decoded at once with more parts than any input has."""
    try:
        return _values.decode(data)
    except msgspec.ValidationError:
        return _Walk().value(data, 1)


class _Walk:
    """Decodes what is nested deeper, container by container, as far as that is in the upper ones."""

    def __init__(self) -> None:
        self._left = MAX_DEEP_VALUES

    def value(self, data: bytes | msgspec.Raw, depth: int) -> Any:
        """A part, `depth` containers deep."""
        try:
            return _values.decode(data)
        except msgspec.ValidationError:
            first = memoryview(data)[0]
            if first not in MAPS and first not in ARRAYS:
                raise

        if depth >= MAX_JSON_DEPTH:
            raise InvalidArgument(f"a frame is nested at most {MAX_JSON_DEPTH} deep")

        if first in MAPS:
            members = _map.decode(data)
            self._count(len(members))
            return {key: self.value(member, depth + 1) for key, member in members.items()}

        parts = _array.decode(data)
        self._count(len(parts))
        return [self.value(part, depth + 1) for part in parts]

    def _count(self, members: int) -> None:
        self._left -= members
        if self._left < 0:
            raise InvalidArgument(
                f"a frame that is nested so deep has at most {MAX_DEEP_VALUES} values: send less"
            )
