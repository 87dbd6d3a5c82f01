"""What counts as the same on both sides. Everything else must be equal, value for value."""

from __future__ import annotations

import json
from typing import Any

NOTHING: Any = object()  # what `get` is given as its default: JavaScript has undefined and null
FAR_MS = 4_000_000_000_000
LARGEST_EXACT = 2**53
FLAGS = {
    "remote": "remote",
    "retryable": "retryable",
    "overloaded": "overloaded",
    "durable_object_reset": "durableObjectReset",
}

# An error's class: ours, and what JavaScript calls it. The WebSocket API's DOMExceptions are plain
# wrong arguments here.
CLASSES = {
    "ValueError": "RangeError",
    "LimitError": "RangeError",
    "RuntimeError": "Error",
    "DurableObjectError": "Error",
    "OverloadedError": "Error",
    "InvalidAccessError": "RangeError",
    "SyntaxError": "RangeError",
}

# Limits are one class here, and of several there.
LIMITS = frozenset(
    (
        "too many tags",
        "tag too long",
        "attachment too large",
        "auto-response too large",
        "event timeout too long",
    )
)

# A part of an error's text, and the kind it stands for. A text without a kind is compared whole.
KINDS = {
    "called with undefined value": "no value",
    "may only be called with a single key-value pair": "no value",
    "put() missing": "no value",
    "both start and startAfter": "two starts",
    "List limit must be positive": "limit not positive",
    "on rolled back transaction": "rolled back",
    "transaction that has already committed": "committed",
    "outer transaction while a nested": "nested transaction runs",
    "deleteAll() within a transaction": "deleteAll in a transaction",
    "alarm time <= 0": "alarm time not positive",
    "dates after 2189": "alarm time too late",
    "not a valid Date": "no date",
    "nested too deeply": "nested too deeply",
    "Keys cannot be larger": "key too large",
    "key is too large": "key too large",
    "Values cannot be larger": "value too large",
    "more than 10 tags": "too many tags",
    "longer than the max tag length": "tag too long",
    "attempting to access the tags": "not accepted",
    "WebSocket 'attachment' cannot be larger": "attachment too large",
    "cannot be larger than 2048 bytes": "auto-response too large",
    "Event timeout should not exceed": "event timeout too long",
    "Invalid WebSocket close code": "close code",
    "must also specify a code": "reason without code",
    "close reason must not be": "reason too long",
    "send() after close()": "send after close",
}


def described(error: Any) -> dict[str, Any]:
    """An error, as it stands in a transcript before it is mapped."""
    return {"error": [type(error).__name__, str(error)]}


def failed(error: Exception) -> dict[str, Any]:
    """An error that crossed a stub, with the flags that are set."""
    flags = [name for attribute, name in FLAGS.items() if getattr(error, attribute, False)]
    return {**described(error), "flags": flags}


def shown(value: Any, operation: str) -> Any:
    """A result as JSON: a dict that stands for a Map is its entries in order."""
    if value is NOTHING:
        return {"undefined": True}

    if operation in ("get_many", "list", "kv_list") and isinstance(value, dict):
        return {"entries": [[key, each] for key, each in value.items()]}

    return value


def time_shown(ms: int | None) -> int | str | None:
    """A time near now differs from run to run."""
    return ms if ms is None or ms >= FAR_MS else "soon"


def mapped(value: Any) -> Any:
    """A transcript in the one form that is compared."""
    if isinstance(value, list):
        return [mapped(each) for each in value]

    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)

    if not isinstance(value, dict):
        return value

    if "error" in value:
        return {**value, "error": _error(*value["error"])}

    return {key: mapped(each) for key, each in value.items()}


def _number(number: float) -> float:
    """JavaScript has one kind of number, and writes a large one with digits that it has not."""
    if abs(number) > LARGEST_EXACT:
        return float(number)

    return int(number) if float(number).is_integer() else number


def _error(name: str, text: str) -> list[str]:
    kind = next((kind for part, kind in KINDS.items() if part in text), text)
    return ["limit" if kind in LIMITS else CLASSES.get(name, name), kind]


def canonical(transcript: Any) -> str:
    """Text that is equal when two mapped transcripts are: True is not 1 in it."""
    return json.dumps(mapped(transcript), sort_keys=True, indent=1)
