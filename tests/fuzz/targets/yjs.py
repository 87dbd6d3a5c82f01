"""What clients of documents send: frames of y-protocols and Hocuspocus, updates, vectors, awareness."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st
from pycrdt import Doc, Text

from roomhost.actors import hocuspocus_protocol, yjs_protocol
from roomhost.actors.awareness import Awareness
from roomhost.actors.errors import InvalidArgument
from roomhost.actors.hocuspocus_protocol import MessageType, name_of, read_token, to_room
from roomhost.actors.limits import MAX_AWARENESS_IDS_OF_CONNECTION
from roomhost.actors.live_document import DocumentFailed, TooDeep
from roomhost.actors.loaded_document import LoadedDocument, Unsound
from roomhost.actors.varints import read_var_bytes, read_varuint, write_var_bytes, write_varuint
from roomhost.actors.yjs_guard import check_state_vector, check_update
from roomhost.actors.yjs_protocol import (
    AwarenessEntry,
    YjsKind,
    awareness_payload,
    read_awareness,
    read_frame,
)

from ...helpers.yjs_mutations import Composer, mutated
from ...helpers.yjs_updates import gap, item, text, uint, update, written_by_two
from ..grammar import near
from ..target import Target, demand, refused

NOW_MS = 1_767_225_600_000
STARTED = update([(1, 0, [item(4, text("hello"))])])


def run_varint(data: bytes) -> None:
    """InvalidArgument, or a number that has no other spelling."""
    found = refused(read_varuint, data, 0, by=InvalidArgument)
    if found is not None:
        demand(write_varuint(found[0]) == data[: found[1]], "a second spelling", data)
    part = refused(read_var_bytes, data, 0, by=InvalidArgument)
    if part is not None:
        demand(write_var_bytes(part[0]) == data[: part[1]], "other bytes", data)


def run_frame(data: bytes) -> None:
    """InvalidArgument, or a frame that is written as it was read."""
    frame = refused(read_frame, data, by=InvalidArgument)
    if frame is None:
        return

    kind, content = frame
    if kind in (YjsKind.QUERY_AWARENESS, YjsKind.STATUS):
        demand(data == kind.value + content, "another frame", frame)
    else:
        demand(data == kind.value + write_var_bytes(content), "another frame", frame)
    if kind is YjsKind.AWARENESS:
        run_awareness(content)


def run_awareness(data: bytes) -> None:
    """InvalidArgument, or entries that are written as they were read; and a table that stays bounded
    and tells others nothing that they cannot read."""
    entries = refused(read_awareness, data, by=InvalidArgument)
    if entries is None:
        return

    demand(awareness_payload(entries) == data, "another payload", entries)
    table = Awareness()
    for connection in ("a", "b", "a"):
        changes = table.announce(connection, connection, entries, NOW_MS)
        demand(len(changes.yjs) <= 2 * len(entries), "more than was said", changes)
        refused(read_awareness, awareness_payload(changes.yjs), by=())
    demand(len(table) <= 2 * MAX_AWARENESS_IDS_OF_CONNECTION, "a table without end", len(table))
    table.gone("a", NOW_MS)
    table.gone("b", NOW_MS)
    demand(len(table) == 0 and table._bytes == 0, "who has gone is kept", table._bytes)


def runHOCUSPOCUS(data: bytes) -> None:
    """InvalidArgument, or a frame of a document, whose part for the room is one of y-protocols."""
    frame = refused(hocuspocus_protocol.read_frame, data, by=InvalidArgument)
    if frame is None:
        return

    prefix = hocuspocus_protocol.prefix_of(frame.key)
    rest = prefix + write_varuint(frame.type) + frame.data
    demand(rest == data, "another frame", frame)
    refused(name_of, frame.key, by=InvalidArgument)
    if frame.type == MessageType.AUTH:
        refused(read_token, frame.data, by=InvalidArgument)
    inside = to_room(frame)
    if inside is not None:
        run_frame(inside)


def run_vector(data: bytes) -> None:
    """InvalidArgument, or a vector for which a document says what is missing."""
    vector = refused(check_state_vector, data, by=InvalidArgument)
    if vector is None:
        return

    loaded = LoadedDocument()
    loaded.load(STARTED, ())
    try:
        missing = loaded.live.diff(data)
    except DocumentFailed:
        return  # it ends within a character: the room loads the document anew
    finally:
        loaded.live.close()
    check_update(missing, len(missing))


def run_update(data: bytes) -> None:
    """InvalidArgument; or an update that a document takes, or refuses as a whole, and what the document
    says afterwards is one again that others read."""
    shape = refused(check_update, data, by=InvalidArgument)
    if shape is None:
        return

    loaded = LoadedDocument()
    loaded.load(STARTED, ())
    try:
        try:
            integrated = loaded.integrate(data, shape)
        except (InvalidArgument, Unsound, TooDeep):
            return
        except DocumentFailed as error:  # the room refuses it, and loads its document again
            panic = type(error.__cause__).__name__ == "PanicException"
            demand(not panic, "the library panics", data, error)
            return

        if not integrated and not loaded.covers(shape):
            return  # it waits

        whole = loaded.live.diff()
        demand(
            check_update(whole, len(whole)).ends == loaded.live.clocks(), "another document", data
        )
        _read_elsewhere(whole)
    finally:
        loaded.live.close()


def _read_elsewhere(whole: bytes) -> None:
    doc: Doc[Any] = Doc()
    doc.apply_update(whole)
    str(doc.get("text", type=Text))


def _updates() -> tuple[bytes, ...]:
    random = Random(1)
    real = written_by_two(random, 12)[0]
    made = (
        STARTED,
        update([(1, 5, [item(4, text("x"), origin=(1, 4))])]),
        update([(2, 0, [gap(3), item(8, uint(1) + b"\x77" + text("v"), parent="array")])]),
        update([], [(1, [(0, 2), (3, 1)])]),
        update([(3, 0, [item(7, b"\x01", parent="map", key="k")])]),
    )
    return made + tuple(real)


def _composed(seed: int) -> bytes:
    random = Random(seed)
    composer = Composer(random)
    data = composer.compose()
    return data if seed % 3 else mutated(random, data, STARTED)


def _flat(size: int) -> bytes:
    """As many structs as fit, which all stand at one place: each is another client's."""
    count = size // 12
    return update([(number + 9, 0, [item(4, text("x"))]) for number in range(count)])


def _nested_any(size: int) -> bytes:
    return update([(2, 0, [item(8, uint(1) + b"\x75\x01" * (size // 2), parent="array")])])


_entries = [AwarenessEntry(client, 3, b'{"user":{"name":"ann"}}') for client in (1, 2, 300)]
_awareness = (awareness_payload(_entries), awareness_payload([AwarenessEntry(1, 4, None)]))
_frames = (
    *map(yjs_protocol.awareness, _awareness),
    yjs_protocol.sync_step_1(b"\x01\x01\x05"),
    yjs_protocol.update(STARTED),
    yjs_protocol.query_awareness(),
    yjs_protocol.permission_denied("no"),
    yjs_protocol.status(True),
)
_prefix = hocuspocus_protocol.prefix_of(b"doc\x00session")
HOCUSPOCUS = (
    *(_prefix + bytes((MessageType.SYNC,)) + frame[1:] for frame in _frames[2:4]),
    _prefix + bytes((MessageType.AWARENESS,)) + _frames[0][1:],
    _prefix + bytes((MessageType.AUTH, 0)) + write_var_bytes(b"token") + write_var_bytes(b"4.0.0"),
    _prefix + bytes((MessageType.QUERY_AWARENESS,)),
    _prefix + bytes((MessageType.STATELESS,)) + write_var_bytes(b"hello"),
    _prefix + bytes((MessageType.CLOSE,)) + write_var_bytes(b"bye"),
)
_vectors = (b"\x00", b"\x01\x01\x05", b"\x02\x01\x03\xac\x02\x07")
_varints = (
    b"\x80\x00",
    b"\x00",
    b"\x7f",
    b"\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\x0f",
    b"\x05hello",
)

TARGETS = (
    Target("varints", run_varint, _varints, st.binary(max_size=12) | near(_varints)),
    Target(
        "yjs-frames",
        run_frame,
        _frames,
        near(_frames),
        {"a long query": lambda size: b"\x03" * size},
    ),
    Target(
        "awareness",
        run_awareness,
        _awareness,
        near(_awareness),
        {
            "many clients": lambda size: awareness_payload(
                AwarenessEntry(number, 1, b"{}") for number in range(size // 6)
            ),
            "a deep state": lambda size: awareness_payload([AwarenessEntry(1, 1, b"[" * size)]),
        },
    ),
    Target("hocuspocus-frames", runHOCUSPOCUS, HOCUSPOCUS, near(HOCUSPOCUS)),
    Target(
        "state-vectors",
        run_vector,
        _vectors,
        near(_vectors),
        {
            "many clients": lambda size: (
                uint(size // 4)
                + b"".join(uint(number + 1) + b"\x01" for number in range(size // 4))
            )
        },
    ),
    Target(
        "yjs-updates",
        run_update,
        _updates(),
        near(_updates()) | st.builds(_composed, st.integers(0, 2**32)),
        {
            "siblings": _flat,
            "deep values": _nested_any,
            "ranges": lambda size: update(
                [], [(1, [(number * 2, 1) for number in range(size // 4)])]
            ),
        },
        200_000,
    ),
)
