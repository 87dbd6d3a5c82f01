"""How much of an answer a client has not taken."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Transport


def unsent_bytes(transport: Transport) -> int:
    """What waits here and in the system: a large buffer of the system hides for minutes that a slow
    client reads."""
    return transport.get_write_buffer_size() + _of_the_system(transport)


def _of_the_system(transport: Transport) -> int:
    socket = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError):
        return 0  # there is none, or it is closed, or the system does not tell

    return int(struct.unpack("i", answer)[0])
