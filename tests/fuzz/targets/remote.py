"""What other processes send: frames of calls, in parts, with encoded values and errors in them."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from roomhost.runtime import remote_frames as frames
from roomhost.runtime.limits import MAX_CLOSE_REASON_BYTES
from roomhost.runtime.remote_frames import (
    Assembler,
    ProtocolError,
    decode_client_frame,
    decode_host_frame,
    encode_frame,
    fragments,
)
from roomhost.runtime.remote_values import decode_arguments, describe_error, restore_error
from roomhost.runtime.tracing import within_trace
from roomhost.storage import encode

from ..grammar import broken, near, packed, packed_values
from ..target import Target, demand, refused

ERROR = describe_error(ValueError("no", 1))
CLIENT: tuple[frames.ClientFrame, ...] = (
    frames.Open(1, "STATION", bytes(32), "a", None),
    frames.Release([1, 2]),
    frames.Call(3, 1, "echo", [encode((1, "x"))], {"at": encode(None)}, "00-" + "a" * 32),
    frames.Get(4, 1, "id"),
    frames.Fetch(5, 1, "POST", "http://x/path", [(b"a", b"b")], b"body"),
    frames.Fetch(6, 1, "POST", "http://x/path", [], 7),
    frames.Credit(7, 1_000),
    frames.Stop(7),
    frames.Chunk(7, b"bytes"),
    frames.End(7, ERROR),
    frames.Text(8, "hello"),
    frames.Binary(8, b"hello"),
    frames.Closed(8, 1000, "bye", True),
)
HOST: tuple[frames.HostFrame, ...] = (
    frames.Welcome(
        1,
        "demo",
        {"A": "key"},
        {"V": encode(1)},
        {"M": frames.ModuleInfo("realtime", b"{}", ["A"])},
    ),
    frames.Result(3, encode([1, 2])),
    frames.Responded(5, 200, [(b"a", b"b")], b"body", False),
    frames.Raised(4, ERROR),
)


def run_client_frame(data: bytes) -> None:
    """ProtocolError, or a frame that is written and read the same; its values ValueError, or values."""
    frame = refused(_decoded, decode_client_frame, data, by=ProtocolError)
    if frame is None:
        return

    demand(decode_client_frame(encode_frame(frame)) == frame, "another frame", frame)
    if isinstance(frame, frames.Call):
        refused(decode_arguments, frame.arguments, frame.keywords, by=ValueError)
    if isinstance(frame, frames.Call | frames.Get) and frame.trace is not None:
        with within_trace(frame.trace):
            pass
    _restore(frame)


def run_host_frame(data: bytes) -> None:
    """Likewise of a host."""
    frame = refused(_decoded, decode_host_frame, data, by=ProtocolError)
    if frame is not None:
        demand(decode_host_frame(encode_frame(frame)) == frame, "another frame", frame)
        _restore(frame)


def _decoded(decode: object, data: bytes) -> object:
    assert callable(decode)
    try:
        return decode(data)
    except ProtocolError as error:
        reason = str(error)
        demand(reason.isascii() and len(reason) <= MAX_CLOSE_REASON_BYTES, "no reason", reason)
        raise


def _restore(frame: object) -> None:
    error = getattr(frame, "error", None)
    if isinstance(error, frames.ErrorInfo):
        for imported in (False, True):
            restored = restore_error(error, imported=imported)
            demand(not isinstance(restored, StopIteration | StopAsyncIteration), "an end", restored)
            describe_error(restored)


def run_assembler(data: bytes) -> None:
    """Parts in any order: ProtocolError, or frames of what the parts had; a frame in parts is whole."""
    assembler = Assembler()
    expected = bytearray()
    for part in data.split(b"|"):
        try:
            whole = assembler.feed(part)
        except ProtocolError:
            return

        expected += part[1:]
        if part[:1] == frames.LAST:
            demand(whole == bytes(expected), "another frame", whole, expected)
            expected.clear()
        else:
            demand(whole is None, "a frame that has not ended", whole)
    joined = Assembler()
    pieces = fragments(data)
    demand([joined.feed(piece) for piece in pieces][-1] == data, "another frame", data)


CLIENT_BYTES = tuple(map(encode_frame, CLIENT))
_host = (*map(encode_frame, HOST), *CLIENT_BYTES[6:])
_tagged = st.builds(
    lambda tag, rest: packed([tag, *rest]),
    st.sampled_from([msgspec.msgpack.decode(data)[0] for data in (*CLIENT_BYTES, *_host)]),
    st.lists(packed_values | st.integers(0, 9), max_size=7),
)
_parts = (
    b"\x00whole",
    b"\x01a|\x00b|\x00c",
    b"\x01a|\x01b|\x00c",
    b"\x01|\x00",
    b"\x02x",
    b"\x01a",
)
_lying = {"lying lists": lambda size: b"\x92\xa7release" + b"\xdd\x00\x0f\xff\xff" * (size // 5)}

TARGETS = (
    Target(
        "client-frames",
        run_client_frame,
        CLIENT_BYTES,
        near(CLIENT_BYTES) | broken(_tagged),
        {
            **_lying,
            "numbers": lambda size: (
                b"\x92\xa7release\xdd" + (size - 14).to_bytes(4, "big") + b"\x01" * (size - 14)
            ),
            "headers": lambda size: packed(
                ["fetch", 1, 1, "GET", "http://x", [[b"", b""]] * (size // 5), b""]
            ),
        },
    ),
    Target("host-frames", run_host_frame, _host, near(_host) | broken(_tagged), dict(_lying)),
    Target(
        "frame-parts",
        run_assembler,
        _parts,
        near(_parts),
        {"parts": lambda size: b"\x01a|" * (size // 3)},
    ),
)
