"""What a caller's JSON may hold, and what a result's leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_type_hints

import msgspec
import pytest

import roomhost.actors
from roomhost.actors import (
    RealtimeCrdtDocumentUpdate,
    RealtimeCrdtUpdateOptions,
    RealtimeDestroyOptions,
    RealtimeHistoryMessage,
    RealtimeHistoryOptions,
    RealtimeJoinOptions,
    RealtimeMessageInput,
    RealtimePresenceOptions,
    RealtimePrincipal,
    RealtimePublishResult,
    RealtimeResumeOptions,
    RealtimeResumeResult,
    RealtimeRetentionOptions,
)
from roomhost.actors.types import Input, Output

TYPES: list[type[msgspec.Struct]] = [
    value
    for value in (getattr(roomhost.actors, name) for name in roomhost.actors.__all__)
    if isinstance(value, type) and issubclass(value, Output)
]
INPUTS = [kind for kind in TYPES if issubclass(kind, Input)]
MESSAGE = {
    "messageId": "1",
    "room": "lobby",
    "kind": "room",
    "type": "chat",
    "metadata": {},
    "publishedAt": "2026-05-25T00:00:00.000Z",
}


def names(kinds: Sequence[type[msgspec.Struct]]) -> list[str]:
    """For the names of parametrized tests."""
    return [kind.__name__ for kind in kinds]


@pytest.mark.parametrize(
    ("kind", "given", "path"),
    [
        (RealtimeMessageInput, {"type": 5}, "type"),
        (RealtimeMessageInput, {"type": None}, "type"),
        (RealtimeMessageInput, {"type": ["chat"]}, "type"),
        (RealtimeMessageInput, {"type": "chat", "metadata": []}, "metadata"),
        (RealtimeMessageInput, {"type": "chat", "metadata": "{}"}, "metadata"),
        (RealtimeMessageInput, {"type": "chat", "idempotencyKey": 1}, "idempotencyKey"),
        (RealtimeMessageInput, {"type": "chat", "actor": "ann"}, "actor"),
        (RealtimeMessageInput, {"type": "chat", "actor": {"kind": "admin"}}, "actor.kind"),
        (RealtimeMessageInput, {"type": "chat", "actor": {"kind": "user", "id": 1}}, "actor.id"),
        (RealtimePrincipal, {"kind": True}, "kind"),
        (RealtimeJoinOptions, {"memberId": 7}, "memberId"),
        (RealtimeJoinOptions, {"presence": [1]}, "presence"),
        (RealtimePresenceOptions, {"presence": False}, "presence"),
        (RealtimeHistoryOptions, {"limit": True}, "limit"),
        (RealtimeHistoryOptions, {"limit": "5"}, "limit"),
        (RealtimeHistoryOptions, {"cursor": 5}, "cursor"),
        (RealtimeDestroyOptions, {"deleteHistory": 1}, "deleteHistory"),
        (RealtimeDestroyOptions, {"deleteHistory": "true"}, "deleteHistory"),
        (RealtimeResumeOptions, {"epoch": "1-a", "seq": -1}, "seq"),
        (RealtimeResumeOptions, {"epoch": "1-a", "seq": 2**53}, "seq"),
        (RealtimeResumeOptions, {"epoch": "1-a", "seq": 1.0}, "seq"),
        (RealtimeResumeOptions, {"epoch": None, "seq": 1}, "epoch"),
        (RealtimeRetentionOptions, {"maxMessages": 0}, "maxMessages"),
    ],
)
def test_another_type_is_refused(
    kind: type[msgspec.Struct], given: dict[str, Any], path: str
) -> None:
    """Nothing is converted: a bool is no number, a text no number, a list no object."""
    with pytest.raises(msgspec.ValidationError, match=rf"at `\$\.{path}`"):
        msgspec.json.decode(msgspec.json.encode(given), type=kind)


@pytest.mark.parametrize("kind", INPUTS, ids=names(INPUTS))
def test_an_input_has_no_field_of_another_name(kind: type[msgspec.Struct]) -> None:
    """A field that is misspelt is refused rather than ignored, its name in snake case too."""
    for wrong in ("surprise", "member_id", "__proto__", ""):
        with pytest.raises(msgspec.ValidationError, match=f"unknown field `{wrong}`"):
            msgspec.convert({**needed(kind), wrong: 1}, kind)


def test_the_inside_of_an_input_has_none_either() -> None:
    """The same holds for its actor."""
    given = {"type": "chat", "actor": {"kind": "user", "role": "admin"}}
    with pytest.raises(msgspec.ValidationError, match=r"unknown field `role` - at `\$.actor`"):
        msgspec.convert(given, RealtimeMessageInput)


@pytest.mark.parametrize("kind", INPUTS, ids=names(INPUTS))
def test_null_is_missing(kind: type[msgspec.Struct]) -> None:
    """An optional field that is null is one that is not there; only JSON payloads know null."""
    nulls = {
        field.encode_name: None
        for field in msgspec.structs.fields(kind)
        if not field.required and field.default is None
    }
    assert msgspec.convert({**needed(kind), **nulls}, kind) == msgspec.convert(needed(kind), kind)


def test_results_of_a_newer_host_are_read() -> None:
    """What a result says beyond its fields is ignored."""
    given = {"room": "lobby", "kind": "room", "messageId": "1", "publishedAt": "t", "shard": 3}
    assert msgspec.convert(given, RealtimePublishResult).message_id == "1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"type":"a"}', msgspec.UNSET),
        (b'{"type":"a","data":null}', None),
        (b'{"type":"a","data":false}', False),
        (b'{"type":"a","data":0}', 0),
        (b'{"type":"a","data":""}', ""),
        (b'{"type":"a","data":{}}', {}),
        (b'{"type":"a","data":[null]}', [None]),
    ],
)
def test_absent_data_stays_absent_and_null_stays_null(text: bytes, value: object) -> None:
    """In a message, and in its record."""
    message = msgspec.json.decode(text, type=RealtimeMessageInput)
    assert message.data is value or message.data == value
    assert msgspec.json.encode(message) == text
    record = msgspec.convert({**MESSAGE, **msgspec.json.decode(text)}, RealtimeHistoryMessage)
    assert (b'"data"' in msgspec.json.encode(record)) == (value is not msgspec.UNSET)
    assert msgspec.json.decode(msgspec.json.encode(record), type=RealtimeHistoryMessage) == record


def test_an_update_may_be_null_and_may_not_be_absent() -> None:
    """The payload of a JSON update is the caller's alone."""
    options = msgspec.json.decode(b'{"update":null}', type=RealtimeCrdtUpdateOptions)
    assert options.update is None
    assert msgspec.json.encode(options) == b'{"update":null}'
    record = RealtimeCrdtDocumentUpdate(update_id="1", update=None, applied_at="t")
    assert b'"update":null' in msgspec.json.encode(record)
    with pytest.raises(msgspec.ValidationError, match="required field `update`"):
        msgspec.json.decode(b"{}", type=RealtimeCrdtUpdateOptions)


def test_a_result_has_no_nulls() -> None:
    """What it has not, it leaves out; `false` and 0 it has."""
    lost = RealtimeResumeResult(recovered=False, reason="epoch_changed")
    assert msgspec.json.encode(lost) == b'{"recovered":false,"reason":"epoch_changed"}'
    found = RealtimeResumeResult(recovered=True, epoch="1-a", seq=0)
    assert msgspec.json.encode(found) == b'{"recovered":true,"epoch":"1-a","seq":0}'


@pytest.mark.parametrize("kind", TYPES, ids=names(TYPES))
def test_every_type_is_made_the_same_way(kind: type[msgspec.Struct]) -> None:
    """Immutable, by keyword, in camel case; inputs alone know all of their fields."""
    config = kind.__struct_config__
    assert config.frozen and config.omit_defaults
    assert config.forbid_unknown_fields == issubclass(kind, Input)
    assert set(get_type_hints(kind)) >= set(kind.__struct_fields__)
    value = msgspec.convert(needed(kind), kind)
    with pytest.raises(AttributeError, match="immutable"):
        setattr(value, kind.__struct_fields__[0], None)

    with pytest.raises(TypeError, match="positional"):
        kind("text")


def needed(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A value for each field that a type needs, by its name in JSON."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
    samples = {"string": "text", "integer": 1, "boolean": True, "array": [], "object": {}, "": {}}
    return {
        name: (schema["properties"][name].get("enum") or [samples[type_of(schema, name)]])[0]
        for name in schema["required"]
    }


def type_of(schema: dict[str, Any], name: str) -> str:
    """The JSON type of a property, `""` for any."""
    found: str = schema["properties"][name].get("type", "")
    return found
