"""A call in flight to another process, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..runtime import DurableObjectError, Response
from ..runtime.errors import make_error

if TYPE_CHECKING:
    import asyncio

    from websockets.exceptions import ConnectionClosed

    from .remote_channel import RemoteChannel

RESTART = 1012


@dataclass(eq=False, slots=True)
class Pending:
    """A call in flight. It keeps the channel, so that the host keeps the stub.

    `answer` is the encoded result, the response, or the error.
    """

    channel: RemoteChannel
    url: str
    answer: asyncio.Future[bytes | Response | Exception]


def settle(pending: Pending, answer: bytes | Response | Exception) -> None:
    """Answer the call, if it is not given up or answered."""
    if not pending.answer.done():
        pending.answer.set_result(answer)


def refuse(pending: Pending, error: BaseException) -> None:
    """The object whose code called was reset before its call could leave."""
    settle(pending, again(error) if isinstance(error, Exception) else lost_error(None))


def drop(pending: Pending) -> None:
    """Nobody takes the answer: end the WebSocket that may be in it. A body ends by itself."""
    answer = pending.answer
    if answer.done() and not answer.cancelled():
        response = answer.result()
        if isinstance(response, Response) and response.web_socket is not None:
            response.web_socket.accept()
            response.web_socket.terminate()


def lost_error(closed: ConnectionClosed | None) -> DurableObjectError:
    """The error of what was in flight when a connection ended."""
    received = None if closed is None else closed.rcvd
    if received is not None and received.code == RESTART:
        text = "The host is stopping. Reconnect or retry the request."
    elif received is not None and received.reason:
        text = f"Network connection lost: {received.reason}"
    else:
        text = "Network connection lost."
    error = DurableObjectError(text)
    error.retryable = True
    return error


def again(error: Exception) -> Exception:
    """The same error, for one more caller."""
    copy = make_error(type(error), error.args)
    vars(copy).update(vars(error))
    copy.__cause__ = error.__cause__
    return copy
