"""A streaming response body: an actor's generator, run as the actor's code, read by the caller."""

from __future__ import annotations

from collections import deque
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING

from . import limits
from .errors import DurableObjectError, cross
from .events import RunEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from .activation import Activation
    from .backend import Waiter
    from .http import Response


class ChunkQueue:
    """Chunks between one writer and one reader, both on one loop; a full queue holds the writer."""

    def __init__(self, activation: Activation) -> None:
        self._new_waiter = activation.new_waiter
        self._chunks: deque[bytes] = deque()
        self._changed: Waiter | None = None
        self.ended = False
        self.error: BaseException | None = None
        self.abandoned = False

    async def put(self, chunk: bytes) -> None:
        """Add a chunk; waits while the queue is full. Returns at once when nobody reads any more."""
        while len(self._chunks) >= limits.MAX_BODY_CHUNKS_WAITING and not self.abandoned:
            await self._wait()
        self._chunks.append(chunk)
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """No more chunks; the reader gets `error` after the last one."""
        self.ended = True
        self.error = error
        self._wake()

    def abandon(self) -> None:
        """The reader is gone."""
        self.abandoned = True
        self._chunks.clear()
        self._wake()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What the writer puts, until it ends. Raises the error it ended with."""
        while True:
            while self._chunks:
                yield self._chunks.popleft()
                self._wake()
            if self.ended:
                break
            await self._wait()
        if self.error is not None:
            raise self.error

    async def _wait(self) -> None:
        # One side waits at a time: the writer while it is full, the reader while it is empty.
        self._changed = self._new_waiter()
        await self._changed

    def _wake(self) -> None:
        waiter, self._changed = self._changed, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Hold:
    """Keeps an instance in memory until it is let go, or until nobody has it any more."""

    __slots__ = ("_activation",)

    def __init__(self, activation: Activation) -> None:
        self._activation: Activation | None = activation
        activation.pin(1)

    def let_go(self) -> None:
        """The instance may leave memory, as far as this is concerned."""
        activation, self._activation = self._activation, None
        if activation is not None:
            activation.pin(-1)

    def __del__(self) -> None:
        activation = self._activation
        if activation is not None:
            # A collection may run in any thread, the writer's too.
            with suppress(RuntimeError):  # the loop has ended, and the instance with it
                activation.engine.backend.call_from_thread(partial(activation.pin, -1))


def gated_stream(activation: Activation, response: Response) -> Response:
    """The caller's own copy of `response`, whose body, if it is a stream, is produced under the
    object's gates.

    The generator runs in a task of the object, each chunk leaves through the output gate, and the
    instance stays in memory until it ends, or until a response that nobody reads is dropped. It
    starts when the reader asks for the first chunk, so that such a response leaves nothing behind.
    """
    response = response.handed_over()
    if response.buffered is not None:
        return response

    source = response.take_stream()

    async def produce(queue: ChunkQueue) -> None:
        try:
            async for chunk in source:
                await activation.opened()
                await queue.put(chunk)
                if queue.abandoned:
                    break
        finally:
            # Now, not when it is collected: what it holds belongs to the object's code.
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    async def read(hold: Hold) -> AsyncIterator[bytes]:
        if activation.broken is not None:
            raise DurableObjectError(
                "Durable Object connection closed because the object was reset."
            ) from activation.broken

        queue = ChunkQueue(activation)

        def failed(error: BaseException) -> None:
            queue.end(cross(error, remote=True, object_id=str(activation.slot.id)))

        event = RunEvent(lambda: produce(queue), lambda _: queue.end(), failed)
        activation.run_soon(event, activation.input_gate)
        hold.let_go()  # the event keeps it from now on
        try:
            async with aclosing(queue.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            queue.abandon()
            if event.scope is not None:
                event.scope.cancel()  # it waits for something of its own, for nobody

    response.set_stream(read(Hold(activation)))
    return response
