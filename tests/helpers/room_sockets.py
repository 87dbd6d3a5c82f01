"""Sockets of a realtime room in process: clients that keep what they hear, on a clock moved by hand."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from roomhost.actors import realtime
from roomhost.actors.caller import DEFAULT_CAPABILITIES, Caller
from roomhost.actors.frames import Protocol
from roomhost.actors.options import RealtimeLifecycleOptions
from roomhost.actors.socket_request import socket_request
from roomhost.actors.tokens import caller_of_token, mint
from roomhost.actors.types import RealtimePrincipal
from roomhost.bindings import App
from roomhost.runtime import Host, WebSocket, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for

app = App(name="live", bindings={"LIVE": realtime(name="live")})
recreating = App(
    name="live",
    bindings={
        "LIVE": realtime(name="live", lifecycle=RealtimeLifecycleOptions(allow_recreate=True))
    },
)
READER = Caller(capabilities=("subscribe", "history"))
BOTH = (Protocol.JSON, Protocol.MSGPACK)


def user(name: str, *capabilities: str, **fields: Any) -> Caller:
    """Somebody with a token of these capabilities; the default ones where none are named."""
    actor = RealtimePrincipal(kind="user", id=name, user_id=name)
    names = capabilities or DEFAULT_CAPABILITIES
    return Caller(actor=actor, member_id=name, capabilities=names, **fields)


class Client:
    """The client's end of a socket. `frames`: what it heard and nobody took; `end`: how it ended."""

    def __init__(self, hall: Hall, ws: WebSocket, protocol: Protocol) -> None:
        self.hall = hall
        self.ws = ws
        self.protocol = protocol
        self.frames: list[dict[str, Any]] = []
        self.end: tuple[int, str, bool] | None = None
        self._number = 0

    async def read(self) -> None:
        """Hear everything, until the end."""
        try:
            while True:
                frame = self._decode(await self.ws.receive())
                self.frames.append(frame)
        except WebSocketClosed as closed:
            self.end = (closed.code, closed.reason, closed.was_clean)

    def take(self) -> list[dict[str, Any]]:
        """What it heard since the last time."""
        taken, self.frames = self.frames, []
        return taken

    def types(self) -> list[str]:
        """The types of that."""
        return [frame["type"] for frame in self.take()]

    def send(self, **frame: Any) -> None:
        """Send a frame, and wait for nothing."""
        self.ws.send(self.encode(frame))

    async def say(self, frame: str | bytes) -> list[dict[str, Any]]:
        """Send a frame as it is; everything that was heard by the time that nothing happens."""
        self.ws.send(frame)
        await self.hall.host.settle()
        return self.take()

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The answer to a frame; what else was heard is left in `frames`."""
        self._number += 1
        number = f"question {self._number}"
        self.send(type=kind, id=number, **fields)
        await self.hall.host.settle()
        answers = [frame for frame in self.frames if frame.get("id") == number]
        assert len(answers) == 1, self.frames
        self.frames.remove(answers[0])
        return answers[0]

    async def result(self, kind: str, **fields: Any) -> Any:
        """The result of a frame that is not refused."""
        answer = await self.ask(kind, **fields)
        assert answer["type"] == "ack", answer
        return answer["result"]

    async def refusal(self, kind: str, **fields: Any) -> str:
        """The code of the error that a frame is answered with."""
        answer = await self.ask(kind, **fields)
        assert answer["type"] == "error", answer
        code: str = answer["code"]
        return code

    async def close(self, code: int | None = 1000) -> None:
        """Close, with a code; None: the connection is lost."""
        if code is None:
            self.ws.terminate()
        else:
            self.ws.close(code, "")
        await self.hall.host.settle()

    def encode(self, value: Any) -> str | bytes:
        """A frame of the client's protocol."""
        if self.protocol is Protocol.JSON:
            return msgspec.json.encode(value).decode()
        return msgspec.msgpack.encode(value)

    def _decode(self, frame: str | bytes) -> dict[str, Any]:
        assert isinstance(frame, str) is (self.protocol is Protocol.JSON)
        value: dict[str, Any]
        if isinstance(frame, str):
            value = msgspec.json.decode(frame)
        else:
            value = msgspec.msgpack.decode(frame)
        return value


class Hall:
    """A host with the module, and the room `lobby`, which everything is about unless it says so."""

    def __init__(self, host: Host, clock: ManualClock, group: TaskGroup) -> None:
        self.host = host
        self.clock = clock
        self._group = group

    @property
    def room(self) -> Any:
        """Its handle."""
        return self.host.env.LIVE.room("lobby")

    def stub(self, name: str = "lobby", kind: str = "room") -> Any:
        """The object of a room."""
        return self.host.env.LIVE.stub(kind, name)

    async def open(
        self,
        caller: Caller = READER,
        *,
        epoch: str | None = None,
        seq: int = 0,
        protocol: Protocol = Protocol.JSON,
        name: str = "lobby",
        kind: str = "room",
    ) -> Client:
        """A new socket, and everything that comes of it done."""
        request = socket_request(caller, epoch, seq, protocol)
        response = await self.stub(name, kind).fetch(request)
        assert response.status == 101
        response.web_socket.accept()
        client = Client(self, response.web_socket, protocol)
        self._group.start_soon(client.read)
        await self.host.settle()
        return client

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Run beside everything else, until the hall closes."""
        self._group.start_soon(work, *arguments)

    async def open_quietly(self, caller: Caller = READER, **fields: Any) -> Client:
        """A new socket that has heard everything about its own opening."""
        client = await self.open(caller, **fields)
        client.take()
        return client

    async def publish(self, number: int = 1) -> None:
        """Have so many messages in the room, by the server."""
        for count in range(number):
            await self.room.publish(type="note", data=count)
        await self.host.settle()

    async def sleep(self) -> None:
        """Have the room hibernate."""
        await self.host.evict(self.stub())

    def token(self, name: str, *capabilities: str, **fields: Any) -> str:
        """A token of the first life of the lobby, for 300 s; `fields` are those of `mint`."""
        now_ms = self.clock.now_ms()
        actor = RealtimePrincipal(kind="user", id=name, user_id=name)
        given: dict[str, Any] = {
            "audience": "live",
            "room": "lobby",
            "kind": "room",
            "generation": 1,
            "actor": actor,
            "member_id": name,
            "client_id": None,
            "presence": None,
            "capabilities": capabilities or DEFAULT_CAPABILITIES,
            "now_ms": now_ms,
            "expires_ms": now_ms + 300_000,
            "token_id": "1",
        }
        return mint(self.host.env.LIVE.services.keyring, **(given | fields))

    def bearer(self, token: str) -> Caller:
        """Who bears a token of the lobby."""
        return caller_of_token(
            self.host.env.LIVE.services.keyring,
            token,
            audience="live",
            kind="room",
            room="lobby",
            now_ms=self.clock.now_ms(),
        )


@asynccontextmanager
async def hall_for(
    application: App = app, clock: ManualClock | None = None, **settings: Any
) -> AsyncGenerator[Hall]:
    """A hall; its clients are forgotten in the end."""
    moved = ManualClock() if clock is None else clock
    async with anyio.create_task_group() as group:
        async with host_for(application, clock=moved, **settings) as host:
            yield Hall(host, moved, group)
        group.cancel_scope.cancel()
