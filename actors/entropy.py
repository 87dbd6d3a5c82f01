"""Random bytes of the system, taken many at once: a message id needs eight, and a system call."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from .limits import ENTROPY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


class Entropy:
    """`entropy(n)`: n random bytes, given out once. One event loop uses it."""

    __slots__ = ("_source", "_taken", "_unused")

    def __init__(self, source: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._source = source
        self._unused = b""
        self._taken = 0

    def __call__(self, count: int) -> bytes:
        start, end = self._taken, self._taken + count
        if end > len(self._unused):
            self._unused = self._source(max(count, ENTROPY_BYTES))
            start, end = 0, count
        self._taken = end
        return self._unused[start:end]
