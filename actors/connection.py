"""One socket of a room, as the room sees it: who it is, how it speaks, until when."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..runtime.web_socket import ReadyState
from . import limits
from .caller import Caller, decode_caller, encode_caller
from .frames import Protocol, ack, error, written
from .rate import bucket_of

if TYPE_CHECKING:
    from ..runtime import WebSocket
    from .errors import RealtimeError

SLOW_CONSUMER = 4531


class Connection:
    """Made from the socket's attachment, so that it outlives the room's instance."""

    __slots__ = ("bucket", "caller", "id", "protocol", "statuses", "ws")

    def __init__(
        self,
        ws: WebSocket,
        connection_id: str,
        caller: Caller,
        protocol: Protocol,
        *,
        statuses: bool = False,
    ) -> None:
        self.ws = ws
        self.id = connection_id
        self.caller = caller
        self.protocol = protocol
        self.statuses = statuses  # of Yjs: what becomes of every update is told
        self.bucket = bucket_of(protocol)

    @classmethod
    def of(cls, ws: WebSocket) -> Connection:
        """The connection whose attachment the socket has."""
        kept: dict[str, Any] = ws.deserialize_attachment()
        return cls(
            ws,
            kept["id"],
            decode_caller(kept["caller"]),
            Protocol(kept["protocol"]),
            statuses=kept["statuses"],
        )

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return self.ws.ready_state is ReadyState.OPEN

    @property
    def member_id(self) -> str | None:
        """The member that is here by this connection, and goes with it: not one who only reads."""
        member_id = self.caller.member_id
        here = member_id is not None and member_tag(member_id) in self.ws.tags
        return member_id if here else None

    def retire(self) -> None:
        """The life of the room that it was opened in is over: its end says nothing of a member of
        the next one."""
        self.caller = replace(self.caller, member_id=None)
        self.keep()

    def keep(self) -> None:
        """Attach what must outlive the instance to the socket."""
        self.ws.serialize_attachment(
            {
                "id": self.id,
                # Its presence was for the member that joined by this socket, and may be large.
                "caller": encode_caller(replace(self.caller, presence=None)),
                "protocol": self.protocol.value,
                "statuses": self.statuses,
            }
        )

    def bound(self, max_bytes: int = 0, max_frames: int = 0) -> None:
        """Have a reader closed for whom too much waits; so much more than that may."""
        self.ws.set_outgoing_limit(
            max_bytes=limits.MAX_OUTGOING_BYTES + max_bytes,
            max_frames=limits.MAX_OUTGOING_FRAMES + max_frames,
            code=SLOW_CONSUMER,
            reason="slow_consumer",
        )

    def replay(self, missed: list[bytes]) -> None:
        """Send what was missed, all at once: nobody is too slow for what was just asked for, and one
        who is closed for it would ask for the same again."""
        self.bound(sum(map(len, missed)), len(missed))
        for frame in missed:
            self.send(frame)

    def send(self, frame: bytes) -> None:
        """Send a frame, unless the connection has closed."""
        send_frame(self.ws, written(frame, self.protocol))

    def send_yjs(self, frame: bytes) -> None:
        """Send a frame of y-protocols, which may be large: it was asked for."""
        if len(frame) > limits.MAX_OUTGOING_BYTES // 4:
            self.bound(len(frame), 1)
        send_frame(self.ws, frame)

    def acknowledge(self, frame_id: bytes | None, result: bytes) -> None:
        """Answer a frame with its result, once that is durable."""
        self.send(ack(frame_id, result))

    def refuse(self, frame_id: bytes | None, failure: RealtimeError) -> None:
        """Answer a frame with why it was refused."""
        self.send(error(frame_id, failure))

    def close(self, failure: RealtimeError, code: int | None = None) -> None:
        """Say why, then close with the code of that, or another one."""
        if self.protocol is not Protocol.YJS:
            self.refuse(None, failure)
        self.ws.close(failure.close_code if code is None else code, failure.code)


def send_frame(ws: WebSocket, frame: str | bytes) -> None:
    """Send to a socket that may have closed meanwhile."""
    try:
        ws.send(frame)
    except TypeError:  # it was closed by this side, and lists until its answer comes
        return


def tags_of(connection: Connection) -> list[str]:
    """What a socket is found by: how it listens, its id, its member, who is here by it or reads."""
    tags = [f"c:{connection.id}"]
    caller = connection.caller
    protocol = connection.protocol
    if protocol is Protocol.YJS:
        tags.append(document_tag(protocol))
    elif caller.may("subscribe"):
        tags.append(protocol.name)
        if caller.may("crdt:read"):
            tags.append(document_tag(protocol))
    if caller.member_id is not None:
        tag = member_tag if caller.may("presence") else reader_tag
        tags.append(tag(caller.member_id))
    return tags


def document_tag(protocol: Protocol) -> str:
    """The tag of sockets of a protocol that are told what happens in the document."""
    return f"d:{protocol.name}"


def member_tag(member_id: str) -> str:
    """The tag of sockets by which a member is here: ids may be longer than tags, and hold anything."""
    return f"m:{sha256(member_id.encode()).hexdigest()[:40]}"


def reader_tag(member_id: str) -> str:
    """The tag of a member's sockets that may not show its presence: it is not here by them."""
    return f"r:{sha256(member_id.encode()).hexdigest()[:40]}"
