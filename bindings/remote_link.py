"""One connection to a host in another process: what is in flight over it, until it is lost."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from ..runtime import (
    DataCloneError,
    DurableObjectError,
    LimitError,
    OverloadedError,
    Response,
    WebSocketPair,
    limits,
)
from ..runtime.backend import current_backend
from ..runtime.events import CURRENT
from ..runtime.remote_frames import (
    Assembler,
    Open,
    ProtocolError,
    Raised,
    Release,
    Responded,
    Result,
    Welcome,
    decode_host_frame,
)
from ..runtime.remote_outbox import Outbox
from ..runtime.remote_streams import Streams
from ..runtime.remote_values import restore_error
from ..runtime.telemetry import tracing_here
from ..storage import decode
from .remote_dial import cannot_connect, dial
from .remote_pending import Pending, again, drop, lost_error, refuse, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from websockets.asyncio.client import ClientConnection

    from ..runtime import DurableObjectId, Request
    from ..runtime.remote_frames import Frame, HostFrame
    from ..runtime.tracing import CallSpan
    from .remote_channel import RemoteChannel


class Link:
    """Made by the call that needs it; frames wait until it has connected.

    When it is lost, whatever is in flight fails with a retryable error: it may have run or not. It
    is not used again.
    """

    def __init__(self, url: str, api_key: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.lost: Exception | None = None
        self.ready: asyncio.Future[Welcome | Exception] = self.loop.create_future()
        self.socket: ClientConnection | None = None
        self._url = url
        self._api_key = api_key
        backend = current_backend()
        self._outbox = Outbox(backend)
        self._streams = Streams(backend, self._put_if_up, self._spawn, imported=True)
        self._assembler = Assembler()
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._released: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._tracing = tracing_here()
        self._main = self._start(self._run())

    def span(self, service: str, method: str) -> CallSpan | None:
        """The span of a call that is about to be sent; None: no spans are made here."""
        return None if self._tracing is None else self._tracing.call(service, method)

    def open_stub(self, binding: str, object_id: DurableObjectId) -> int:
        """Tell the host of a stub; its number."""
        number = next(self._numbers)
        name, jurisdiction = object_id.name, object_id.jurisdiction
        self._put(Open(number, binding, bytes(object_id), name, jurisdiction))
        return number

    def release_later(self, number: int) -> None:
        """Nobody holds a stub any more; called from any thread."""
        self._released.append(number)
        if len(self._released) == 1:
            with suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(self._release)

    def send_call(self, channel: RemoteChannel, frame: Callable[[int], Frame]) -> Pending:
        """Send a call, made with its number. OverloadedError: too much is in flight. LimitError: it
        is too long."""
        self._check_room()
        return self._send(channel, "", lambda call: self._put(frame(call)))

    def send_fetch(
        self,
        channel: RemoteChannel,
        request: Request,
        frame: Callable[[int, bytes | int], Frame],
    ) -> Pending:
        """Send a request, made with its number and its body or the stream of that, likewise."""
        self._check_room()
        body = request.buffered
        if body is None or len(body) > limits.MAX_REMOTE_INLINE_BYTES:
            self._streams.check_room()
            body = None

        def put(call: int) -> None:
            if body is not None:
                self._put(frame(call, body))
                return

            stream = next(self._numbers)
            self._put(frame(call, stream))
            self._streams.send_body(stream, request.stream())

        return self._send(channel, str(request.url), put)

    async def answer(self, pending: Pending) -> Any:
        """What the method returned, or the response; or the error that was raised."""
        try:
            answer = await pending.answer
        except BaseException:  # cancelled, or closed
            drop(pending)
            raise

        if isinstance(answer, Exception):
            raise answer

        return decode(answer) if isinstance(answer, bytes) else answer

    async def close(self) -> None:
        """End the connection, when what was called before is sent."""
        sent = self._start(self._outbox.wait_until(0))
        await asyncio.wait(
            (sent, self._main),
            timeout=limits.REMOTE_CONNECT_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        sent.cancel()
        self._main.cancel()
        await asyncio.wait((self._main,))

    def _check_room(self) -> None:
        if len(self._pending) >= limits.MAX_REMOTE_CALLS or self._outbox.full:
            raise OverloadedError("too many calls are in flight over one connection to the host")

    def _send(self, channel: RemoteChannel, url: str, put: Callable[[int], None]) -> Pending:
        pending = Pending(channel, url, self.loop.create_future())
        frame = CURRENT.get()
        gate = None if frame is None else frame.activation.commits.gate
        if gate is None or gate.is_open:
            self._deliver(pending, put)
        else:
            # An actor's call leaves once what it wrote before is durable, as any of its calls.
            gate.when_open(
                lambda: self._deliver_late(pending, put), lambda error: refuse(pending, error)
            )
        return pending

    def _deliver(self, pending: Pending, put: Callable[[int], None]) -> None:
        if self.lost is not None:
            pending.answer.set_result(again(self.lost))
            return

        call = next(self._numbers)
        put(call)
        self._pending[call] = pending

    def _deliver_late(self, pending: Pending, put: Callable[[int], None]) -> None:
        try:
            self._deliver(pending, put)
        except Exception as error:
            settle(pending, error)

    def _put(self, frame: Frame) -> None:
        try:
            self._outbox.put(frame)
        except UnicodeError:
            raise DataCloneError("a text with a lone surrogate cannot be sent") from None
        except ValueError as error:
            raise LimitError(str(error)) from None

    def _put_if_up(self, frame: Frame) -> None:
        if self.lost is None:
            self._outbox.put(frame)

    def _release(self) -> None:
        stubs, self._released = self._released, []
        self._put_if_up(Release(stubs))

    async def _run(self) -> None:
        lost: Exception = lost_error(None)
        try:
            self.socket = socket = await dial(self._url, self._api_key)
            try:
                await self._serve(socket)
            except ConnectionClosed as error:
                lost = lost_error(error)
            except ProtocolError as error:
                lost = DurableObjectError(f"the host sent what cannot be understood: {error}")
                await socket.close(error.code, str(error))
            finally:
                await socket.close()
        except Exception as error:
            lost = cannot_connect(self._url, error)
        finally:
            self._end(lost)

    async def _serve(self, socket: ClientConnection) -> None:
        async with asyncio.timeout(limits.REMOTE_CONNECT_SECONDS):
            while not self.ready.done():
                self._received(await socket.recv())
        self._start(self._write(socket))
        async for message in socket:
            self._received(message)

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):  # the reader learns it too
            await self._outbox.run(socket.send)

    def _received(self, message: str | bytes) -> None:
        data = self._assembler.feed(message)
        if data is not None:
            self._frame(decode_host_frame(data))

    def _frame(self, frame: HostFrame) -> None:
        match frame:
            case Result() | Raised() | Responded():
                pending = self._pending.pop(frame.call, None)
                if pending is not None:
                    self._answered(pending, frame)
            case Welcome():
                if not self.ready.done():
                    self.ready.set_result(frame)
            case _:
                self._streams.frame(frame)

    def _answered(self, pending: Pending, frame: Result | Raised | Responded) -> None:
        if isinstance(frame, Raised):
            error = restore_error(frame.error, imported=True)
            pending.channel.failed(frame.error, error)
            settle(pending, error)
        elif isinstance(frame, Result):
            settle(pending, frame.value)
        elif not pending.answer.done():
            settle(pending, self._make_response(pending, frame))
        elif frame.body is None or frame.web_socket:
            self._streams.refuse(frame.call, web_socket=frame.web_socket)

    def _make_response(self, pending: Pending, frame: Responded) -> Response | Exception:
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in frame.headers
        ]
        try:
            if frame.web_socket:
                pair = WebSocketPair()
                response = Response(status=frame.status, headers=headers, web_socket=pair.client)
                pair.client.opened_by(pending.url, response.headers.get("sec-websocket-protocol"))
                self._streams.relay(frame.call, pair.server)
                return response

            body = frame.body
            content = self._streams.receive_body(frame.call) if body is None else body
            return Response(content, status=frame.status, headers=headers)
        except ValueError as error:
            return DurableObjectError(f"the host sent what is no response: {error}")

    def _start(self, running: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # In a context of its own: it is no part of the actor or the request that happened to start it.
        task = self.loop.create_task(running, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await function()

        self._start(run())

    def _end(self, error: Exception) -> None:
        self.lost = error
        if not self.ready.done():
            self.ready.set_result(error)
        pending, self._pending = list(self._pending.values()), {}
        for call in pending:
            settle(call, again(error))
        self._streams.lost(error)
        for task in self._tasks - {self._main}:
            task.cancel()
