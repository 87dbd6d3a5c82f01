"""The frames between a client and a host: what is one, what is not, and what a host does then."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime import DurableObjectError, limits
from roomhost.runtime.remote_frames import (
    PATH,
    Assembler,
    Binary,
    Call,
    Chunk,
    Closed,
    Credit,
    End,
    ErrorInfo,
    Fetch,
    Get,
    ModuleInfo,
    Open,
    ProtocolError,
    Raised,
    Release,
    Responded,
    Result,
    Stop,
    Text,
    Welcome,
    decode_client_frame,
    decode_host_frame,
    encode_frame,
    fragments,
)
from roomhost.runtime.remote_values import describe_error, find_class, restore_error
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import encode

from ..helpers.remote_app import Strange, app

INFO = ErrorInfo("builtins", "ValueError", "bad", [b"\xa3bad"], {"remote": b"\xc3"})
STREAM_FRAMES = [
    Credit(3, 1),
    Stop(3),
    Chunk(3, b"data"),
    End(3, None),
    End(3, INFO),
    Text(3, "größe"),
    Binary(3, b""),
    Closed(3, 1005, "", True),
]
CLIENT_FRAMES = [
    Open(1, "STATION", bytes(32), None, "eu"),
    Release([1, 2]),
    Call(2, 1, "increment", [b"\x01"], {"by": b"\x02"}),
    Get(2, 1, "title"),
    Fetch(2, 1, "GET", "http://x/", [(b"a", b"b")], b"body"),
    Fetch(2, 1, "GET", "http://x/", [], 3),
]
HOST_FRAMES = [
    Welcome(1, "app", {"A": "key"}, {"B": b"\xc0"}, {}),
    Welcome(1, "app", {"C.x": "key"}, {}, {"C": ModuleInfo("kind", b"{}", ["C.x"])}),
    Result(2, b"\xc0"),
    Responded(2, 200, [(b"a", b"b")], None, False),
    Raised(2, INFO),
]


@pytest.mark.parametrize("frame", [*CLIENT_FRAMES, *STREAM_FRAMES], ids=repr)
def test_a_frame_of_a_client_comes_back(frame: Any) -> None:
    """As it was."""
    assert decode_client_frame(encode_frame(frame)) == frame


@pytest.mark.parametrize("frame", [*HOST_FRAMES, *STREAM_FRAMES], ids=repr)
def test_a_frame_of_a_host_comes_back(frame: Any) -> None:
    """As it was."""
    assert decode_host_frame(encode_frame(frame)) == frame


@pytest.mark.parametrize(
    "frame",
    [
        *HOST_FRAMES,
        ["nonsense"],
        [],
        {},
        "call",
        ["call", 0, 1, "m", [], {}],
        ["call", 1 << 60, 1, "m", [], {}],
        ["call", 1, 1, b"m", [], {}],
        ["call", 1, 1, "m", [1], {}],
        ["call", 1, 1, "m", [], {1: b""}],
        ["call", 1, 1],
        ["open", 1, "A", bytes(31), None, None],
        ["credit", 1, 0],
        ["credit", 1, -1],
        ["closed", 1, 999, "", True],
        ["fetch", 1, 1, "GET", "http://x/", [(b"a",)], b""],
    ],
    ids=repr,
)
def test_what_no_client_sends_is_refused(frame: Any) -> None:
    """With a reason that fits in a close frame."""
    with pytest.raises(ProtocolError, match="not a frame: ") as refused:
        decode_client_frame(msgspec.msgpack.encode(frame))
    assert len(str(refused.value).encode()) <= limits.MAX_CLOSE_REASON_BYTES


@pytest.mark.parametrize(
    "frame",
    [
        *CLIENT_FRAMES,
        ["welcome", 1, "app", {}, {}],
        ["welcome", 1, "app", {}, {}, [["C", "kind", b"", []]]],
        ["welcome", 1, "app", {}, {}, {"C": ["kind", "text", []]}],
        ["welcome", 1, "app", {}, {}, {"C": ["kind", b""]}],
        ["welcome", 1, "app", {}, {}, {"C": ["k" * 65, b"", []]}],
        ["welcome", 1, "app", {}, {}, {"C": ["k", bytes(65_537), []]}],
        ["welcome", 1, "app", {}, {}, {"C": ["k", b"", ["C.x"]]}],
        ["welcome", 1, "app", {"C": "key"}, {}, {"C": ["k", b"", []]}],
        ["welcome", 1, "app", {}, {"C": b""}, {"C": ["k", b"", []]}],
        ["responded", 1, 99, [], None, False],
    ],
    ids=lambda frame: repr(frame)[:80],
)
def test_what_no_host_sends_is_refused(frame: Any) -> None:
    """With a reason that fits in a close frame."""
    with pytest.raises(ProtocolError, match="not a frame: ") as refused:
        decode_host_frame(msgspec.msgpack.encode(frame))
    assert len(str(refused.value).encode()) <= limits.MAX_CLOSE_REASON_BYTES


def test_a_frame_that_is_too_long_is_not_made() -> None:
    """The limit is in the error."""
    with pytest.raises(ValueError, match=f"at most {limits.MAX_REMOTE_FRAME_BYTES} bytes"):
        encode_frame(Result(1, bytes(limits.MAX_REMOTE_FRAME_BYTES)))


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_frame_is_the_same_in_parts(data: bytes, size: int) -> None:
    """However long they are."""
    assembler = Assembler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "REMOTE_FRAGMENT_BYTES", size)
        parts = fragments(data)
        assert all(len(part) <= size + 1 for part in parts)
        for _ in range(2):
            assert [assembler.feed(part) for part in parts] == [None] * (len(parts) - 1) + [data]


@pytest.mark.parametrize("message", ["text", b"", b"\2x", b"\1", None])
def test_what_is_no_part_of_a_frame_is_refused(message: Any) -> None:
    """A text, an unknown mark, a part without anything."""
    with pytest.raises(ProtocolError, match="not a frame"):
        Assembler().feed(message)


def test_parts_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are joined."""
    monkeypatch.setattr(limits, "MAX_REMOTE_FRAME_BYTES", 10)
    assembler = Assembler()
    assert assembler.feed(b"\1" + bytes(10)) is None
    with pytest.raises(ProtocolError, match="at most 10 bytes"):
        assembler.feed(b"\1x")


@pytest.mark.parametrize(
    ("module", "name", "imported", "found"),
    [
        ("builtins", "ValueError", False, ValueError),
        ("roomhost.runtime.errors", "DurableObjectError", False, DurableObjectError),
        (Strange.__module__, "Strange", True, Strange),
        (Strange.__module__, "Strange", False, None),
        ("__main__", "Strange", True, None),
        ("builtins", "KeyboardInterrupt", True, None),
        ("builtins", "StopIteration", True, None),
        ("builtins", "IOError", True, None),
        ("builtins", "eval", True, None),
        ("builtins", "int", True, None),
        ("builtins", "ValueError.__class__", True, None),
        ("no.such.module", "Error", True, None),
        ("antigravity", "Error", True, None),
        ("", "", True, None),
    ],
)
def test_only_known_classes_of_exceptions_are_rebuilt(
    module: str, name: str, imported: bool, found: Any
) -> None:
    """Found by their own name among what is imported already; nothing is imported."""
    assert find_class(module, name, imported=imported) is found


def test_the_attributes_of_an_error_reach_nothing_but_itself() -> None:
    """No descriptor of its class, whatever they are called."""
    names = ("__class__", "args", "__dict__", "errno", "with_traceback")
    attributes = {name: encode("evil") for name in names}
    info = ErrorInfo("builtins", "OSError", "bad", [encode(2), encode("bad")], attributes)
    error: Any = restore_error(info, imported=False)
    assert type(error) is FileNotFoundError
    assert (error.args, error.errno) == ((2, "bad"), 2)


@pytest.mark.parametrize(
    "info",
    [
        ErrorInfo("builtins", "ValueError", "bad", [b"\xc1"], {}),
        ErrorInfo("builtins", "ValueError", "bad", [], {"a": b""}),
        ErrorInfo("builtins", "UnicodeDecodeError", "bad", [], {}),
        ErrorInfo("builtins", "ValueError", "bad", None, {}),
    ],
    ids=["argument", "attribute", "refused", "none"],
)
def test_an_error_that_cannot_be_made_still_says_what_it_was(info: ErrorInfo) -> None:
    """As a `DurableObjectError` with its text."""
    error: Any = restore_error(info, imported=True)
    assert (type(error), str(error)) == (DurableObjectError, "bad")
    assert error.remote_type == f"builtins.{info.name}"


def test_an_error_of_any_size_and_text_can_be_described() -> None:
    """A huge one crosses without its arguments, one that cannot be printed by its name."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(Broken()).text == "Broken"
    assert describe_error(ValueError("\ud800")).text == "\\ud800"
    huge = describe_error(ValueError("x" * (limits.MAX_RPC_BYTES + 1)))
    assert huge.arguments is None
    assert len(huge.text) == limits.MAX_REMOTE_ERROR_TEXT


class Wire:
    """A client's side of an ASGI connection, without a network."""

    def __init__(self) -> None:
        self.to_host, self.host_receives = anyio.create_memory_object_stream[Any](1_000)
        self.host_sends, self.from_host = anyio.create_memory_object_stream[Any](1_000)

    def say(self, frame: Any) -> None:
        """Send a frame, or bytes as they are."""
        data = frame if isinstance(frame, bytes) else b"\0" + encode_frame(frame)
        self.to_host.send_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self) -> Any:
        """The next frame; or the code and the reason of a close."""
        message = await self.from_host.receive()
        if message["type"] == "websocket.close":
            return message["code"], message["reason"]
        return decode_host_frame(message["bytes"][1:])

    def leave(self) -> None:
        """Disconnect."""
        self.to_host.send_nowait({"type": "websocket.disconnect", "code": 1000})

    def close(self) -> None:
        """The test is over."""
        for stream in (self.to_host, self.host_receives, self.host_sends, self.from_host):
            stream.close()


@asynccontextmanager
async def wired(host: Any) -> AsyncGenerator[Wire]:
    """A connection that the host has welcomed."""
    wire = Wire()
    scope = {
        "type": "websocket",
        "path": PATH,
        "headers": [(b"authorization", b"Bearer key")],
    }
    wire.to_host.send_nowait({"type": "websocket.connect"})
    async with anyio.create_task_group() as group:
        group.start_soon(host.asgi, scope, wire.host_receives.receive, wire.host_sends.send)
        assert (await wire.from_host.receive())["type"] == "websocket.accept"
        assert isinstance(await wire.hear(), Welcome)
        yield wire
        wire.leave()
    wire.close()


def opened(host: Any, stub: int = 1, name: str = "a") -> Open:
    """The frame that opens a stub."""
    return Open(stub, "STATION", bytes(host.env.STATION.id_from_name(name)), name, None)


@pytest.mark.anyio
async def test_calls_are_answered_over_any_server_and_event_loop() -> None:
    """Nothing but ASGI is needed."""
    async with host_for(app, clock=ManualClock(), api_keys=("key",)) as host, wired(host) as wire:
        wire.say(opened(host))
        wire.say(Call(2, 1, "increment", [], {"by": encode(2)}))
        assert await wire.hear() == Result(2, encode(2))
        wire.say(Fetch(3, 1, "POST", "http://x/", [], 4))
        assert await wire.hear() == Credit(4, limits.REMOTE_WINDOW_BYTES)
        wire.say(Chunk(4, b"body"))
        wire.say(End(4, None))
        answer = await wire.hear()
        assert (answer.status, answer.body) == (200, b"POST http://x/ body")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (Open(1, "NOPE", bytes(32), None, None), "has no binding 'NOPE'"),
        (Open(1, "STATION", bytes(32), None, None), "not valid for this namespace"),
        (Open(1, "STATION", bytes(32), "a", "mars"), "not valid for this namespace"),
    ],
)
async def test_a_stub_that_cannot_be_fails_its_calls(frame: Open, error: str) -> None:
    """And nothing else of the connection."""
    async with host_for(app, clock=ManualClock(), api_keys=("key",)) as host, wired(host) as wire:
        wire.say(frame)
        wire.say(Call(2, 1, "notes", [], {}))
        raised = await wire.hear()
        assert isinstance(raised, Raised)
        assert error in raised.error.text
        wire.say(opened(host, 2))
        wire.say(Call(3, 2, "notes", [], {}))
        assert await wire.hear() == Result(3, encode([]))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Call(2, 1, "note", [b"\xc1"], {}), "not an encoded value"),
        (Call(2, 1, "note", [], {"value": b""}), "not an encoded value"),
        (Call(2, 1, "note", [b"\x91" * 2_000 + b"\xc0"], {}), ""),
        (Fetch(2, 1, "GET", "/relative", [], b""), "Invalid URL"),
        (Fetch(2, 1, "GET", "http://x/", [(b"a", b"b\r\nc")], b""), "line break"),
    ],
    ids=["argument", "keyword", "deep", "url", "header"],
)
async def test_a_call_that_makes_no_sense_fails_alone(frame: Any, text: str) -> None:
    """With a clear error; the next one works."""
    async with host_for(app, clock=ManualClock(), api_keys=("key",)) as host, wired(host) as wire:
        wire.say(opened(host))
        wire.say(frame)
        raised = await wire.hear()
        assert isinstance(raised, Raised)
        assert text in raised.error.text
        wire.say(Call(3, 1, "notes", [], {}))
        assert await wire.hear() == Result(3, encode([]))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"\0\xc1"], "not a frame"),
        ([b"\7"], "not a frame"),
        ([Result(1, b"")], "not a frame"),
        ([Call(2, 9, "notes", [], {})], "stub 9 is not open"),
        (["open", "open"], "stub 1 is open already"),
        (["open", Call(2, 1, "wait", [], {}), Call(2, 1, "wait", [], {})], "call 2 is in flight"),
        (["open", Fetch(2, 1, "GET", "http://x/", [], 2)], "stream 2 is open already"),
        (["open", Fetch(2, 1, "GET", "http://x/", [], 3), Text(3, "a")], "Text for a body"),
        (["open", Fetch(2, 1, "GET", "http://x/", [], 3), Credit(3, 5)], "Credit for a body"),
        (
            ["open", Fetch(2, 1, "GET", "http://x/", [], 3), Chunk(3, bytes(2**18 + 1))],
            "credit for",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "sends",
)
async def test_what_no_client_does_ends_its_connection(frames: list[Any], reason: str) -> None:
    """With 1002 and the reason; another client does not notice."""
    async with (
        host_for(app, clock=ManualClock(), api_keys=("key",)) as host,
        wired(host) as other,
        wired(host) as wire,
    ):
        for frame in frames:
            wire.say(opened(host) if frame == "open" else frame)
        said = await wire.hear()
        while not isinstance(said, tuple):
            said = await wire.hear()
        assert said[0] == 1002
        assert reason in said[1]
        other.say(opened(host))
        other.say(Call(2, 1, "notes", [], {}))
        assert await other.hear() == Result(2, encode([]))


numbers = st.integers(0, 4)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)
tags = st.sampled_from(
    [
        "open",
        "release",
        "call",
        "fetch",
        "credit",
        "stop",
        "chunk",
        "end",
        "text",
        "binary",
        "closed",
    ]
)
likely = st.one_of(
    st.builds(
        Call,
        numbers,
        numbers,
        st.sampled_from(["note", "notes", "x"]),
        st.lists(st.binary(max_size=3), max_size=2),
        st.just({}),
    ),
    st.builds(
        Fetch,
        numbers,
        numbers,
        st.text(max_size=3),
        st.sampled_from(["http://x/", "", "x"]),
        st.just([]),
        st.binary(max_size=3) | numbers,
    ),
    st.builds(Release, st.lists(numbers, max_size=3)),
    st.builds(Credit, numbers, st.integers(0, 100)),
    st.builds(Stop, numbers),
    st.builds(Chunk, numbers, st.binary(max_size=3)),
    st.builds(End, numbers, st.none() | st.just(INFO)),
    st.builds(Text, numbers, st.text(max_size=3)),
    st.builds(Closed, numbers, st.integers(999, 5000), st.text(max_size=3), st.booleans()),
).map(msgspec.msgpack.encode)
hostile = st.one_of(
    st.binary(max_size=40),
    likely.map(lambda data: b"\0" + data),
    st.builds(
        lambda tag, rest: b"\0" + msgspec.msgpack.encode([tag, *rest]),
        tags,
        st.lists(plain, max_size=6),
    ),
)


# Many clients of one host in an example: a host costs more than all of them.
@settings(max_examples=20)
@given(st.lists(st.lists(hostile, max_size=12), min_size=1, max_size=8))
def test_no_bytes_of_a_client_harm_the_host(clients: list[list[bytes]]) -> None:
    """Each is answered, passed over, or ends the connection; another client does not notice."""

    async def main() -> None:
        async with (
            host_for(app, clock=ManualClock(), api_keys=("key",)) as host,
            wired(host) as other,
        ):
            other.say(opened(host, name="other"))
            for number, messages in enumerate(clients, start=2):
                async with wired(host) as wire:
                    wire.say(opened(host))
                    for message in messages:
                        wire.say(message)
                    other.say(Call(number, 1, "notes", [], {}))
                    assert await other.hear() == Result(number, encode([]))

    anyio.run(main)
