"""MessagePack, with the annotations that the package does not publish."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import msgpack as untyped_msgpack  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Callable

msgpack: Any = untyped_msgpack

_packb = cast("Callable[..., bytes]", msgpack.packb)
_unpackb = cast("Callable[..., Any]", msgpack.unpackb)

MAX_KEPT_BYTES = 65_536  # a packer keeps the buffer of the largest value it packed
# What it begins with; it grows. By MessagePack's default, 256 KiB, the packers of one deep value,
# one a level, would keep 32 MiB.
PACKER_BUFFER_BYTES = 512
# MessagePack's own timestamp, which nothing here writes, reads as a datetime: a known type.
AS_DATETIME = 3

# Makes an extension value from its type, 0 to 127, and its bytes.
extension = cast("Callable[[int, bytes], Any]", msgpack.ExtType)

# One for all, for None, bool, float, str, bytes and integers of 64 bits alone: packing those runs no
# Python code, so that nothing can come in between. OverflowError: a larger integer.
pack_scalar = cast("Callable[[object], bytes]", msgpack.Packer(strict_types=True).pack)


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
        packer = free.pop() if free else self._make()
        data: bytes = packer.pack(value)
        if len(data) <= MAX_KEPT_BYTES:
            free.append(packer)
        return data

    def _make(self) -> Any:
        return msgpack.Packer(
            default=self._default, strict_types=True, buf_size=PACKER_BUFFER_BYTES
        )


def unpack(data: bytes, restore: Callable[[int, bytes], Any] | None = None) -> Any:
    """The value of `data`; `restore` makes one from an extension's type and bytes. ValueError, and
    other exceptions, for damaged data."""
    if restore is None:
        return _unpackb(data)

    return _unpackb(data, ext_hook=restore, strict_map_key=False, timestamp=AS_DATETIME)


def unpack_inside(data: bytes, restore: Callable[[int, bytes], Any]) -> Any:
    """As `unpack`, for data inside of data: `unpack` takes 40 KB of the thread's stack at every
    level, and the end of the stack is the end of the process. This takes them from the heap."""
    unpacker: Any = msgpack.Unpacker(
        ext_hook=restore,
        strict_map_key=False,
        timestamp=AS_DATETIME,
        max_buffer_size=max(len(data), 1),
    )
    unpacker.feed(data)
    try:
        value = unpacker.unpack()
    except msgpack.OutOfData:
        raise ValueError("not an encoded value: it ends too early") from None

    if unpacker.tell() != len(data):
        raise ValueError("not an encoded value: something follows it")

    return value
