"""The admin API: `POST /_admin/v1/{operation}`, JSON in, JSON out.

By the local socket everything may be called. Over the network a caller bears an API key of the host,
and may write where the setting `inspector_edit` is on. Mistakes are problems (RFC 9457) with a code.
An operation that streams answers with a line of JSON for each thing (NDJSON); the last one is
`{"result": ...}` or `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.to_thread import run_sync

from ..runtime import DurableObjectError, HostError
from ..runtime.api_keys import bearer_of, is_api_key
from ..runtime.asgi import refuse
from ..runtime.failed_keys import TOO_MANY
from ..runtime.http import Response
from ..runtime.local_server import is_local
from ..runtime.problems import problem
from ..runtime.remote_server import path_of
from ..runtime.safe_headers import SAFE_HEADERS
from ..storage import StorageError
from . import limits
from .errors import OperationError
from .operations import OPERATIONS, Access

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..runtime import Host
    from ..runtime.application import ASGIApp, Receive, Scope, Send
    from .operations import Line, Operation

PREFIX = "/_admin/v1/"
MAX_LENGTH_DIGITS = 20  # of a content-length that is looked at: what comes is counted anyway
UNCONFIGURED = (
    "the admin API of this host is open to its local socket alone, because it has no API key: set "
    "api_keys in roomhost.toml, or the variable ROOMHOST_API_KEYS"
)
REFUSED = "an API key of this host is needed: Authorization: Bearer <key>, or --api-key"
READ_ONLY = (
    "this host takes no changes over the network: set inspector_edit in roomhost.toml, or the "
    "variable ROOMHOST_INSPECTOR_EDIT, or call it on its own machine by --data-dir"
)
LOCAL_ONLY = "this is only for the host's own machine: call it there, by --data-dir"

logger = logging.getLogger("roomhost.admin")


def make(host: Host) -> ASGIApp:
    """The admin API of one host."""
    return AdminAPI(host)


class AdminAPI:
    """Answers everything under `/_admin/`."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            operation = self._find(scope)
            body = await read_body(scope, receive, operation.max_body_bytes)
            if len(body) > limits.INLINE_BODY_BYTES:
                given = await run_sync(decode, body, operation)
            else:
                given = decode(body, operation)
            if operation.stream is not None:
                await stream(self._host, operation.stream(self._host, given), receive, send)
                return

            assert operation.run is not None
            result = await operation.run(self._host, given)
            response = json_response(msgspec.json.encode(result))
        except anyio.EndOfStream:
            return  # the client has left
        except Exception as error:
            told = as_refusal(error)
            response = problem(told.status, told.code, str(told), field=told.field)
        await refuse(scope, receive, send, response)

    def _find(self, scope: Scope) -> Operation:
        """What a request asks for. OperationError: it may not, or there is no such thing."""
        settings = self._host.settings
        local = is_local(scope)
        if not local and not any(settings.api_keys):
            raise OperationError(UNCONFIGURED, code="unauthenticated", status=401)

        failed = self._host.failed_keys
        if not local and failed.is_blocked(scope):
            raise OperationError(TOO_MANY, code="rate_limited", status=429)

        given = bearer_of(scope["headers"])
        if not local and not is_api_key(given, settings.api_keys):
            if given is not None:
                failed.count(scope)
            raise OperationError(REFUSED, code="unauthenticated", status=401)

        name = path_of(scope).removeprefix(PREFIX)
        operation = OPERATIONS.get(name)
        if operation is None or scope["type"] != "http":
            known = ", ".join(sorted(OPERATIONS))
            raise OperationError(
                f"no such operation; POST {PREFIX} and one of {known}", code="not_found", status=404
            )

        if scope["method"] != "POST":
            raise OperationError(
                f"operations are called by POST, not {scope['method']}",
                code="method_not_allowed",
                status=405,
            )

        if not local and operation.access is Access.LOCAL:
            raise OperationError(LOCAL_ONLY, code="forbidden", status=403)

        if not local and operation.access is Access.WRITE and not settings.inspector_edit:
            raise OperationError(READ_ONLY, code="forbidden", status=403)

        return operation


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body of a request. OperationError: over `most` bytes. EndOfStream: the client left."""
    length = dict(scope["headers"]).get(b"content-length", b"0")
    size = int(length) if length.isdigit() and len(length) < MAX_LENGTH_DIGITS else 0
    body = bytearray()
    more = True
    while True:
        if max(size, len(body)) > most:
            raise OperationError(
                f"the input of this operation is at most {most} bytes",
                code="payload_too_large",
                status=413,
            )

        if not more:
            return bytes(body)

        message = await receive()
        if message["type"] == "http.disconnect":
            raise anyio.EndOfStream

        body += message.get("body", b"")
        more = message.get("more_body", False)


def decode(body: bytes, operation: Operation) -> msgspec.Struct:
    """The input in a body; an empty one is `{}`. OperationError: it is no JSON, or not this input."""
    try:
        return msgspec.json.decode(body or b"{}", type=operation.input)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`") or None
        raise OperationError(
            message if field is None else f"{field}: {message}",
            code="invalid_argument",
            status=400,
            field=field,
        ) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OperationError(
            f"the body is no JSON: {error}", code="invalid_argument", status=400
        ) from None


async def stream(host: Host, lines: AsyncGenerator[Line], receive: Receive, send: Send) -> None:
    """Send lines as they come, until they end, the client leaves or the host is about to stop.

    Nothing is sent before the first line, so that what is raised before it can still be a problem.
    """
    answer = LineResponse(send)
    failed: Exception | None = None
    async with aclosing(lines), anyio.create_task_group() as group:
        with host.when_refusing(group.cancel_scope.cancel):
            group.start_soon(_watch, receive, group.cancel_scope)
            failed = await _send_all(lines, answer)
            group.cancel_scope.cancel()
            answer.complete = True
    if failed is None and not answer.complete:
        failed = OperationError("the host is stopping: call again", code="stopping", status=503)
    if failed is not None and not answer.started:
        raise failed

    if failed is not None:
        told = as_refusal(failed)
        await answer.send({"error": {"code": told.code, "message": str(told)}})
    await answer.end()


class LineResponse:
    """A response of lines. `started`: something was sent; `complete`: there is nothing to add."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False
        self.complete = False

    async def send(self, line: Line) -> None:
        """Send one line."""
        await self._start()
        body = msgspec.json.encode(line) + b"\n"
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        """That was all."""
        await self._start()
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self) -> None:
        if not self.started:
            self.started = True
            headers = {
                "content-type": "application/x-ndjson",
                "cache-control": "no-store",
                **SAFE_HEADERS,
            }
            raw = Response(headers=headers).headers.raw
            await self._send({"type": "http.response.start", "status": 200, "headers": raw})


async def _send_all(lines: AsyncGenerator[Line], answer: LineResponse) -> Exception | None:
    """Returns what the lines raised, which a task group would wrap."""
    try:
        async for line in lines:
            await answer.send(line)
    except Exception as error:
        return error

    return None


async def _watch(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def json_response(body: bytes) -> Response:
    """A result."""
    headers = {"content-type": "application/json", "cache-control": "no-store", **SAFE_HEADERS}
    return Response(body, headers=headers)


def as_refusal(error: Exception) -> OperationError:
    """What a caller is told of an error. One that no operation meant to raise is logged too."""
    if isinstance(error, OperationError):
        return error

    if isinstance(error, HostError):
        return OperationError(str(error))

    if isinstance(error, StorageError):
        return OperationError(str(error), code="storage", status=503)

    if isinstance(error, DurableObjectError) and (error.retryable or error.overloaded):
        return OperationError(str(error), code="unavailable", status=503)

    logger.error("an operation of the admin API failed", exc_info=error)
    return OperationError(
        f"the operation failed: {type(error).__name__}: {error}; the host's log says where",
        code="internal",
        status=500,
    )
