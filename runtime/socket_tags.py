"""The tags of an object's sockets: which there may be, and which one has.

A friend of `WebSocket`.
"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from . import limits
from .errors import DurableObjectError, LimitError
from .socket_states import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .web_socket import WebSocket


def check_tags(tags: object) -> tuple[str, ...]:
    """Distinct tags in order. TypeError: no collection of strings. LimitError: too many or too long,
    both counted while adding, as in semantics.md 7.2."""
    if not isinstance(tags, (list, tuple, set, frozenset)):
        raise TypeError(f"tags are a list of strings, not {type(tags).__name__}")

    distinct: dict[str, None] = {}
    for tag in cast("Iterable[object]", tags):
        text = str(tag) if isinstance(tag, int) else tag
        if not isinstance(text, str):
            raise TypeError(f"a tag is a string, not {type(tag).__name__}")
        if len(distinct) >= limits.MAX_TAGS:
            raise LimitError(
                f"a Hibernatable WebSocket cannot have more than {limits.MAX_TAGS} tags"
            )
        if len(text.encode()) > limits.MAX_TAG_BYTES:
            raise LimitError(
                f'"{text[:32]}..." is longer than the max tag length ({limits.MAX_TAG_BYTES} characters).'
            )
        distinct[text] = None
    return tuple(distinct)


def tags_of(ws: WebSocket) -> list[str]:
    """The tags of an end that an object has taken. DurableObjectError: none has."""
    if ws._mode in (Mode.NEW, Mode.USED):
        raise DurableObjectError(
            "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket."
        )

    if ws._mode is Mode.STANDARD:
        raise DurableObjectError("only hibernatable websockets can have tags.")

    return list(ws.tags)
