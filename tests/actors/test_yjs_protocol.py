"""Frames of y-protocols: what strangers may send, and that pycrdt reads what we write."""

from __future__ import annotations

import json

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import yjs_protocol as protocol
from roomhost.actors.errors import InvalidArgument
from roomhost.actors.varints import write_var_bytes, write_varuint
from roomhost.actors.yjs_protocol import (
    AwarenessEntry,
    YjsFrame,
    YjsKind,
    awareness_payload,
    read_awareness,
    read_frame,
)

ENTRIES = st.lists(
    st.builds(
        AwarenessEntry,
        st.integers(0, 2**53 - 1),
        st.integers(0, 2**32 - 1),
        st.none() | st.binary(max_size=40).filter(lambda state: state != b"null"),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "begins with its kind"),
        (b"\x00", "begins with its kind"),
        (b"\x00\x03\x00", "begins with its kind"),
        (b"\x80\x00\x02\x00", "begins with its kind"),
        (b"\x02\x01\x00", "begins with its kind"),
        (b"\x04", "begins with its kind"),
        (b"\x08", "begins with its kind"),
        (b"\x08\x02", "begins with its kind"),
        (b"{}", "begins with its kind"),
        (b"\x00\x02", "end within"),
        (b"\x00\x02\x03ab", "are left"),
        (b"\x01", "end within"),
        (b"\x00\x02\x01ab", "1 bytes follow"),
        (b"\x03\x00", "1 bytes follow"),
        (b"\x08\x01\x00", "1 bytes follow"),
    ],
)
def test_what_is_no_frame(data: bytes, problem: str) -> None:
    """A kind nobody knows, a frame that ends too early, one that goes on: refused."""
    with pytest.raises(InvalidArgument, match=problem):
        read_frame(data)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (protocol.sync_step_1(b"\x00"), YjsFrame(YjsKind.SYNC_STEP_1, b"\x00")),
        (protocol.sync_step_2(b"\x00\x00"), YjsFrame(YjsKind.SYNC_STEP_2, b"\x00\x00")),
        (protocol.update(b"x" * 500), YjsFrame(YjsKind.UPDATE, b"x" * 500)),
        (protocol.awareness(b"\x00"), YjsFrame(YjsKind.AWARENESS, b"\x00")),
        (protocol.query_awareness(), YjsFrame(YjsKind.QUERY_AWARENESS, b"")),
        (
            protocol.permission_denied("nur läsen"),
            YjsFrame(YjsKind.PERMISSION_DENIED, "nur läsen".encode()),
        ),
        (protocol.status(True), YjsFrame(YjsKind.STATUS, b"\x01")),
        (protocol.status(False), YjsFrame(YjsKind.STATUS, b"\x00")),
    ],
)
def test_frames_are_read_as_written(data: bytes, frame: YjsFrame) -> None:
    """Each kind of frame comes out as it went in."""
    assert read_frame(data) == frame


@given(st.binary(max_size=400))
def test_frames_are_those_of_pycrdt(data: bytes) -> None:
    """An update and awareness are written as pycrdt writes them."""
    assert protocol.update(data) == pycrdt.create_update_message(data)
    assert protocol.awareness(data) == pycrdt.create_awareness_message(data)


@given(st.binary(max_size=20))
def test_one_way_to_write_each_frame(data: bytes) -> None:
    """Bytes of strangers are refused, or are a frame that has no other bytes."""
    try:
        frame = read_frame(data)
    except InvalidArgument:
        return

    plain = frame.kind in (YjsKind.QUERY_AWARENESS, YjsKind.STATUS)
    content = frame.data if plain else write_var_bytes(frame.data)
    assert frame.kind.value + content == data


def test_documents_sync_over_our_frames() -> None:
    """pycrdt answers our step 1, and applies our step 2 and update."""
    theirs: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    ours: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    theirs["text"] = pycrdt.Text("hello")
    answer = pycrdt.handle_sync_message(protocol.sync_step_1(ours.get_state())[1:], theirs)
    assert answer is not None
    frame = read_frame(answer)
    assert frame.kind is YjsKind.SYNC_STEP_2
    ours.apply_update(frame.data)
    assert str(ours.get("text", type=pycrdt.Text)) == "hello"

    ours.get("text", type=pycrdt.Text).insert(5, " you")
    news = ours.get_update(theirs.get_state())
    pycrdt.handle_sync_message(protocol.update(news)[1:], theirs)
    assert str(theirs.get("text", type=pycrdt.Text)) == "hello you"


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"", "end within"),
        (b"\x01", "0 bytes are left"),
        (b"\xff\xff\xff\xff\x7f" + b"\x00" * 30, "30 bytes are left"),
        (b"\x01\x07\x01\x05ab", "are left"),
        (b"\x01\x07\x80\x80\x80\x80\x10\x02{}", "at most 2\\^32-1"),
        (b"\x00\x00", "1 bytes follow"),
        (b"\x01" + b"\xff" * 9 + b"\x01\x02{}", "over 2\\^53-1"),
    ],
)
def test_what_is_no_awareness(payload: bytes, problem: str) -> None:
    """A count without the entries, an id or clock too large, a tail: refused before it costs."""
    with pytest.raises(InvalidArgument, match=problem):
        read_awareness(payload)


@given(ENTRIES)
def test_awareness_is_read_as_written(entries: list[AwarenessEntry]) -> None:
    """Ids, clocks and the very bytes of the states come out as they went in."""
    payload = awareness_payload(entries)
    assert read_awareness(payload) == entries
    assert payload[: len(write_varuint(len(entries)))] == write_varuint(len(entries))


def test_pycrdt_reads_our_awareness() -> None:
    """A peer's table shows what we say, and forgets whom we say has left."""
    table = pycrdt.Awareness(pycrdt.Doc())
    state = json.dumps({"user": {"name": "Zoë"}}, ensure_ascii=False).encode()
    table.apply_awareness_update(awareness_payload([AwarenessEntry(7, 1, state)]), "test")
    assert table.states[7] == {"user": {"name": "Zoë"}}
    table.apply_awareness_update(awareness_payload([AwarenessEntry(7, 1, None)]), "test")
    assert 7 not in table.states


def test_we_read_the_awareness_of_pycrdt() -> None:
    """What a peer says of itself: its id, its clock, its state."""
    table = pycrdt.Awareness(pycrdt.Doc())
    table.set_local_state({"cursor": 3})
    mine = table.client_id
    payload = table.encode_awareness_update([mine])
    assert read_awareness(payload) == [AwarenessEntry(mine, 1, b'{"cursor":3}')]
    table.set_local_state(None)
    payload = table.encode_awareness_update([mine])
    assert read_awareness(payload) == [AwarenessEntry(mine, 2, None)]


def test_a_state_vector_is_sent_as_pycrdt_sends_it() -> None:
    """Our step 1 of a document is the one pycrdt makes of it."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    document["text"] = pycrdt.Text("hello")
    assert protocol.sync_step_1(document.get_state()) == pycrdt.create_sync_message(document)
