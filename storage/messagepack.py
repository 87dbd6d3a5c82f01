"""MessagePack, with the annotations that the package does not publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgpack as untyped_msgpack  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Callable

msgpack: Any = untyped_msgpack

_packb = cast("Callable[..., bytes]", msgpack.packb)
_unpackb = cast("Callable[..., Any]", msgpack.unpackb)

# Makes an extension value from its type, 0 to 127, and its bytes.
extension = cast("Callable[[int, bytes], Any]", msgpack.ExtType)


def pack(value: object, default: Callable[[object], Any] | None = None) -> bytes:
    """`value` as MessagePack; `default` turns what it does not know, subclasses too, into an
    extension. ValueError, OverflowError, TypeError: a value that cannot be packed."""
    return _packb(value, default=default, strict_types=default is not None)


def unpack(data: bytes, restore: Callable[[int, bytes], Any] | None = None) -> Any:
    """The value of `data`; `restore` makes one from an extension's type and bytes. ValueError, and
    other exceptions, for damaged data."""
    if restore is None:
        return _unpackb(data)

    return _unpackb(data, ext_hook=restore, strict_map_key=False, use_list=True)
