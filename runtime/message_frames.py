"""The frames of WebSocket messages (RFC 6455, 5), without a protocol object at every step.

`FrameReader` cuts what a client sends into whole frames, and takes the common ones apart itself: a text
or binary message in one frame. Everything else is `websockets`' to judge. `frame_of` makes the frame of a
message, once for all the connections that it goes to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits

try:
    from websockets.speedups import apply_mask
except ImportError:  # an installation without its C extension
    from websockets.utils import apply_mask

if TYPE_CHECKING:
    from typing import TypeAlias

    Cut: TypeAlias = tuple[int, bytes]

TEXT = 0x81  # FIN and the opcode: the first byte of a message in one frame
BINARY = 0x82
OTHER = 0  # no such first byte: the bytes are a frame, or more, as they came

FIN = 0x80
MASKED = 0x80  # in the second byte
CONTINUATION = 0x0
DATA = (0x1, 0x2)
CLOSE = 0x88
CONTROL = (CLOSE, 0x89, 0x8A)  # close, ping, pong, which are never fragmented
MAX_CONTROL_BYTES = 125
LENGTH_16 = 126  # in the place of a length: two bytes of it follow
LENGTH_64 = 127


class FrameReader:
    """What a client has sent and nobody has taken: at most the frames of one read from the network,
    and one that is not whole."""

    __slots__ = ("_at", "_broken", "_data", "_fragmented", "_max_size")

    def __init__(self, max_size: int) -> None:
        self._data: bytes | bytearray = b""
        self._at = 0
        self._max_size = max_size
        self._fragmented = False  # a message in several frames has begun
        self._broken = False  # nothing is cut any more

    @property
    def waiting(self) -> int:
        """How many bytes were not taken."""
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Add what came."""
        if not self._data:
            self._data = data
            return

        rest = self._data
        if self._at or not isinstance(rest, bytearray):
            rest = bytearray(memoryview(rest)[self._at :])
        rest += data  # in place: a large frame comes in many pieces
        self._data, self._at = rest, 0

    def next(self) -> Cut | None:
        """The next frame. `TEXT` or `BINARY` and the payload; `OTHER` and the whole frame. None:
        there is no whole one.

        From a frame on that breaks the protocol, or is larger than a message may be, everything is
        `OTHER` at once, so that who judges it need not wait for its end.
        """
        data, at = self._data, self._at
        size = len(data)
        if self._broken or size < at + 2:
            return self._all() if self._broken and data else None

        first, second = data[at], data[at + 1]
        if second < MASKED or not (first == TEXT or first == BINARY or _is_regular(first, second)):
            return self._all()

        length, begin = second & 0x7F, at + 6
        if length > MAX_CONTROL_BYTES:
            more = 2 if length == LENGTH_16 else 8
            begin += more
            length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
            if size < at + 2 + more:
                return None  # not even its length is whole

        if length > self._max_size:
            return self._all()

        end = begin + length
        if size < end:
            return None

        if end == size:
            self._data, self._at = b"", 0
        else:
            self._at = end
        if not self._fragmented and (first == TEXT or first == BINARY):
            return first, apply_mask(data[begin:end], data[begin - 4 : begin])

        if first not in CONTROL:
            self._fragmented = first < FIN
        return OTHER, bytes(data[at:end])

    def _all(self) -> Cut:
        rest = bytes(self._data[self._at :])
        self._data, self._at, self._broken = b"", 0, True
        return OTHER, rest


def carries_little(frame: bytes, before: int) -> bool:
    """Whether a frame, whole and not a message by itself, is worth nothing to who it is for: a ping, a
    pong, a fragment of a few bytes; but not a close, nor the end of a message that has something in it,
    `before` bytes, which some clients write as an empty frame."""
    if frame[0] in CONTROL:
        return frame[0] != CLOSE

    ends = frame[0] == FIN and before >= limits.SMALL_FRAME_BYTES
    return len(frame) > 1 and frame[1] & 0x7F < limits.SMALL_FRAME_BYTES and not ends


def _is_regular(first: int, second: int) -> bool:
    """Whether a frame that begins so is one that RFC 6455 has."""
    if first in CONTROL:
        return second & 0x7F <= MAX_CONTROL_BYTES

    return first & 0x7F == CONTINUATION or first in DATA


class _Latest:
    """The message that was framed last, and its frame: a room sends one message to many sockets.

    One attribute, so that hosts in several threads see a message with its own frame only.
    """

    pair: tuple[str | bytes, bytes] = (b"", b"\x82\x00")


def frame_of(message: str | bytes) -> bytes:
    """The frame of a message from a server, which is not masked: the same one for the same object."""
    latest, frame = _Latest.pair
    if message is latest:
        return frame

    first = BINARY
    payload = message
    if isinstance(payload, str):
        first, payload = TEXT, payload.encode()
    size = len(payload)
    if size < LENGTH_16:
        head = bytes((first, size))
    elif size < 65_536:
        head = bytes((first, LENGTH_16, size >> 8, size & 0xFF))
    else:
        head = bytes((first, LENGTH_64)) + size.to_bytes(8, "big")
    frame = head + payload
    if size <= limits.MAX_KEPT_FRAME_BYTES:
        _Latest.pair = (message, frame)
    return frame
