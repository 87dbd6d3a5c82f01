"""The frames of the client of `roomhost bench`, beside those of websockets."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from roomhost.bindings.bench_socket import TEXT, frame_at, framed

SIZES = (0, 1, 125, 126, 65_535, 65_536)


@pytest.mark.parametrize("size", SIZES)
def test_what_it_says_is_a_frame_of_a_client(size: int) -> None:
    """Masked, with a length of any size."""
    reader = StreamReader()
    reader.feed_data(framed(TEXT, b"x" * size))
    reading = Frame.parse(reader.read_exact, mask=True)
    with pytest.raises(StopIteration) as ended:
        next(reading)
    assert ended.value.value == Frame(Opcode.TEXT, b"x" * size)


@pytest.mark.parametrize("size", SIZES)
def test_frames_of_a_server_are_found(size: int) -> None:
    """Where they begin and end, once they are there to the last byte."""
    frame = Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
    buffer = bytearray(b"??" + frame)
    assert frame_at(buffer, 2) == (2 + len(frame) - size, 2 + len(frame))
    for missing in range(1, min(len(frame), 12)):
        assert frame_at(buffer[:-missing], 2) is None
