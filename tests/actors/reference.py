"""The API reference as data, and a struct as the reference would write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import inspect

TEXT = (Path(__file__).parent / "api_reference.txt").read_text(encoding="utf-8")
DEFAULT = re.compile(r"Defaults to (\w+)\.")
SIGNATURE = re.compile(r"(\w+)\((?:(\w+)(\?)?: (\w+))?\): ([\w\[\]]+)")
OPAQUE = ("Layeron.Observability.ObservabilityConfig", "Layeron.Common.Placement.LayeronPlacement")


class Field(NamedTuple):
    """A row of a type's table. `default`: the word that the description has for it."""

    name: str
    type: str
    optional: bool
    default: str | None = None


class Signature(NamedTuple):
    """An operation: its parameter, if it has one, and what it returns."""

    name: str
    parameter: str | None
    optional: bool
    argument: str | None
    result: str


def types_of(text: str) -> dict[str, dict[str, Field]]:
    """Every type of the reference, and its fields by their names in JSON."""
    return {
        title: {row.name: row for row in rows(body)}
        for title, body in sections(text)
        if "| Field | Type | Description |" in body
    }


def operations_of(text: str) -> dict[str, Signature]:
    """Every operation of the reference."""
    found: dict[str, Signature] = {}
    for title, body in sections(text.partition("# Operations\n")[2]):
        match = SIGNATURE.fullmatch(body.strip().splitlines()[-1])
        assert match is not None and match[1] == title, title
        found[title] = Signature(match[1], match[2], match[3] is not None, match[4], match[5])

    return found


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Titles and what is under each."""
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        yield title, body


def rows(body: str) -> Iterator[Field]:
    """The rows of a table: `name | type | description |`, where a type may have bars of its own."""
    for line in body.partition("|---|---|---|\n")[2].splitlines():
        if line:
            name, *words, description = line.removesuffix(" |").split(" | ")
            optional = "undefined" in words
            default = DEFAULT.search(description)
            kept = [re.sub("[“”]", '"', word) for word in words if word != "undefined"]
            written = " | ".join("Record<unknown>" if word in OPAQUE else word for word in kept)
            yield Field(name, written, optional, default and default[1])


def fields_of(struct: type[msgspec.Struct]) -> dict[str, Field]:
    """The fields of a struct as the reference would have them, without defaults."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return {
        field.encode_name: Field(field.encode_name, written(field.type), not field.required)
        for field in info.fields
    }


def written(kind: inspect.Type) -> str:
    """A type in the words of the reference; what it has no word for, in Python's."""
    match kind:
        case inspect.AnyType():
            return "unknown"
        case inspect.StrType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType(ge=0 | 1, le=2_147_483_647):
            return "int32"
        case inspect.DictType(key_type=inspect.StrType(), value_type=inspect.AnyType()):
            return "Record<unknown>"
        case inspect.ListType() | inspect.VarTupleType():
            return f"{written(kind.item_type)}[]"
        case inspect.LiteralType():
            return " | ".join(f'"{value}"' for value in ordered(kind.values))
        case inspect.StructType():
            return kind.cls.__name__
        case inspect.UnionType():
            return " | ".join(
                written(member) for member in kind.types if not isinstance(member, inspect.NoneType)
            )
        case _:
            return repr(kind)


def ordered(values: Iterable[object]) -> list[object]:
    """Literal values as the reference lists them; msgspec gives them sorted."""
    order = ("room", "channel", "active", "idle", "destroyed", "anonymous", "user")
    return sorted(values, key=lambda value: (*order, value).index(value))


def snake(name: str) -> str:
    """The attribute of a JSON name: `updateBase64` is `update_base64`."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
