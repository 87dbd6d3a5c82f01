"""Values to bytes and back: MessagePack with extension types, for storage and for calls.

It promises that what comes back equals what went in, type for type: `list` and `tuple`, `1` and
`1.0` and `True` stay apart. Anything it does not know is refused when it is encoded, by name and
path, never guessed. Decoding runs no code but ours.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from .errors import DataCloneError
from .limits import MAX_VALUE_DEPTH
from .messagepack import PackerStock, pack_scalar, unpack, unpack_inside
from .messagepack import extension as make_extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Extension(IntEnum):
    """The extension types, as stored: a number is never given a second meaning."""

    INTEGER = 1  # two's complement, big endian
    TUPLE = 2  # an array
    SET = 3  # an array
    FROZENSET = 4  # an array
    DATETIME = 5  # days, seconds, microseconds since 0001-01-01 local; offset in microseconds
    DATE = 6  # proleptic Gregorian ordinal
    TIMEDELTA = 7  # days, seconds, microseconds
    DECIMAL = 8  # its text
    UUID = 9  # 16 bytes


SUPPORTED = (
    "None, bool, int, float, str, bytes, list, tuple, dict with scalar keys, set, frozenset, "
    "aware datetime, date, timedelta, Decimal and UUID"
)
NATIVE = frozenset((type(None), bool, float, bytes))  # nothing about them needs a look
FLAT = NATIVE | {int, str, datetime, date, timedelta, Decimal, UUID}
UNCHANGING = NATIVE | {int, str}
CONTAINERS = frozenset((list, tuple, dict, set, frozenset))

_DATETIME = struct.Struct(">IIIq")
_TIMEDELTA = struct.Struct(">iII")
_DATE = struct.Struct(">I")


def encode(value: object) -> bytes:
    """`value` as bytes.

    Of an aware datetime the offset is kept, the name of its zone is not. DataCloneError: an
    unsupported type anywhere in it, a subclass of a supported one too, a naive datetime, a lone
    surrogate, a cycle, or nesting deeper than 128.
    """
    kind = type(value)
    try:
        if kind in UNCHANGING:
            try:
                return pack_scalar(value)
            except OverflowError:  # an integer beyond 64 bits, which is an extension
                return _pack(value)
        if kind in CONTAINERS:
            _check(value, 0)
        elif kind not in FLAT:
            raise _refusal(value, "$")
        return _pack(value)
    except DataCloneError:
        raise
    except RecursionError:
        raise _too_deep("the calls around it leave room for,") from None
    except Exception as error:  # what a tzinfo of the user's raises, too
        raise _explain(value, error) from None


def decode(data: bytes) -> Any:
    """The value that `encode` made `data` from. ValueError, and nothing else, for bytes that it did
    not make, whoever made them."""
    try:
        return unpack(data, _RESTORE_AT[0])
    except ValueError:
        raise
    except RecursionError:
        raise ValueError("nested too deep to be decoded so far down in calls") from None
    except Exception as error:
        raise ValueError(f"not an encoded value: {error or type(error).__name__}") from error


def clone(value: Any) -> Any:
    """A copy that shares nothing with `value` that could change. DataCloneError as `encode`."""
    if type(value) in UNCHANGING:
        return value

    return decode(encode(value))


def _extend(value: object) -> Any:
    """What MessagePack has no type of its own for. `_check` has let only these come here."""
    code, to_bytes = _EXTENSIONS[type(value)]
    return make_extension(code, to_bytes(value))


# Making a packer costs more than most values, and one in use cannot be used inside itself, for the
# members of a tuple say: hence a stock of them.
_pack = PackerStock(_extend).pack


def _restore(depth: int, code: int, data: bytes) -> Any:
    """The value of an extension inside of `depth` others."""
    collect = _COLLECT.get(code)
    if collect is not None:
        if depth >= MAX_VALUE_DEPTH:
            raise ValueError(f"not an encoded value: nested deeper than {MAX_VALUE_DEPTH} levels")

        return collect(unpack_inside(data, _RESTORE_AT[depth + 1]))

    try:
        restore = _RESTORE[code]
    except KeyError:
        raise ValueError(f"not an encoded value: unknown extension type {code}") from None

    return restore(data)


def _datetime_to_bytes(value: datetime) -> bytes:
    offset = value.utcoffset()
    if offset is None:
        raise ValueError("a naive datetime; give it a tzinfo, datetime.now(UTC) say")

    seconds = value.hour * 3600 + value.minute * 60 + value.second
    shift = offset // timedelta(microseconds=1)
    return _DATETIME.pack(value.toordinal(), seconds, value.microsecond, shift)


def _datetime_from_bytes(data: bytes) -> datetime:
    # A zone's name is not kept, its offset at that moment is: the moment and the wall time stand.
    ordinal, seconds, microseconds, shift = _DATETIME.unpack(data)
    zone = timezone(timedelta(microseconds=shift))
    midnight = datetime.fromordinal(ordinal).replace(tzinfo=zone)
    return midnight + timedelta(seconds=seconds, microseconds=microseconds)


def _timedelta_to_bytes(value: timedelta) -> bytes:
    return _TIMEDELTA.pack(value.days, value.seconds, value.microseconds)


def _array_to_bytes(value: Iterable[object]) -> bytes:
    return _pack(list(value))


def _integer_to_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


_EXTENSIONS: dict[type, tuple[Extension, Callable[[Any], bytes]]] = {
    int: (Extension.INTEGER, _integer_to_bytes),
    tuple: (Extension.TUPLE, _array_to_bytes),
    set: (Extension.SET, _array_to_bytes),
    frozenset: (Extension.FROZENSET, _array_to_bytes),
    datetime: (Extension.DATETIME, _datetime_to_bytes),
    date: (Extension.DATE, lambda value: _DATE.pack(value.toordinal())),
    timedelta: (Extension.TIMEDELTA, _timedelta_to_bytes),
    Decimal: (Extension.DECIMAL, lambda value: str(value).encode()),
    UUID: (Extension.UUID, lambda value: value.bytes),
}
_RESTORE: dict[int, Callable[[bytes], Any]] = {
    Extension.INTEGER: lambda data: int.from_bytes(data, "big", signed=True),
    Extension.DATETIME: _datetime_from_bytes,
    Extension.DATE: lambda data: date.fromordinal(_DATE.unpack(data)[0]),
    Extension.TIMEDELTA: lambda data: timedelta(*_TIMEDELTA.unpack(data)),
    Extension.DECIMAL: lambda data: Decimal(data.decode()),
    Extension.UUID: lambda data: UUID(bytes=data),
}
_COLLECT: dict[int, Callable[[Iterable[Any]], Any]] = {
    Extension.TUPLE: tuple,
    Extension.SET: set,
    Extension.FROZENSET: frozenset,
}
# Made once, so that a level of nesting costs a look-up: the index is how deep it stands.
_RESTORE_AT = [partial(_restore, depth) for depth in range(MAX_VALUE_DEPTH + 1)]


def _check(value: Any, depth: int, path: str = "$") -> None:
    """Refuse what MessagePack would take too leniently: subclasses, `bytearray`, odd keys, depth.

    Containers of plain values are looked through at C speed; only what holds containers is walked.
    """
    if depth >= MAX_VALUE_DEPTH:
        raise _too_deep(f"{MAX_VALUE_DEPTH} levels,")

    members: Iterable[object] = value
    if type(value) is dict:
        keys = cast("dict[object, object]", value)
        if not FLAT.issuperset(map(type, keys)):
            odd = next(key for key in keys if type(key) not in FLAT)
            raise _refusal(odd, f"{path}, a key")
        members = keys.values()
    if FLAT.issuperset(map(type, members)):
        return

    for place, member in _places(cast("object", value)):
        kind = type(member)
        if kind in CONTAINERS:
            _check(member, depth + 1, f"{path}[{place!r}]" if depth < 8 else path)
        elif kind not in FLAT:
            raise _refusal(member, f"{path}[{place!r}]")


def _too_deep(limit: str) -> DataCloneError:
    return DataCloneError(
        f"Could not serialize a value nested deeper than {limit} or one that contains itself: "
        "store its parts under keys of their own."
    )


def _refusal(value: object, path: str) -> DataCloneError:
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    return DataCloneError(
        f'Could not serialize object of type "{name}" at {path}. This type does not support '
        f"serialization; supported are {SUPPORTED}."
    )


def _explain(value: object, error: Exception) -> DataCloneError:
    """Where in `value` a supported type has a value that cannot be encoded: a lone surrogate, a
    naive datetime."""
    path = "$"
    culprit: object = value
    while type(culprit) in CONTAINERS:
        for place, member in _places(culprit):
            wrong = next((part for part in (place, member) if _fails(part)), None)
            if wrong is not None:
                path, culprit = f"{path}[{place!r}]", wrong
                break
        else:
            break
    reason = "a string with a lone surrogate" if isinstance(error, UnicodeEncodeError) else error
    return DataCloneError(
        f'Could not serialize object of type "{type(culprit).__qualname__}" at {path}: {reason}.'
    )


def _places(container: object) -> Iterable[tuple[object, object]]:
    """The members of a container, each with its key or its position."""
    if isinstance(container, dict):
        return cast("dict[object, object]", container).items()

    return enumerate(cast("Iterable[object]", container))


def _fails(value: object) -> bool:
    try:
        _pack(value)
    except Exception:
        return True

    return False
