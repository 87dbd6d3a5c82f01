"""How a call ended, as data that a test compares."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

FLAGS = ("remote", "retryable", "overloaded", "durable_object_reset")


async def failure(call: Awaitable[object]) -> Any:
    """The error that a call ends with, with whatever attributes it has."""
    try:
        result = await call
    except Exception as error:
        return error

    raise AssertionError(f"the call ended well, with {result!r}")


def flags(error: Any) -> set[str]:
    """The flags that are set on an error; each is there, and a bool."""
    values = {name: getattr(error, name) for name in FLAGS}
    assert {type(value) for value in values.values()} == {bool}
    return {name for name, value in values.items() if value}
