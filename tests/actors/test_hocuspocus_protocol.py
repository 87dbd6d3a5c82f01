"""Frames of Hocuspocus: what a stock client sends is understood, and what it gets it understands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import hocuspocus_protocol as protocol
from roomhost.actors import yjs_protocol
from roomhost.actors.errors import InvalidArgument
from roomhost.actors.hocuspocus_protocol import HocuspocusFrame, MessageType, read_frame

PREFIX = protocol.prefix_of(b"doc")


@pytest.mark.parametrize("data", [b"", b"\x03do", b"\x03doc", b"\x03doc\x80", b"\xff" * 20])
def test_what_is_no_frame(data: bytes) -> None:
    """A name that is not whole, or has no type behind it, is refused."""
    with pytest.raises(InvalidArgument):
        read_frame(data)


@pytest.mark.parametrize(
    "data", [b"", b"\x01\x00", b"\x02\x00", b"\x00", b"\x00\x05abc", b"\x00\x01\xff"]
)
def test_what_is_no_token(data: bytes) -> None:
    """What a server says of authentication, a text that is not whole or not UTF-8: refused."""
    with pytest.raises(InvalidArgument):
        protocol.read_token(data)


def test_a_name_that_is_no_text() -> None:
    """A document has a name that is text."""
    with pytest.raises(InvalidArgument):
        protocol.name_of(b"\xff")


def test_the_frames_of_a_stock_client() -> None:
    """Byte for byte what `@hocuspocus/provider` 4.8.0 sends when it opens, edits and leaves."""
    auth = read_frame(b"\x03doc\x02\x00\x03tok\x054.8.0")
    assert auth == HocuspocusFrame(b"doc", MessageType.AUTH, b"\x00\x03tok\x054.8.0")
    assert protocol.read_token(auth.data) == "tok"
    assert protocol.read_token(b"\x00\x00") == ""

    step_1 = read_frame(b"\x03doc\x00\x00\x01\x00")
    assert protocol.to_room(step_1) == yjs_protocol.sync_step_1(b"\x00")
    aware = read_frame(b"\x03doc\x01\x06\x01\x07\x01\x02{}")
    assert protocol.to_room(aware) == yjs_protocol.awareness(b"\x01\x07\x01\x02{}")
    assert protocol.to_room(read_frame(b"\x03doc\x03")) == yjs_protocol.query_awareness()
    assert protocol.to_room(read_frame(b"\x03doc\x07")) is None
    assert protocol.to_room(read_frame(b"\x03doc\x05\x02hi")) is None
    assert protocol.to_room(read_frame(b"\x03doc\x63")) is None


def test_an_answer_is_like_a_sync() -> None:
    """The room does not tell a reply from what was sent unasked."""
    update = b"\x02\x02\x00\x00"
    assert protocol.to_room(read_frame(b"\x03doc\x04" + update)) == yjs_protocol.update(b"\x00\x00")


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (yjs_protocol.sync_step_1(b"\x00"), MessageType.SYNC),
        (yjs_protocol.update(b"\x00\x00"), MessageType.SYNC),
        (yjs_protocol.awareness(b"\x00"), MessageType.AWARENESS),
        (yjs_protocol.status(True), MessageType.SYNC_STATUS),
    ],
)
def test_frames_of_a_room(frame: bytes, kind: MessageType) -> None:
    """They go on as they are, behind the name."""
    sent = protocol.from_room(PREFIX, frame)
    assert sent is not None
    assert read_frame(sent) == HocuspocusFrame(b"doc", kind, frame[1:])


def test_a_denied_update_asks_for_no_token() -> None:
    """The same bytes mean something else to a client of Hocuspocus: it does not get them."""
    assert protocol.from_room(PREFIX, yjs_protocol.permission_denied("read-only")) is None
    assert read_frame(protocol.token_request(PREFIX)) == HocuspocusFrame(b"doc", 2, b"\x00")


def test_what_a_client_is_told() -> None:
    """Who may write, who may not open it, and that it is closed."""
    assert protocol.authenticated(PREFIX, False) == b"\x03doc\x02\x02\x0aread-write"
    assert protocol.authenticated(PREFIX, True) == b"\x03doc\x02\x02\x08readonly"
    assert protocol.denied(PREFIX, "no") == b"\x03doc\x02\x01\x02no"
    assert protocol.close(PREFIX, "gone") == b"\x03doc\x07\x04gone"


@given(
    st.text(max_size=100).filter(lambda name: "\0" not in name), st.none() | st.text(max_size=20)
)
def test_names_with_and_without_a_session(name: str, session: str | None) -> None:
    """The name is what is before the first zero; the whole key comes back before each frame."""
    key = name.encode() + (b"" if session is None else b"\x00" + session.encode())
    assert protocol.name_of(key) == name
    assert read_frame(protocol.close(protocol.prefix_of(key), "")).key == key
