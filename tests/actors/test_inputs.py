"""What operations are given: from code and from JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given

from roomhost.actors.errors import InvalidArgument, PayloadTooLarge, RealtimeError
from roomhost.actors.inputs import MESSAGE, plain_json
from roomhost.actors.json_values import encode
from roomhost.actors.limits import MAX_BODY_BYTES, MAX_DATA_BYTES, MAX_JSON_DEPTH
from roomhost.actors.types import RealtimeMessageInput, RealtimePrincipal

from .test_json_values import VALUES, nested


class Colour(Enum):
    """No JSON value."""

    RED = "red"


class Word(StrEnum):
    """A text."""

    ONE = "one"


def outcome(work: Any) -> Any:
    """The result of work, or how it was refused."""
    try:
        return work()
    except RealtimeError as error:
        return type(error), error.code, error.field, error.message


def looked_at(message: RealtimeMessageInput) -> tuple[bytes, Any]:
    """What `take` returns, found by a walk through every part."""
    body = plain_json(message)
    return body, MESSAGE.parse(body)


@given(VALUES)
def test_what_code_gives_is_taken_or_refused_as_if_all_of_it_was_looked_at(data: Any) -> None:
    """With the same words."""
    message = RealtimeMessageInput(type="note", data=data, metadata={"of": data})
    assert outcome(lambda: MESSAGE.take(message)) == outcome(lambda: looked_at(message))


@pytest.mark.parametrize(
    "data",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        Colour.RED,
        [float("nan")],
        {"a": {1: 2}},
        b"bytes",
        2**64,
        nested(MAX_JSON_DEPTH + 1),
        nested(5_000),
    ],
)
def test_a_value_that_json_has_not_is_refused(data: Any) -> None:
    """Though the encoder would make another one of it."""
    with pytest.raises(InvalidArgument) as caught:
        MESSAGE.take(RealtimeMessageInput(type="note", data=data))
    assert caught.value.field is not None
    assert caught.value.field.startswith("data")


@pytest.mark.parametrize("data", [(1, (2,)), Word.ONE, {Word.ONE: [1.0, None]}, "[" * 100])
def test_what_json_has_by_another_name_is_taken(data: Any) -> None:
    """Tuples are arrays, a text is one of whatever class."""
    body, message = MESSAGE.take(RealtimeMessageInput(type="note", data=data))
    assert body == encode({"type": "note", "data": data})
    assert encode(message) == body


def test_types_and_bounds_are_checked_of_code_too() -> None:
    """Of the input as of its fields."""
    wrong: Any = 5
    with pytest.raises(InvalidArgument, match="type"):
        MESSAGE.take(RealtimeMessageInput(type=wrong))
    with pytest.raises(PayloadTooLarge, match="data"):
        MESSAGE.take(RealtimeMessageInput(type="note", data="x" * MAX_DATA_BYTES))
    with pytest.raises(PayloadTooLarge, match="an input"):
        MESSAGE.take(RealtimeMessageInput(type="note", data="x" * MAX_BODY_BYTES))
    with pytest.raises(InvalidArgument, match="actor"):
        MESSAGE.take(RealtimeMessageInput(type="note", actor=RealtimePrincipal(kind="user")))
