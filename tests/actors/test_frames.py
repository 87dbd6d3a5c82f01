"""Frames: what a client may send is taken apart the same way in both protocols, the rest refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import limits
from roomhost.actors.errors import InvalidArgument, RateLimited, RealtimeError
from roomhost.actors.frames import Frame, Protocol, ack, error, id_of, read, size_of, written

JSON, MSGPACK = Protocol.JSON, Protocol.MSGPACK
to_json = msgspec.json.Encoder().encode
to_msgpack = msgspec.msgpack.Encoder().encode

texts = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(["publish", "broadcast", "presence", "join", "ping"]) | texts
objects = st.dictionaries(
    st.sampled_from(["id", "message", "state", "presence", "memberId"]) | texts, values, max_size=4
)
almost = (objects | st.tuples(objects, kinds).map(lambda pair: {**pair[0], "type": pair[1]})).map(
    to_json
)


def frame(**fields: Any) -> str:
    """A JSON text frame."""
    return to_json(fields).decode()


def refusal(message: str | bytes, protocol: Protocol = JSON) -> InvalidArgument:
    """Why a frame is refused."""
    with pytest.raises(InvalidArgument) as caught:
        read(message, protocol)
    return caught.value


@given(st.text() | st.binary() | almost | almost.map(bytes.decode), st.sampled_from(Protocol))
def test_anything_is_a_frame_or_a_realtime_error(message: str | bytes, protocol: Protocol) -> None:
    """Whatever comes from outside, the room answers it."""
    try:
        taken = read(message, protocol)
    except RealtimeError as failure:
        assert msgspec.json.decode(error(id_of(message, protocol), failure))["type"] == "error"
    else:
        assert isinstance(msgspec.json.decode(taken.body), object)
        assert id_of(message, protocol) == taken.id


@given(almost)
def test_any_cut_or_changed_frame_is_a_frame_or_a_realtime_error(data: bytes) -> None:
    """In MessagePack too, where lengths come first."""
    packed = to_msgpack(msgspec.json.decode(data))
    for end in range(len(packed)):
        for cut in (packed[:end], packed[:end] + b"\xc1" + packed[end + 1 :]):
            try:
                read(cut, MSGPACK)
            except RealtimeError:
                id_of(cut, MSGPACK)


@given(objects, kinds)
def test_both_protocols_say_the_same(fields: dict[str, Any], kind: str) -> None:
    """The same object is the same Frame, or refused in the same words."""
    value = {**fields, "type": kind}
    outcomes: list[Frame | tuple[str, str | None]] = []
    for message, protocol in ((to_json(value).decode(), JSON), (to_msgpack(value), MSGPACK)):
        try:
            outcomes.append(read(message, protocol))
        except RealtimeError as failure:
            outcomes.append((failure.message, failure.field))
    assert outcomes[0] == outcomes[1]


@given(values, values)
def test_an_answer_is_the_same_object_in_both_protocols(number: Any, result: Any) -> None:
    """Its id is echoed, whatever JSON it is."""
    answer = ack(to_json(number), to_json(result))
    shown = written(answer, JSON)
    assert isinstance(shown, str)
    expected = {"type": "ack", "id": number, "result": result}
    assert msgspec.json.decode(shown) == expected
    packed = written(answer, MSGPACK)
    assert isinstance(packed, bytes)
    assert msgspec.msgpack.decode(packed) == expected


def test_the_input_of_a_frame_is_flat_but_for_messages() -> None:
    """publish and broadcast carry theirs under a name, because it has a type of its own."""
    message = {"type": "chat", "data": None}
    assert read(frame(type="publish", id=1, message=message), JSON) == Frame(
        "publish", b"1", b'{"type":"chat","data":null}', "message"
    )
    assert read(frame(type="join", memberId="ana"), JSON) == Frame(
        "join", None, b'{"memberId":"ana"}'
    )
    assert read(frame(type="leave", id=None), JSON) == Frame("leave", b"null", b"{}")


def test_state_is_another_name_of_presence() -> None:
    """Of a presence frame alone, and not both at once."""
    assert read(frame(type="presence", state={"x": 1}), JSON).body == b'{"presence":{"x":1}}'
    assert read(frame(type="join", state={}), JSON).body == b'{"state":{}}'
    assert refusal(frame(type="presence", state={}, presence={})).field == "state"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (frame(id=1), "type"),
        (frame(type=None), "type"),
        (frame(type=1), "type"),
        (frame(type="publish"), "message"),
        (frame(type="publish", message={}, data=1), "data"),
        (frame(type="join", id="x" * 255), "id"),
        ('"text"', None),
        ("[]", None),
        ("", None),
        ("{", None),
        ('{"type":"join"} ', None),
        ("\ud800", None),
        ('{"type":"join","x":' + "[" * 200_000, None),
    ],
)
def test_what_is_wrong_with_a_frame_is_named(message: str, field: str | None) -> None:
    """The field where there is one."""
    if message.endswith(" "):
        assert read(message, JSON).kind == "join"
    else:
        assert refusal(message).field == field


def test_an_id_of_256_bytes_is_the_longest() -> None:
    """Counted as JSON."""
    longest = "x" * (limits.MAX_FRAME_ID_BYTES - 2)
    assert read(frame(type="join", id=longest), JSON).id == f'"{longest}"'.encode()
    assert id_of(frame(type="join", id=longest + "x"), JSON) is None


def test_each_protocol_has_its_kind_of_frames() -> None:
    """The id is told all the same."""
    assert "text frames" in refusal(b'{"type":"ping"}').message
    assert "binary frames" in refusal('{"type":"ping"}', MSGPACK).message


@pytest.mark.parametrize("value", [b"bytes", float("inf"), {1: 2}, msgspec.msgpack.Ext(5, b"")])
def test_messagepack_holds_what_json_can(value: Any) -> None:
    """Nothing else."""
    assert "frame" in refusal(to_msgpack({"type": "join", "presence": value}), MSGPACK).message


def test_an_error_says_what_a_client_can_do() -> None:
    """And only what there is to say; it does not repeat a long input."""
    failure = RateLimited("too much", field="f" * 2_000, retry_after_ms=20)
    assert msgspec.json.decode(error(b'{"a":1}', failure)) == {
        "type": "error",
        "id": {"a": 1},
        "code": "rate_limited",
        "message": "too much",
        "retryable": True,
        "field": "f" * 1_000,
        "retryAfterMs": 20,
    }
    name = "x" * 1_000_000
    assert len(error(None, refusal(frame(type="publish", message={}, **{name: 1})))) < 3_000


def test_the_size_of_a_text_is_that_of_its_utf_8() -> None:
    """Which is what travels."""
    assert [size_of(text) for text in ("abc", "é", "\U0001f600", b"abc")] == [3, 2, 4, 3]
