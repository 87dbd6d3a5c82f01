"""One client in another process: its stubs, its calls, its streams, over one WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio

from ..storage import DataCloneError, encode
from . import limits
from .backend import current_backend
from .errors import DurableObjectError, LimitError, OverloadedError
from .http import Request
from .remote_frames import (
    PROTOCOL,
    Assembler,
    Call,
    Fetch,
    Get,
    ModuleInfo,
    Open,
    ProtocolError,
    Raised,
    Release,
    Responded,
    Result,
    Welcome,
    decode_client_frame,
)
from .remote_outbox import Outbox
from .remote_streams import Streams
from .remote_stubs import RemoteStubs
from .remote_values import decode_arguments, describe_error
from .telemetry import within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from anyio.abc import TaskGroup

    from .application import Message, Receive, Send
    from .channel import LocalChannel
    from .connection import Link
    from .host import Host
    from .http import Body, Response
    from .remote_frames import ClientFrame

NORMAL_CLOSURE = 1000
RESTART = 1012


class RemoteConnection:
    """Delivers what a client calls in the order it comes; answers go out as they are ready.

    What is malformed ends the connection, and only it. A connection that ends drops no handler: what
    was delivered runs on, with nobody to tell.
    """

    def __init__(self, host: Host, receive: Receive, send: Send, link: Link | None = None) -> None:
        self._host = host
        self._receive = receive
        self._send = send
        self._link = link
        backend = current_backend()
        self._outbox = Outbox(backend)
        self._streams = Streams(
            backend, self._outbox.put, self._spawn, imported=False, ended=self._check_drained
        )
        self._assembler = Assembler()
        self._stubs = RemoteStubs(host)
        self._calls: dict[int, Coroutine[Any, Any, Any]] = {}  # in flight
        self._argument_bytes = 0  # of them
        self._draining = False
        self._closing = False
        self._group: TaskGroup

    async def run(self) -> None:
        """Serve an upgrade that was accepted, to its end."""
        self._outbox.put(self._welcome())
        try:
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._write)
                await self._read()
                self._group.cancel_scope.cancel()
        finally:
            self._draining = False
            lost = DurableObjectError("the client disconnected before its request body ended")
            lost.retryable = True
            self._streams.lost(lost)
            for call in self._calls.values():
                call.close()  # of those that no task has begun to wait for

    def drain(self) -> None:
        """The host stops: end once every call in flight is answered, its body too."""
        for relay in self._streams.relays:
            relay.restart()
        self._draining = True
        self._check_drained()

    def _welcome(self) -> Welcome:
        host = self._host
        names = host.namespaces
        modules = {
            module.binding: ModuleInfo(module.kind, module.config, list(module.namespaces))
            for module in host.app.modules()
        }
        variables: dict[str, bytes] = {}
        for name in cast("list[str]", list(host.env)):
            if name not in names and name not in modules:
                try:
                    variables[name] = encode(host.env[name])
                except DataCloneError:  # a variable of this process alone
                    continue
        keys = {name: namespace.unique_key for name, namespace in names.items()}
        return Welcome(PROTOCOL, host.app.name, keys, variables, modules)

    async def _write(self) -> None:
        try:
            await self._outbox.run(self._send_bytes)
        except OSError:  # what servers raise for a client that is gone
            self._group.cancel_scope.cancel()

    async def _send_bytes(self, data: bytes) -> None:
        if not self._closing:
            await self._send({"type": "websocket.send", "bytes": data})

    async def _read(self) -> None:
        while True:
            message: Message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if self._link is not None:
                    self._link.close(NORMAL_CLOSURE, "")
                return

            try:
                data = self._assembler.feed(message.get("bytes"))
                if data is not None:
                    self._frame(decode_client_frame(data))
            except ProtocolError as error:
                await self._close(error.code, str(error))
                return

            if self._outbox.full:
                await self._outbox.wait_until(limits.MAX_REMOTE_OUTBOX_BYTES // 2)

    def _frame(self, frame: ClientFrame) -> None:
        match frame:
            case Call():
                self._call(frame)
            case Fetch():
                self._fetch(frame)
            case Get():
                self._get(frame)
            case Open():
                self._stubs.open(frame)
            case Release():
                self._stubs.release(frame.stubs)
            case _:
                self._streams.frame(frame)

    def _call(self, frame: Call) -> None:
        size = sum(map(len, frame.arguments)) + sum(map(len, frame.keywords.values()))
        try:
            channel = self._admit(frame, size)
            arguments, keywords = decode_arguments(frame.arguments, frame.keywords)
            with within(self._host.observer, frame.trace):
                outcome = channel.call(frame.method, arguments, keywords)
        except (OverloadedError, DurableObjectError, ValueError, TypeError) as error:
            self._raised(frame.call, error)
            return

        self._start(frame.call, size, outcome, self._result)

    def _get(self, frame: Get) -> None:
        try:
            channel = self._admit(frame, 0)
            with within(self._host.observer, frame.trace):
                outcome = channel.get(frame.name)
        except (DurableObjectError, ValueError, TypeError) as error:
            self._raised(frame.call, error)
            return

        self._start(frame.call, 0, outcome, self._result)

    def _fetch(self, frame: Fetch) -> None:
        size = len(frame.body) if isinstance(frame.body, bytes) else 0
        try:
            channel = self._admit(frame, size)
            outcome = channel.fetch(self._request(frame))
        except (OverloadedError, DurableObjectError, ValueError, TypeError) as error:
            self._raised(frame.call, error)
            return

        self._start(frame.call, size, outcome, self._responded)

    def _admit(self, frame: Call | Get | Fetch, size: int) -> LocalChannel:
        if frame.call in self._calls or frame.call in self._streams:
            raise ProtocolError(f"call {frame.call} is in flight already")

        channel = self._stubs.find(frame.stub)
        if (
            len(self._calls) >= limits.MAX_REMOTE_CALLS
            or self._argument_bytes + size > limits.MAX_REMOTE_ARGUMENT_BYTES
        ):
            raise OverloadedError("too many calls are in flight over one connection to the host")

        return channel

    def _request(self, frame: Fetch) -> Request:
        body: bytes | AsyncIterator[bytes]
        if isinstance(frame.body, bytes):
            body = frame.body
        else:
            # The number of a call is that of its response's body, too.
            if frame.body == frame.call or frame.body in self._calls or frame.body in self._streams:
                raise ProtocolError(f"stream {frame.body} is open already")

            self._streams.check_room()
            body = self._streams.receive_body(frame.body)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in frame.headers
        ]
        return Request(frame.url, method=frame.method, headers=headers, body=body)

    def _start(
        self,
        number: int,
        size: int,
        outcome: Coroutine[Any, Any, Any],
        answer: Callable[[int, Any], None],
    ) -> None:
        self._calls[number] = outcome
        self._argument_bytes += size
        self._group.start_soon(self._answer, number, size, outcome, answer)

    async def _answer(
        self,
        number: int,
        size: int,
        outcome: Coroutine[Any, Any, Any],
        answer: Callable[[int, Any], None],
    ) -> None:
        try:
            result = await outcome
            try:
                answer(number, result)
            except ValueError as error:  # longer than a frame, though its value is not
                raise LimitError(str(error)) from error
        except Exception as error:
            self._raised(number, error)
        self._argument_bytes -= size
        del self._calls[number]
        self._check_drained()

    def _result(self, number: int, result: Any) -> None:
        self._outbox.put(Result(number, encode(result)))

    def _responded(self, number: int, response: Response) -> None:
        body = response.buffered
        streams = body is None or len(body) > limits.MAX_REMOTE_INLINE_BYTES
        socket = response.web_socket
        if streams or socket is not None:
            self._streams.check_room()
        inline = None if streams else body
        frame = Responded(
            number, response.status, list(response.headers.raw), inline, socket is not None
        )
        self._outbox.put(frame)
        if socket is not None:
            self._streams.relay(number, socket)
        elif streams:
            self._streams.send_body(number, source_of(response))

    def _raised(self, number: int, error: BaseException) -> None:
        self._outbox.put(Raised(number, describe_error(error)))

    def _spawn(self, function: Callable[[], Any]) -> None:
        self._group.start_soon(function)

    def _check_drained(self) -> None:
        if self._draining and not self._calls and not self._streams.busy:
            self._draining = False
            self._group.start_soon(self._close_drained)

    async def _close_drained(self) -> None:
        await self._outbox.wait_until(0)
        await self._close(RESTART, "The host is stopping.")
        self._group.cancel_scope.cancel()

    async def _close(self, code: int, reason: str) -> None:
        self._closing = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            return


def source_of(body: Body) -> AsyncIterator[bytes]:
    """The stream that a body is; itself, so that closing it ends what produces it."""
    if body.buffered is None:
        try:
            return body.take_stream()
        except RuntimeError:  # it was read already, which whoever reads it learns
            return body.stream()

    return body.stream()
