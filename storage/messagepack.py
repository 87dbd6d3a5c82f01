"""MessagePack, with the annotations that the package does not publish."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import msgpack as untyped_msgpack  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Callable

msgpack: Any = untyped_msgpack

MAX_KEPT_BYTES = 65_536  # a packer keeps the buffer of the largest value it packed

_packb = cast("Callable[..., bytes]", msgpack.packb)
_unpackb = cast("Callable[..., Any]", msgpack.unpackb)

# Makes an extension value from its type, 0 to 127, and its bytes.
extension = cast("Callable[[int, bytes], Any]", msgpack.ExtType)


def pack(value: object) -> bytes:
    """Plain values as MessagePack."""
    return _packb(value)


class PackerStock(threading.local):
    """Packers that are used again, for each thread its own.

    `default` turns what MessagePack does not know, subclasses too, into an extension; it may call
    `pack` for what is inside.
    """

    def __init__(self, default: Callable[[object], Any]) -> None:
        self._default = default
        self._free: list[Any] = []

    def pack(self, value: object) -> bytes:
        """`value` as MessagePack. ValueError, OverflowError, TypeError: it cannot be packed."""
        free = self._free
        packer = free.pop() if free else msgpack.Packer(default=self._default, strict_types=True)
        data: bytes = packer.pack(value)
        if len(data) <= MAX_KEPT_BYTES:
            free.append(packer)
        return data


def unpack(data: bytes, restore: Callable[[int, bytes], Any] | None = None) -> Any:
    """The value of `data`; `restore` makes one from an extension's type and bytes. ValueError, and
    other exceptions, for damaged data."""
    if restore is None:
        return _unpackb(data)

    return _unpackb(data, ext_hook=restore, strict_map_key=False, use_list=True)
