"""Queries of URLs: what they may hold, and an operation's input out of one."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import parse_qsl

import msgspec

from ..runtime.api_keys import is_api_key
from .errors import InvalidArgument
from .json_values import encode
from .limits import MAX_QUERY_BYTES, MAX_QUERY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
BOOLEANS = {"true": True, "false": False}
CREDENTIALS = frozenset(
    ("access_token", "api-key", "api_key", "apikey", "authorization", "bearer", "key", "token")
)

Pairs = list[tuple[str, str]]


def parse_query(query: bytes) -> Pairs:
    """The fields of a query, decoded. InvalidArgument: it is too long, or no percent-encoded UTF-8."""
    if len(query) > MAX_QUERY_BYTES:
        raise InvalidArgument(f"a query is at most {MAX_QUERY_BYTES} bytes")

    try:
        return parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_QUERY_FIELDS,
        )
    except UnicodeError:
        raise InvalidArgument("a query is percent-encoded UTF-8") from None
    except ValueError:
        raise InvalidArgument(f"a query has at most {MAX_QUERY_FIELDS} fields") from None


def check_no_credential(pairs: Pairs, api_keys: Sequence[str], but: str | None = None) -> None:
    """InvalidArgument: the URL holds an API key or a token. It is refused even where it is not
    needed: what is in a URL ends up in logs, in histories and with other sites. `but`: a field that
    may hold a token, for clients that have no other way."""
    for name, value in pairs:
        secret = is_api_key(value.encode("utf-8", "surrogatepass"), api_keys)
        if secret or (name.lower() in CREDENTIALS and name != but):
            raise InvalidArgument(
                "a URL may not hold an API key or a token, because URLs are logged: replace that "
                "one, and send it as Authorization: Bearer, or a token as a subprotocol",
                field=None if secret else name,
            )


def input_of(pairs: Pairs, kind: type[msgspec.Struct]) -> bytes:
    """The JSON of an input from a query, each value by the type of its field. InvalidArgument: a
    field that the input does not have, that is there twice, or that is not of its type."""
    fields = _fields(kind)
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InvalidArgument(
                f"{name:.40}: no field of this query; there are: {known}", field=name
            )

        if name in values:
            raise InvalidArgument(f"{name} is there twice", field=name)

        values[name] = _value(name, value, set(_scalars(fields[name])))
    return encode(values)


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The types of an input's fields; msgspec looks at every annotation to tell."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _value(name: str, value: str, kinds: set[type]) -> Any:
    if bool in kinds:
        if value not in BOOLEANS:
            raise InvalidArgument(f"{name} is true or false", field=name)

        return BOOLEANS[value]

    if int in kinds:
        if not INTEGER.fullmatch(value):
            raise InvalidArgument(f"{name} is an integer", field=name)

        return int(value)

    return value


def _scalars(kind: Any) -> Iterable[type]:
    """The plain types of an annotation: `int` of `Annotated[int, ...] | None`."""
    if isinstance(kind, type):
        yield kind
    for inner in get_args(kind):
        yield from _scalars(inner)
