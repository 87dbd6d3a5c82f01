"""What two processes say to each other about calls: frames, as bytes and back, checked. No I/O.

One connection carries everything between a client and a host, in order: that is what keeps calls of
every kind over one stub in the order they were made. A frame is a MessagePack array whose first
member names it. Values inside it are bytes of the codec that storage uses. `stub`, `call` and
`stream` are numbers that the client gives, never twice; a response's body and its WebSocket have the
number of their call. A stream flows as far as its reader has given credit.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from . import limits

PROTOCOL = 1
PATH = "/_rpc/v1"

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=1, lt=1 << 53)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)]
ObjectBytes: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Trace: TypeAlias = Annotated[str, msgspec.Meta(max_length=limits.MAX_TRACE_CHARACTERS)]
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class ProtocolError(Exception):
    """The other side sent what no client or host of this version sends: the connection ends. The
    message, at most 123 bytes of ASCII, is the reason it is closed with."""

    code = 1002  # RFC 6455, 7.4.1


class ErrorInfo(msgspec.Struct, array_like=True, frozen=True):
    """An error: its class by name, its text, its `args` and attributes each encoded. `arguments` are
    None where one of them cannot be copied."""

    module: str
    name: str
    text: str
    arguments: list[bytes] | None
    attributes: dict[str, bytes]


class ModuleInfo(msgspec.Struct, array_like=True, frozen=True):
    """A module: what builds its value, its configuration, and the names of its namespaces."""

    kind: Annotated[str, msgspec.Meta(max_length=limits.MAX_MODULE_KIND_CHARACTERS)]
    config: Annotated[bytes, msgspec.Meta(max_length=limits.MAX_MODULE_CONFIG_BYTES)]
    namespaces: list[str]


class Welcome(msgspec.Struct, array_like=True, frozen=True, tag="welcome"):
    """Host: the first frame. The namespaces with their unique keys, the variables as encoded, the
    modules by their bindings. ValueError: a module with a name or a namespace that cannot be its."""

    protocol: int
    app: str
    namespaces: dict[str, str]
    variables: dict[str, bytes]
    modules: dict[str, ModuleInfo]

    def __post_init__(self) -> None:
        for binding, module in self.modules.items():
            if binding in self.namespaces or binding in self.variables:
                raise ValueError(f"the name of module {binding} is taken")

            for name in module.namespaces:
                if name not in self.namespaces:
                    raise ValueError(f"namespace {name} of module {binding} is not there")


class Open(msgspec.Struct, array_like=True, frozen=True, tag="open"):
    """Client: a stub, before its first call."""

    stub: Number
    binding: str
    object: ObjectBytes
    name: str | None
    jurisdiction: str | None


class Release(msgspec.Struct, array_like=True, frozen=True, tag="release"):
    """Client: stubs that nobody holds any more."""

    stubs: list[Number]


class Call(msgspec.Struct, array_like=True, frozen=True, tag="call"):
    """Client: a method call. Answered by `Result` or `Raised`. `trace`: the span that it was made in, as
    the header `traceparent` has it."""

    call: Number
    stub: Number
    method: str
    arguments: list[bytes]
    keywords: dict[str, bytes]
    trace: Trace | None = None


class Get(msgspec.Struct, array_like=True, frozen=True, tag="get"):
    """Client: a read of a property. Answered by `Result` or `Raised`. `trace`: as of `Call`."""

    call: Number
    stub: Number
    name: str
    trace: Trace | None = None


class Fetch(msgspec.Struct, array_like=True, frozen=True, tag="fetch"):
    """Client: a request, its body in full or as the number of a stream. Answered by `Responded` or
    `Raised`."""

    call: Number
    stub: Number
    method: str
    url: str
    headers: RawHeaders
    body: bytes | Number


class Result(msgspec.Struct, array_like=True, frozen=True, tag="result"):
    """Host: what a method returned."""

    call: Number
    value: bytes


class Responded(msgspec.Struct, array_like=True, frozen=True, tag="responded"):
    """Host: a response. A body of None is a stream."""

    call: Number
    status: Annotated[int, msgspec.Meta(ge=101, le=599)]
    headers: RawHeaders
    body: bytes | None
    web_socket: bool


class Raised(msgspec.Struct, array_like=True, frozen=True, tag="raised"):
    """Host: the call failed."""

    call: Number
    error: ErrorInfo


class Credit(msgspec.Struct, array_like=True, frozen=True, tag="credit"):
    """Reader: so many more bytes of the stream may come."""

    stream: Number
    size: Count


class Stop(msgspec.Struct, array_like=True, frozen=True, tag="stop"):
    """Reader: nobody reads this body any more."""

    stream: Number


class Chunk(msgspec.Struct, array_like=True, frozen=True, tag="chunk"):
    """Writer: bytes of a body."""

    stream: Number
    data: bytes


class End(msgspec.Struct, array_like=True, frozen=True, tag="end"):
    """Writer: the body ends, well or with an error."""

    stream: Number
    error: ErrorInfo | None


class Text(msgspec.Struct, array_like=True, frozen=True, tag="text"):
    """Either side: a text message of a WebSocket."""

    stream: Number
    message: str


class Binary(msgspec.Struct, array_like=True, frozen=True, tag="binary"):
    """Either side: a binary message of a WebSocket."""

    stream: Number
    message: bytes


class Closed(msgspec.Struct, array_like=True, frozen=True, tag="closed"):
    """Either side: a WebSocket's close frame, or its loss (`was_clean` false)."""

    stream: Number
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)]
    reason: str
    was_clean: bool


StreamFrame: TypeAlias = Credit | Stop | Chunk | End | Text | Binary | Closed
ClientFrame: TypeAlias = Open | Release | Call | Get | Fetch | StreamFrame
HostFrame: TypeAlias = Welcome | Result | Responded | Raised | StreamFrame
Frame: TypeAlias = ClientFrame | HostFrame

_encoder = msgspec.msgpack.Encoder()
_client_decoder = msgspec.msgpack.Decoder(ClientFrame)
_host_decoder = msgspec.msgpack.Decoder(HostFrame)


def encode_frame(frame: Frame) -> bytes:
    """A frame as bytes. ValueError: too long, or a text that is no UTF-8."""
    data = _encoder.encode(frame)
    if len(data) > limits.MAX_REMOTE_FRAME_BYTES:
        raise ValueError(
            f"a frame to another process is at most {limits.MAX_REMOTE_FRAME_BYTES} bytes, "
            f"this one is {len(data)}"
        )

    return data


def decode_client_frame(data: bytes) -> ClientFrame:
    """What a client sent. ProtocolError: it is no frame of a client."""
    try:
        frame: ClientFrame = _client_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(_reason(error)) from None

    return frame


def decode_host_frame(data: bytes) -> HostFrame:
    """What a host sent. ProtocolError: it is no frame of a host."""
    try:
        frame: HostFrame = _host_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(_reason(error)) from None

    return frame


def _reason(error: Exception) -> str:
    text = f"not a frame: {error or type(error).__name__}"
    return text.encode("ascii", "replace").decode()[: limits.MAX_CLOSE_REASON_BYTES]


MORE = b"\1"
LAST = b"\0"


def fragments(data: bytes) -> list[bytes]:
    """A frame in the messages that carry it: each begins with a byte that says whether it is the last."""
    if len(data) < limits.REMOTE_FRAGMENT_BYTES:
        return [LAST + data]

    size = limits.REMOTE_FRAGMENT_BYTES
    starts = range(0, len(data), size)
    return [(LAST if at + size >= len(data) else MORE) + data[at : at + size] for at in starts]


class Assembler:
    """Joins messages to frames again, never holding more than one frame may have."""

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, message: object) -> bytes | None:
        """The frame that `message` completes, if it does. ProtocolError: it is no part of a frame."""
        if not isinstance(message, bytes) or message[:1] not in (MORE, LAST):
            raise ProtocolError("not a frame: a binary message that begins with 0 or 1 is expected")

        self._size += len(message) - 1
        if self._size > limits.MAX_REMOTE_FRAME_BYTES:
            raise ProtocolError(f"a frame is at most {limits.MAX_REMOTE_FRAME_BYTES} bytes")

        self._parts.append(message[1:])
        if message[:1] == MORE:
            if len(message) == 1:
                raise ProtocolError("not a frame: an empty part")
            return None

        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return data
