"""Accepts connections that begin with a TLS handshake, and bounds the handshakes in number and time.

The event loop's own server makes nothing of a connection known before its handshake is complete: a
client that begins many and ends none would have as many sockets of the host as it likes.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .intake import Reason

if TYPE_CHECKING:
    import socket
    import ssl
    from asyncio import Task
    from collections.abc import Callable

    from .intake import Intake

logger = logging.getLogger("roomhost.runtime")

ACCEPT_RETRY_SECONDS = 1.0  # after the system had no file or memory for a connection


@dataclass(frozen=True, slots=True)
class Secured:
    """How connections are secured, what serves them then, and how many there may be, those included
    whose handshake is under way."""

    context: ssl.SSLContext
    seconds: float
    make: Callable[[], asyncio.Protocol]
    max_connections: int
    intake: Intake


class TlsServer:
    """Of one listening socket. To who starts and stops it, it is as an `asyncio.Server`."""

    def __init__(self, listening: socket.socket, secured: Secured) -> None:
        listening.setblocking(False)
        self.sockets = (listening,)
        self._secured = secured
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[Task[None]] = set()
        self._accepting = self._loop.create_task(self._accept(listening))

    def close(self) -> None:
        """Accept no more."""
        self._accepting.cancel()

    async def wait_closed(self) -> None:
        """Return when that is so, and drop the handshakes that are still under way."""
        for task in self._handshakes:
            task.cancel()
        await asyncio.wait({self._accepting, *self._handshakes})

    async def _accept(self, listening: socket.socket) -> None:
        with listening:
            while True:
                try:
                    connection, _ = await self._loop.sock_accept(listening)
                except ConnectionError:
                    continue  # it has gone already
                except OSError as error:
                    logger.error("no connection can be accepted: %s", error.strerror or error)
                    await asyncio.sleep(ACCEPT_RETRY_SECONDS)
                    continue

                self._begin(connection)

    def _begin(self, connection: socket.socket) -> None:
        secured = self._secured
        intake = secured.intake
        if len(intake.connections) + intake.handshakes >= secured.max_connections:
            intake.count(Reason.CONNECTIONS)
            connection.close()  # an answer would need a handshake
            return

        intake.handshakes += 1
        task = self._loop.create_task(self._shake_hands(connection))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, connection: socket.socket) -> None:
        secured = self._secured
        connection.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(
                secured.make,
                connection,
                ssl=secured.context,
                ssl_handshake_timeout=secured.seconds,
            )
        except OSError:  # what TLS has to complain of is one too
            secured.intake.count(Reason.HANDSHAKE)
        finally:
            secured.intake.handshakes -= 1
