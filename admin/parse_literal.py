"""A value that somebody typed: a Python literal, with the calls that `literals` writes, or JSON."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

CALLS: dict[str, Any] = {
    "Decimal": Decimal,
    "UUID": UUID,
    "date": date,
    "date.fromisoformat": date.fromisoformat,
    "datetime": datetime,
    "datetime.fromisoformat": datetime.fromisoformat,
    "float": float,
    "frozenset": frozenset,
    "set": set,
    "timedelta": timedelta,
    "timezone": timezone,
}
NAMES: dict[str, Any] = {"UTC": UTC, "timezone.utc": UTC}
MAX_DEPTH = 200  # of the expression; a stored value may have 128 levels
EXAMPLES = (
    "5, 'text', b'bytes', [1, {'a': None}], Decimal('1.5') or "
    "datetime.fromisoformat('2026-01-31T12:00Z')"
)


def parse_literal(text: str) -> Any:
    """The value that `text` stands for. ValueError: it is neither; nothing is ever run."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, 0)
    except (
        SyntaxError,
        ValueError,
        TypeError,
        AttributeError,  # UUID(1)
        ArithmeticError,
        RecursionError,
        MemoryError,
    ) as error:
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ValueError(
                f"neither a Python literal nor JSON ({_reason(error)}); write it as {EXAMPLES}"
            ) from None


def _value(node: ast.expr, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")

    below = depth + 1
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=value)):
            return _signed(sign, value)
        case ast.List(elts=members):
            return [_value(member, below) for member in members]
        case ast.Tuple(elts=members):
            return tuple(_value(member, below) for member in members)
        case ast.Set(elts=members):
            return {_value(member, below) for member in members}
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_key(key, below): _value(value, below) for key, value in pairs}
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return _call(_dotted(function), arguments, keywords, below)
        case ast.Name() | ast.Attribute():
            return _named(_dotted(node))
        case _:
            raise ValueError(f"{type(node).__name__} is no literal")


def _signed(sign: ast.unaryop, value: object) -> int | float:
    if type(value) is not int and type(value) is not float:
        raise ValueError("a sign stands before a number")

    return -value if isinstance(sign, ast.USub) else value


def _key(node: ast.expr | None, depth: int) -> Any:
    if node is None:
        raise ValueError("** is no key")

    return _value(node, depth)


def _call(name: str, arguments: list[ast.expr], keywords: list[ast.keyword], depth: int) -> Any:
    function = CALLS.get(name)
    if function is None:
        raise ValueError(f"{name}() is none of {', '.join(sorted(CALLS))}")

    named: dict[str, Any] = {}
    for keyword in keywords:
        if keyword.arg is None:
            raise ValueError("** is no argument")
        named[keyword.arg] = _value(keyword.value, depth)
    return function(*(_value(argument, depth) for argument in arguments), **named)


def _named(name: str) -> Any:
    if name not in NAMES:
        raise ValueError(f"{name} is no value")

    return NAMES[name]


def _dotted(node: ast.expr) -> str:
    """A name, without the name of its module before it."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return (
                name
                if owner in ("datetime", "decimal", "uuid") and name in CALLS
                else f"{owner}.{name}"
            )
        case ast.Attribute(
            value=ast.Attribute(value=ast.Name(id="datetime"), attr=owner), attr=name
        ):
            return f"{owner}.{name}"
        case _:
            raise ValueError("only a name may be called")


def _reason(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
