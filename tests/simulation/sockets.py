"""Simulated connections, under the real protocols of the host's server.

A `Link` is what a TCP connection is: two directions, each in order, and ends that come at any time.
The server's end is a `ServerTransport`, the client's one the pipes themselves (`client.py`). All
that happens is drawn from one generator and takes the loop's time.
"""

from __future__ import annotations

import asyncio
import random
from contextvars import Context
from typing import TYPE_CHECKING, Any, cast

from roomhost.runtime.bounded_server import BoundedServer

from .pipes import Conditions, Pipe

if TYPE_CHECKING:
    from roomhost.runtime import Host

HIGH_WATER_BYTES = 1_024  # that wait in the server's transport, before it asks to write no more
LOW_WATER_BYTES = 256
FAULT_SECONDS = 2.0  # after its opening, a connection's fault comes
STALL_SECONDS = 8.0  # that a client takes nothing, at most
CRASH_SECONDS = 3.0  # after a crash of the host, its clients hear of it
STOP_SECONDS = 30.0  # that a server waits for connections to close, as uvicorn does
LOOK_SECONDS = 0.1  # between two looks at them, likewise


class ServerTransport(asyncio.Transport):
    """The server's end, as asyncio's own for a socket behaves."""

    def __init__(self, link: Link, protocol: asyncio.Protocol, peer: tuple[str, int]) -> None:
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 8787)})
        self._link = link
        self._protocol: asyncio.BaseProtocol = protocol
        self._waiting = bytearray()
        self._closing = False
        self._lost = False
        self._blocked = False
        self.dead = False  # the process is: whatever its code still does here is not done
        link.up.take = self._received
        link.up.ended = self._peer_ended
        link.down.roomy = self._flush

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not (self._closing or self._lost or self.dead):
            self._waiting += data
            self._flush()
            if len(self._waiting) > HIGH_WATER_BYTES and not self._blocked:
                self._blocked = True
                self._protocol.pause_writing()

    def close(self) -> None:
        if not (self._closing or self._lost or self.dead):
            self._closing = True
            self._link.hurt()
            self._link.up.pause()
            self._flush()

    def abort(self) -> None:
        self._drop(None)

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def is_reading(self) -> bool:
        return not self._link.up.paused

    def pause_reading(self) -> None:
        self._link.up.pause()

    def resume_reading(self) -> None:
        if not (self._closing or self._lost):
            self._link.up.resume()

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def can_write_eof(self) -> bool:
        return False

    def _received(self, data: bytes) -> None:
        if not (self._closing or self._lost or self.dead):
            cast("asyncio.Protocol", self._protocol).data_received(data)

    def _peer_ended(self, reset: bool) -> None:
        if self._lost or self.dead:
            return

        if reset:
            self._drop(ConnectionResetError("the peer is gone"))
        elif not self._closing:
            cast("asyncio.Protocol", self._protocol).eof_received()
            self.close()

    def _flush(self) -> None:
        if self._lost or self.dead:
            return

        room = self._link.down.room
        if self._waiting and room > 0:
            self._link.down.write(bytes(self._waiting[:room]))
            del self._waiting[:room]
        if self._blocked and len(self._waiting) <= LOW_WATER_BYTES:
            self._blocked = False
            self._protocol.resume_writing()
        if self._closing and not (self._waiting or self._lost):
            self._link.down.finish()
            self._lose(None)

    def _drop(self, error: Exception | None) -> None:
        if self._lost or self.dead:
            return

        self._closing = True
        self._link.hurt()
        self._waiting.clear()
        self._link.up.pause()
        self._link.down.reset(self._link.rng.choice((0.0, 0.01)))
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        self._lost = True
        self._link.loop.call_soon(self._tell_lost, error, context=self._link.context)

    def _tell_lost(self, error: Exception | None) -> None:
        if not self.dead:
            self._link.is_over = True
            self._protocol.connection_lost(error)


class Link:
    """One connection, with what befalls it. `context`: of the server's callbacks."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: random.Random,
        conditions: Conditions,
        context: Context,
    ) -> None:
        self.loop = loop
        self.rng = rng
        self.context = context
        self.is_over = False  # the server has forgotten it
        self.hurt_at: float | None = (
            None  # since then one end may be without the other, loop's time
        )
        slow = rng.random() < conditions.slow
        bursts = rng.random() < conditions.bursts
        self.up = Pipe(loop, rng, slow=slow, bursts=bursts, context=context)
        self.down = Pipe(loop, rng, slow=slow, bursts=bursts, context=Context())
        self.server: ServerTransport | None = None
        self._befall(conditions)

    @property
    def is_silent(self) -> bool:
        """Whether nothing arrives any more, in either direction."""
        return self.up.is_silent

    def hurt(self) -> None:
        """From now on one end may be gone, for the other."""
        if self.hurt_at is None:
            self.hurt_at = self.loop.time()

    def partition(self) -> None:
        """Nothing arrives any more, and neither end is told."""
        self.hurt()
        self.up.silence()
        self.down.silence()

    def reset(self) -> None:
        """The connection breaks: both ends hear of it, at different times."""
        self.hurt()
        self.up.reset(self.rng.uniform(0, 0.05))
        self.down.reset(self.rng.uniform(0, 0.05))

    def stall(self) -> None:
        """The client takes nothing for a while."""
        self.down.pause()
        self.loop.call_later(self.rng.uniform(0, STALL_SECONDS), self.down.resume)

    def crash(self) -> None:
        """The server's process is gone; the client hears of it some time."""
        self.hurt()
        if self.server is not None:
            self.server.dead = True
        self.up.silence()
        self.down.reset(self.rng.uniform(0, CRASH_SECONDS))

    def _befall(self, conditions: Conditions) -> None:
        for share, fault in (
            (conditions.stalls, self.stall),
            (conditions.partitions, self.partition),
            (conditions.resets, self.reset),
        ):
            if self.rng.random() < share:
                self.loop.call_later(self.rng.uniform(0, FAULT_SECONDS), fault)


class Server:
    """The protocols of one host that runs, and every connection to it."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        self._loop = loop
        self._context = context
        self._server = BoundedServer(host.asgi, host.settings)
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        self._links: list[Link] = []
        self._ports = 40_000
        self._stopped = False

    def connect(self, rng: random.Random, conditions: Conditions) -> Link:
        """A connection that the server has accepted."""
        link = Link(self._loop, rng, conditions, self._context)
        self._links = [link, *(link for link in self._links if not link.is_over)]
        self._loop.call_soon(self._accept, link, context=self._context)
        return link

    def crash(self) -> None:
        """The process is gone."""
        self._stopped = True
        for link in self._links:
            link.crash()
        self._links.clear()

    async def stop(self) -> None:
        """Close every connection, and return when all are."""
        self._stopped = True
        for link in self._links:
            if link.server is not None and not link.is_over:
                shutdown: Any = link.server.get_protocol()
                shutdown.shutdown()
        end = self._loop.time() + STOP_SECONDS
        tasks = self._server.server_state.tasks
        while self._loop.time() < end:
            if not tasks and all(link.is_over for link in self._links):
                break
            await asyncio.sleep(LOOK_SECONDS)
        self.crash()

    def _accept(self, link: Link) -> None:
        if self._stopped:
            link.is_over = True
            link.reset()
            return

        protocol: Any = self._server.make_protocol(self._loop)
        self._ports += 1
        link.server = ServerTransport(link, protocol, ("127.0.0.1", self._ports))
        protocol.connection_made(link.server)
