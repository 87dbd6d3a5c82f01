"""`FrameReader` and `frame_of`: the bytes of RFC 6455, against the `websockets` library."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from roomhost.runtime.limits import MAX_KEPT_FRAME_BYTES
from roomhost.runtime.message_frames import BINARY, OTHER, TEXT, FrameReader, frame_of

MAX_SIZE = 70_000
SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, MAX_SIZE)
OPCODES = {TEXT: Opcode.TEXT, BINARY: Opcode.BINARY}


def client_frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    """What a client sends."""
    return Frame(opcode, data, fin).serialize(mask=True)


def taken(reader: FrameReader) -> list[tuple[int, bytes]]:
    """All that can be taken now."""
    cuts: list[tuple[int, bytes]] = []
    while (cut := reader.next()) is not None:
        cuts.append((cut[0], bytes(cut[1])))
    return cuts


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("first", [TEXT, BINARY])
def test_a_message_in_one_frame_is_taken_apart(first: int, size: int) -> None:
    """Its payload comes unmasked, with each of the three forms of a length."""
    reader = FrameReader(MAX_SIZE)
    reader.feed(client_frame(OPCODES[first], b"x" * size))

    assert taken(reader) == [(first, b"x" * size)]
    assert not reader.waiting


@given(
    messages=st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300))),
    cuts=st.lists(st.integers(0, 2_000)),
)
def test_frames_may_come_in_any_pieces(messages: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """Many in one read of the network, or one in many: nothing is lost, and the order stays."""
    sent = b"".join(client_frame(OPCODES[first], data) for first, data in messages)
    borders = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    reader = FrameReader(MAX_SIZE)
    got: list[tuple[int, bytes]] = []
    for begin, end in pairwise(borders):
        reader.feed(sent[begin:end])
        got += taken(reader)

    assert got == messages


def test_what_is_left_is_taken_later() -> None:
    """A reader that stops between two frames goes on there, after more came."""
    reader = FrameReader(MAX_SIZE)
    reader.feed(client_frame(Opcode.TEXT, b"a") + client_frame(Opcode.TEXT, b"b"))

    assert reader.next() == (TEXT, b"a")
    assert reader.waiting
    reader.feed(client_frame(Opcode.TEXT, b"c"))
    assert taken(reader) == [(TEXT, b"b"), (TEXT, b"c")]


def test_fragments_and_control_frames_are_left_whole() -> None:
    """A message in several frames is not taken apart, nor what comes between its frames."""
    frames = [
        client_frame(Opcode.TEXT, b"a", fin=False),
        client_frame(Opcode.PING, b"?"),
        client_frame(Opcode.CONT, b"b", fin=False),
        client_frame(Opcode.BINARY, b"out of place"),
        client_frame(Opcode.CONT, b"c"),
    ]
    reader = FrameReader(MAX_SIZE)
    reader.feed(b"".join(frames) + client_frame(Opcode.TEXT, b"whole"))

    assert taken(reader) == [*((OTHER, frame) for frame in frames), (TEXT, b"whole")]


@pytest.mark.parametrize(
    "head",
    [
        b"\x81\x05",  # not masked
        b"\xc1\x85",  # a reserved bit
        b"\x83\x85",  # a reserved opcode
        b"\x09\x80",  # a ping in fragments
        b"\x89\xfe",  # a ping that is too long
        b"\x82\xff" + (MAX_SIZE + 1).to_bytes(8, "big"),
    ],
    ids=["mask", "bit", "opcode", "fin", "ping", "size"],
)
def test_what_breaks_the_protocol_is_handed_over_at_once(head: bytes) -> None:
    """By its head alone, and so is everything after it."""
    reader = FrameReader(MAX_SIZE)
    reader.feed(head)

    assert taken(reader) == [(OTHER, head)]
    message = client_frame(Opcode.TEXT, b"late")
    reader.feed(message)
    assert taken(reader) == [(OTHER, message)]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_what_the_library_makes(size: int) -> None:
    """Of text and of bytes, with each form of a length."""
    text = "x" * size
    assert frame_of(text) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert frame_of(text.encode()) == Frame(Opcode.BINARY, text.encode()).serialize(mask=False)


def test_the_same_message_is_framed_once() -> None:
    """The sockets of a room share the frame; equal text and bytes are not the same; and a large one
    is not kept when its room is done with it."""
    message, other = "a" * 10, b"a" * 10
    frame = frame_of(message)

    assert frame_of(message) is frame
    assert frame_of(other) != frame
    large = b"x" * (MAX_KEPT_FRAME_BYTES + 1)
    assert frame_of(large) is not frame_of(large)
