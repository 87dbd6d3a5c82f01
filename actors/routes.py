"""The routes of a module below `/realtime/{instance}`: HTTP and the upgrade to a WebSocket.

A request is refused before it costs anything: by its path and method, its credential, its rate, its
size and type, its fields, in this order. Only then does a room hear of it.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec
from starlette.requests import ClientDisconnect

from ..bindings.paths import segments_below_root, split_path
from ..runtime import Response
from ..runtime.asgi import send_response, serve_fetch
from .bodies import check_keys, read_body
from .buckets import Buckets
from .caller import encode_caller
from .cors import cors_headers
from .credentials import Credentials
from .hocuspocus import Hocuspocus
from .inputs import Input, Nothing, check_nothing
from .json_values import encode
from .openapi import document
from .problems import MethodNotAllowed, UpgradeRequired, failure_of, response_of
from .queries import check_no_credential, input_of, parse_query
from .refusals import count_refusal
from .targets import Endpoint, Target, find_target
from .types import PositiveInt32  # noqa: TC001 - msgspec reads the annotations
from .upgrade import TOKEN, Upgrade, chosen, offered_protocols, position_of, refusal

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from ..runtime import Host, Request
    from ..runtime.application import Receive, Scope, Send
    from .instance import RealtimeInstance, Services
    from .queries import Pairs


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a list of names: those behind `after`, at most `limit`, 100 if none is given."""

    after: str | None = None
    limit: PositiveInt32 | None = None


LISTING = Input(Listing, check_nothing)
HOCUSPOCUS = [b"hocuspocus"]


class Routes:
    """An ASGI application for one instance in a host."""

    def __init__(self, bound: RealtimeInstance, host: Host) -> None:
        assert bound.services is not None, "this instance is in another process"
        self._bound = bound
        self._services: Services = bound.services
        self._settings = host.settings
        self._credentials = Credentials(self._services, host.settings)
        self._upgrade = Upgrade(bound, self._credentials)
        self._buckets = Buckets()
        self._hocuspocus = Hocuspocus(bound, self._upgrade, self._buckets, host.clock)
        self._depth = len(split_path(f"/realtime/{bound.options.name}"))
        self._document: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if segments_below_root(scope)[self._depth :] == HOCUSPOCUS:
                async with anyio.create_task_group() as group:
                    await serve_fetch(scope, receive, send, partial(self._open, scope, group))
                    group.cancel_scope.cancel()
            else:
                await serve_fetch(scope, receive, send, partial(self._open, scope, None))
        elif scope["type"] == "http":
            with contextlib.suppress(ClientDisconnect):
                response = await self._answer(scope, receive)
                await send_response(send, response)

    async def _open(self, scope: Scope, group: TaskGroup | None, _request: Request) -> Response:
        try:
            self._credentials.check_origin(scope)
            target, pairs = self._find(scope)
            if group is not None:
                return self._hocuspocus.open(scope, pairs, group)

            if target.endpoint is not Endpoint.SOCKET:
                raise MethodNotAllowed("this path is no WebSocket: the one of a room ends in /ws")

            chosen(target, offered_protocols(scope))
            caller = self._upgrade.admit(scope, target, pairs)
            self._buckets.take(target, caller, scope, self._services.monotonic_ms())
            return await self._upgrade.open(scope, target, pairs, caller)
        except Exception as error:
            count_refusal(self._services.intake, error)
            return refusal(scope, error)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        target: Target | None = None
        method: str = scope["method"]
        try:
            target, pairs = self._find(scope)
            if method not in target.methods:
                known = ", ".join(target.methods)
                raise MethodNotAllowed(f"this path answers {known}, not {method[:20]}")

            if method == "OPTIONS":
                return self._options(scope, target)

            response = await self._respond(scope, receive, target, pairs)
        except ClientDisconnect:
            raise
        except Exception as error:
            count_refusal(self._services.intake, error)
            response = response_of(failure_of(error))
        if target is not None and response.status == MethodNotAllowed.status:
            response.headers["allow"] = ", ".join(target.methods)
        response.headers.update(cors_headers(scope, self._settings.allowed_origins))
        return _without_body(response) if method == "HEAD" else response

    def _find(self, scope: Scope) -> tuple[Target, Pairs]:
        target = find_target(segments_below_root(scope)[self._depth :])
        pairs = parse_query(scope.get("query_string", b""))
        may = target.yjs and self._services.options.token_in_query
        check_no_credential(pairs, self._settings.api_keys, TOKEN if may else None)
        return target, pairs

    def _options(self, scope: Scope, target: Target) -> Response:
        headers = {"allow": ", ".join(target.methods)}
        allowed = self._settings.allowed_origins
        return Response(status=204, headers=headers | cors_headers(scope, allowed, target.methods))

    async def _respond(
        self, scope: Scope, receive: Receive, target: Target, pairs: Pairs
    ) -> Response:
        if target.endpoint is Endpoint.OPENAPI:
            input_of(pairs, Nothing)
            if self._document is None:
                self._document = encode(document(self._bound.options.name))
            return Response(self._document, headers={"content-type": "application/json"})

        if target.endpoint in (Endpoint.SOCKET, Endpoint.HOCUSPOCUS):
            if not target.yjs:
                position_of(pairs)
            raise UpgradeRequired(
                "this path is a WebSocket: new WebSocket(grant.url, grant.protocols)"
            )

        if target.endpoint is Endpoint.OPERATION:
            return _json(await self._operate(scope, receive, target, pairs))

        self._credentials.check_api_key(scope)
        if target.endpoint is Endpoint.STATS:
            input_of(pairs, Nothing)
            return _json(encode(await self._bound.stats()))

        return _json(await self._list(target, pairs))

    async def _operate(self, scope: Scope, receive: Receive, target: Target, pairs: Pairs) -> bytes:
        operation = target.operation
        assert operation is not None
        caller = self._credentials.caller_of(scope, target.kind, target.name)
        self._buckets.take(target, caller, scope, self._services.monotonic_ms())
        if operation.reads:
            body = input_of(pairs, operation.input.kind)
        else:
            input_of(pairs, Nothing)
            body = await read_body(scope, receive)
        operation.input.parse(body)
        check_keys(body)
        stub = self._bound.stub(target.kind, target.name)
        result: bytes = await stub.operate(operation.name, body, encode_caller(caller))
        return result

    async def _list(self, target: Target, pairs: Pairs) -> bytes:
        query = LISTING.parse(input_of(pairs, Listing))
        found = await self._bound.rooms(kind=target.kind, after=query.after, limit=query.limit)
        return encode(found)


def _json(result: bytes) -> Response:
    headers = {"content-type": "application/json", "cache-control": "no-store"}
    return Response(result, headers=headers)


def _without_body(response: Response) -> Response:
    """The answer to HEAD: everything but the body."""
    content = response.buffered
    assert content is not None
    headers = {**response.headers, "content-length": str(len(content))}
    return Response(status=response.status, headers=headers)
