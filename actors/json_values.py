"""JSON from strangers, made safe before anything is stored: one validator for every user value.

What passes can be read again by every client and every format we speak: finite numbers, integers of
64 bits, text that is valid UTF-8, at most `MAX_JSON_DEPTH` levels (realtime.md 0.3, 8).
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TypeVar, cast

import msgspec

from .errors import InvalidArgument, PayloadTooLarge
from .limits import MAX_JSON_DEPTH

T = TypeVar("T")

LOWEST_INT = -(2**63)
HIGHEST_INT = 2**64 - 1
# What msgspec says of a place begins with `$`. A client's own text may stand before it, in the name of
# an unknown field say: neither pattern goes back over what it has seen, whatever that text is.
AT = re.compile(r" - at `(?P<path>\$[^`]*)`$")
BRACKETS = re.compile(r"\[(?P<index>[^\[\]]*)\]")

encode = msgspec.json.Encoder().encode
_to_msgpack = msgspec.msgpack.Encoder().encode


def parse(data: bytes | str, kind: type[T], root: str = "") -> T:
    """The value of a JSON text, of the type `kind`. InvalidArgument: it is no JSON, or of another
    type; its `field` is the path below `root`."""
    try:
        value: T = decoder(cast("Any", kind)).decode(data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), root) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidArgument(f"{root or 'the body'} is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep(root) from None

    return value


def convert(value: object, kind: type[T], root: str = "") -> T:
    """A plain value as the type `kind`, likewise."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), root) from None


def check(value: object, field: str) -> None:
    """Refuse what is no JSON value that everyone can read. InvalidArgument names the path."""
    _check(value, field, 1)


def encode_within(value: object, field: str, max_bytes: int) -> bytes:
    """A value that was decoded from JSON, checked, as JSON again. InvalidArgument: see `check`.
    PayloadTooLarge: over `max_bytes`."""
    try:
        data = encode(value)
    except RecursionError:
        raise _too_deep(field) from None

    # Before a look at every part, which a body of nothing but brackets would make a long one.
    if len(data) > max_bytes:
        raise PayloadTooLarge(
            f"{field} is at most {max_bytes} bytes of JSON, not {len(data)}", field=field
        )

    if not is_plain(value, data):
        check(value, field)
    return data


def is_plain(value: object, data: bytes) -> bool:
    """Whether a value that was decoded from JSON, and is `data` again, passes `check`.

    What JSON can say beyond that is depth and large integers. The library refuses the latter in
    MessagePack, and needs a tenth of the time of our own walk for both texts."""
    try:
        _to_msgpack(value)
    except (OverflowError, RecursionError):
        return False

    return is_shallow(data) or not _is_deep(value)


def is_shallow(data: bytes) -> bool:
    """Whether a JSON text is surely not nested deeper than may be: it has too few brackets for that,
    those within its strings included."""
    return data.count(b"[") + data.count(b"{") <= MAX_JSON_DEPTH


def check_text(text: str, field: str, max_bytes: int) -> None:
    """Refuse a text that is empty, over `max_bytes` of UTF-8, or has control characters."""
    if not text:
        raise InvalidArgument(f"{field}: a text that is not empty", field=field)

    if text.isascii():
        size = len(text)
    else:
        _check_unicode(text, field)
        size = len(text.encode())
    if size > max_bytes:
        raise InvalidArgument(
            f"{field}: at most {max_bytes} bytes of UTF-8, not {size}", field=field
        )

    if not text.isprintable() and any(unicodedata.category(mark) == "Cc" for mark in text):
        raise InvalidArgument(f"{field}: a text without control characters", field=field)


def timestamp(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC, three decimals and `Z` (5.1)."""
    seconds, rest = divmod(ms, 1000)
    return f"{_whole(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=16)  # of a second many moments are told
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]  # half the time of strftime


def moment(text: str) -> int:
    """Milliseconds since the epoch of what `timestamp` wrote. ValueError: it is no such text."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _is_deep(value: object) -> bool:
    """Whether containers are nested deeper than may be, looked at level by level."""
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            member
            for container in level
            for member in (
                cast("dict[str, object]", container).values()
                if isinstance(container, dict)
                else cast("list[object]", container)
            )
            if member.__class__ in _CONTAINERS
        ]
        if not level:
            return False

    return True


def _check(value: object, field: str, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return

    if isinstance(value, str):
        if not value.isascii():
            _check_unicode(value, field)
    elif isinstance(value, int):
        if not LOWEST_INT <= value <= HIGHEST_INT:
            raise InvalidArgument(f"{field}: an integer has at most 64 bits", field=field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidArgument(f"{field}: a number is finite", field=field)
    elif depth > MAX_JSON_DEPTH:
        raise _too_deep(field)
    elif isinstance(value, dict):
        for key, member in cast("dict[object, object]", value).items():
            if not isinstance(key, str):
                raise InvalidArgument(f"{field}: a key is a text, not {key!r:.40}", field=field)
            if not key.isascii():
                _check_unicode(key, field)
            _check(member, f"{field}.{key}" if len(field) < 200 else field, depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(cast("list[object]", value)):
            if member.__class__ not in _SCALARS:
                _check(member, f"{field}.{index}" if len(field) < 200 else field, depth + 1)
            elif member.__class__ is not bool:
                _check(member, field, depth + 1)
    else:
        raise InvalidArgument(f"{field}: {type(value).__name__} is no JSON value", field=field)


_SCALARS = frozenset((str, int, float, bool, type(None)))
_CONTAINERS = frozenset((dict, list))


def _check_unicode(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{field}: a text is valid Unicode", field=field) from None


def _too_deep(field: str) -> InvalidArgument:
    where = field or "the body"
    return InvalidArgument(f"{where} is nested at most {MAX_JSON_DEPTH} deep", field=field or None)


def _invalid(problem: str, root: str) -> InvalidArgument:
    """msgspec's words, with the path as our callers write it: `message.actor.kind`."""
    found = AT.search(problem)
    path = "" if found is None else BRACKETS.sub(r".\g<index>", found["path"]).removeprefix("$")
    field = f"{root}{path}".strip(".")
    text = problem if found is None else problem[: found.start()]
    unknown = re.search(
        r"unknown field `(?P<name>[^`]*)`|missing required field `(?P<need>[^`]*)`", text
    )
    if unknown is not None:
        field = f"{field}.{unknown['name'] or unknown['need']}".strip(".")
    return InvalidArgument(f"{field}: {text}" if field else text, field=field or None)


@cache
def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """What decodes JSON of a type: made once, as msgspec looks at every annotation for it."""
    return msgspec.json.Decoder(kind)
