"""What clients of rooms send as objects: bodies, queries, and frames in JSON and in MessagePack."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import strategies as st

from roomhost.actors.bodies import check_keys
from roomhost.actors.errors import RealtimeError
from roomhost.actors.frames import Protocol, error, id_of, read, written
from roomhost.actors.inputs import Nothing
from roomhost.actors.json_values import encode, parse
from roomhost.actors.operations import BY_FRAME, OPERATIONS
from roomhost.actors.queries import check_no_credential, input_of, parse_query
from roomhost.actors.upgrade import position_of

from ..grammar import broken, json_objects, json_values, keys, near, packed, packed_values, scalars
from ..target import MAX_INPUT_BYTES, Target, demand, refused
from .collisions import colliding_keys

NAMES = tuple(sorted(OPERATIONS))
actors = json_objects(
    dict.fromkeys(("kind", "id", "userId", "sessionId", "displayName"), st.text(max_size=5))
).map(json.loads)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        ("memberId", "clientId", "type", "idempotencyKey", "epoch"), st.text(max_size=6)
    ),
    **dict.fromkeys(("data", "metadata", "presence", "state", "update"), json_values),
    **dict.fromkeys(("limit", "seq", "ttlSeconds", "expectedVersion"), st.integers(-1, 2**40)),
    **dict.fromkeys(("updateBase64", "stateVectorBase64"), st.sampled_from(("AAA=", "AA==", "A"))),
    "actor": actors,
    "cursor": st.text(max_size=9),
    "snapshotId": st.text(max_size=3),
    "capabilities": st.lists(st.sampled_from(("publish", "admin", "x"))),
}
inputs = json_objects(FIELDS)


def run_body(data: bytes) -> None:
    """Of every operation, which the first byte chooses: a RealtimeError that can be told, or an input
    that stays what it is when it is read again."""
    operation = OPERATIONS[NAMES[data[0] % len(NAMES)]] if data else OPERATIONS["publish"]
    body = data[1:]
    try:
        value = operation.input.parse(body)
    except RealtimeError as failure:
        _check_told(failure, None)
        return

    if not isinstance(value, msgspec.Struct):
        return

    again = operation.input.parse(encode(value))
    demand(again == value, "another input the second time", body)
    try:
        check_keys(body)
    except RealtimeError as failure:
        _check_told(failure, None)


def run_query(data: bytes) -> None:
    """Of a URL: a RealtimeError, or the input of any operation that is asked for so."""
    pairs = refused(parse_query, data, by=RealtimeError)
    if pairs is None:
        return

    refused(check_no_credential, pairs, ("key",), by=RealtimeError)
    refused(position_of, pairs, by=RealtimeError)
    for name in ("members", "history", "lifecycle", "document"):
        kind = OPERATIONS[name].input.kind
        body = refused(input_of, pairs, kind, by=RealtimeError)
        if body is not None:
            refused(OPERATIONS[name].input.parse, body, by=RealtimeError)
    refused(input_of, pairs, Nothing, by=RealtimeError)


def run_json_frame(data: bytes) -> None:
    """A text frame."""
    _run_frame(data.decode("utf-8", "replace"), Protocol.JSON)


def run_packed_frame(data: bytes) -> None:
    """A binary frame: what is read of it is what JSON has; and the frame is read the same from JSON."""
    _run_frame(data, Protocol.MSGPACK)
    if len(data) > MAX_INPUT_BYTES:
        return  # what is compared with has no bounds

    try:
        value = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return

    taken = refused(read, data, Protocol.MSGPACK, by=RealtimeError)
    if not _is_plain(value):
        demand(taken is None or _is_deep(value), "what JSON has not is taken", value)
        return

    text = json.dumps(value, ensure_ascii=False)
    other = refused(read, text, Protocol.JSON, by=RealtimeError)
    demand((taken is None) == (other is None), "one protocol refuses it", text)
    if taken is not None and other is not None:
        same = json.loads(taken.body) == json.loads(other.body) and taken.kind == other.kind
        demand(same, "the protocols read another frame", taken, other)


def _is_plain(value: Any) -> bool:
    """Whether every part of a value is of JSON, and it is not so deep that only one may refuse it."""
    parts = list(_parts(value))
    return not _is_deep(value) and all(
        isinstance(part, (str, int, dict, list, type(None)))
        or (isinstance(part, float) and math.isfinite(part))
        for part in parts
    )


def _is_deep(value: Any) -> bool:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [part for one in level for part in _inside(one)]
    return depth > 60


def _parts(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, dict):
            yield from (key if isinstance(key, str) else b"" for key in one)
        waiting += _inside(one)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def _run_frame(message: str | bytes, protocol: Protocol) -> None:
    try:
        frame = read(message, protocol)
    except RealtimeError as failure:
        frame_id = id_of(message, protocol)
        _check_told(failure, frame_id, protocol)
        return

    demand(isinstance(json.loads(frame.body), object), "no JSON", frame)
    demand(id_of(message, protocol) == frame.id, "another id", frame)
    operation = BY_FRAME.get(frame.kind)
    if operation is None:
        return

    try:
        operation.input.parse(frame.body, frame.root)
    except RealtimeError as failure:
        _check_told(failure, frame.id, protocol)


def _check_told(
    failure: RealtimeError, frame_id: bytes | None, protocol: Protocol = Protocol.JSON
) -> None:
    """A client can be told in its protocol, in few bytes, and the code is one of those there are."""
    demand(failure.code != "internal", "a fault of ours", failure)
    demand(
        failure.code in (type(failure).code, *type(failure).other_codes), "no code", failure.code
    )
    answer = error(frame_id, failure)
    demand(len(answer) < 16_000, "a long answer", len(answer))
    demand(parse(answer, dict)["type"] == "error", "no answer", answer)
    written(answer, protocol)


def _frame(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


def _with_operation(name: str, /, **fields: Any) -> bytes:
    return bytes((NAMES.index(name),)) + _frame(**fields)


def _unclosed(size: int) -> bytes:
    """A field whose name looks like the path of an error, full of brackets."""
    return b'\x00{" - at `$' + b"[" * size + b'":1}'


FRAMES = (
    _frame(type="publish", id=1, message={"type": "chat", "data": {"text": "hi"}}),
    _frame(type="presence", id="a", state={"x": 1.5, "y": [None, True]}),
    _frame(type="join", memberId="ann", actor={"kind": "user", "userId": "ann"}, metadata={"a": 1}),
    _frame(type="history", limit=10, cursor="x"),
    _frame(type="resume", epoch="e", seq=3),
    _frame(type="yjs.update", updateBase64="AAA="),
    _frame(type="awareness", state={"user": {"name": "é"}}, clientId="1"),
    _frame(type="ping"),
)
PACKED = tuple(packed(msgspec.json.decode(frame)) for frame in FRAMES)
# What JSON has not.
_odd = tuple(
    packed({"type": "presence", "presence": value})
    for value in ({1: 2}, {(1, 2): 3}, b"bytes", float("nan"), msgspec.msgpack.Ext(5, b""))
)
_bodies = (
    _with_operation("publish", type="chat", data={"a": [1, None]}, idempotencyKey="k"),
    _with_operation("join", memberId="ann", actor={"kind": "user", "userId": "a"}, presence={}),
    _with_operation("authorize", capabilities=["publish"], ttlSeconds=60, memberId="ann"),
    _with_operation("presence", memberId="ann", presence={"typing": True}),
    _with_operation("apply_yjs_update", updateBase64="AAA="),
    _with_operation("awareness", state={"a": 1}),
    _with_operation("history", limit=5),
)
_queries = (
    b"limit=5&cursor=a%20b",
    b"epoch=e&seq=12",
    b"limit=%ff",
    b"a=1&a=2&token=x",
    b"key=key",
)
_typed = st.sampled_from((*sorted(BY_FRAME), "ping", "resume", "x"))
json_frames = st.builds(
    lambda body, kind, under: (
        _frame(type=kind, id=1, message=msgspec.json.decode(body))
        if under
        else _frame(**{"id": 2, **msgspec.json.decode(body), "type": kind})
    ),
    inputs,
    _typed,
    st.booleans(),
)

TARGETS = (
    Target(
        "bodies",
        run_body,
        _bodies,
        near(_bodies)
        | st.builds(lambda n, body: bytes((n,)) + body, st.integers(0, len(NAMES)), broken(inputs)),
        {
            "brackets in a name": _unclosed,
            "lists": lambda size: _bodies[0][:1] + b'{"data":' + b"[" * size,
            "many keys": lambda size: (
                _bodies[0][:1]
                + b'{"type":"a","data":{'
                + b",".join(b'"%d":1' % number for number in range(size // 9))
                + b"}}"
            ),
            "twice": lambda size: (
                _bodies[0][:1] + b'{"type":"a","data":{' + b'"k":1,' * (size // 6) + b'"k":1}}'
            ),
            "digits": lambda size: _bodies[0][:1] + b'{"type":"a","data":' + b"9" * size + b"}",
            "escapes": lambda size: (
                _bodies[0][:1] + b'{"type":"' + b"\\u00e9" * (size // 6) + b'"}'
            ),
            "base64": lambda size: (
                bytes((NAMES.index("apply_yjs_update"),))
                + b'{"updateBase64":"'
                + b"A" * (size // 4 * 4)
                + b'"}'
            ),
        },
    ),
    Target(
        "queries",
        run_query,
        _queries,
        near(_queries),
        {"ampersands": lambda size: b"&" * size, "percents": lambda size: b"%41" * (size // 3)},
    ),
    Target(
        "json-frames",
        run_json_frame,
        FRAMES,
        near(FRAMES) | broken(json_frames),
        {
            "many fields": lambda size: (
                b'{"type":"join",'
                + b",".join(b'"%d":1' % number for number in range(size // 9))
                + b"}"
            ),
            "a long id": lambda size: b'{"type":"ping","id":"' + b"x" * size + b'"}',
            "brackets in a name": lambda size: b'{"type":"join",' + _unclosed(size)[2:],
            "lists": lambda size: b'{"type":' + b"[" * size,
        },
    ),
    Target(
        "msgpack-frames",
        run_packed_frame,
        (*PACKED, *_odd),
        near((*PACKED, *_odd))
        | broken(st.dictionaries(keys, packed_values, max_size=3).map(packed))
        | broken(st.builds(lambda value: packed({"type": "x", "presence": value}), packed_values))
        | broken(json_frames.map(lambda frame: packed(msgspec.json.decode(frame))))
        | broken(st.dictionaries(st.just("type"), scalars).map(packed)),
        {
            "keys of one hash": lambda size: b"\x82\xa4type\xa4join\xa1x" + colliding_keys(size),
            "lists in lists": lambda size: b"\x82\xa4type\xa4join\xa1x" + b"\x91" * size,
            "chains": lambda size: (
                b"\x82\xa4type\xa4join\xa1x\xdd"
                + (size // 9).to_bytes(4, "big")
                + (b"\x91" * 8 + b"\x90") * (size // 9)
            ),
            "empty lists": lambda size: (
                b"\x82\xa4type\xa4join\xa1x\xdd"
                + (size - 19).to_bytes(4, "big")
                + b"\x90" * (size - 19)
            ),
            "integers": lambda size: (
                b"\x82\xa4type\xa4join\xa1x\xdd"
                + (size - 19).to_bytes(4, "big")
                + b"\x01" * (size - 19)
            ),
            "lying lists": lambda size: b"\xdd\x00\x0f\xff\xff" * (size // 5),
        },
    ),
)
