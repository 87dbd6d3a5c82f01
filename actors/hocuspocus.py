"""The endpoint of Hocuspocus: an unmodified `@hocuspocus/provider` reaches the rooms of a module by it.

`/realtime/{instance}/hocuspocus` is one WebSocket for as many documents as a client likes; a document
is the room of its name, the same as `crdt/{name}`. (contract.md 5; realtime.md 2.2)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..runtime import Response, WebSocketPair
from .caller import Capability, check_capability
from .errors import RealtimeError
from .frames import Protocol
from .hocuspocus_client import HocuspocusClient
from .names import check_name
from .refusals import count_refusal
from .socket_request import socket_request
from .targets import READS, Endpoint, Target
from .upgrade import TOKEN

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from ..runtime import Clock, WebSocket
    from ..runtime.application import Scope
    from .buckets import Buckets
    from .caller import Caller
    from .instance import RealtimeInstance
    from .queries import Pairs
    from .upgrade import Upgrade


class Hocuspocus:
    """Of one instance in a host."""

    __slots__ = ("_bound", "_buckets", "_clock", "_upgrade")

    def __init__(
        self, bound: RealtimeInstance, upgrade: Upgrade, buckets: Buckets, clock: Clock
    ) -> None:
        self._bound = bound
        self._upgrade = upgrade
        self._buckets = buckets
        self._clock = clock

    def open(self, scope: Scope, pairs: Pairs, group: TaskGroup) -> Response:
        """Accept a client, whose page and query were checked, and serve it in `group`. Who it is it
        says for each document. No subprotocol is selected: none is offered by a stock client."""
        pair = WebSocketPair()
        pair.server.accept()
        client = HocuspocusClient(
            pair.server,
            partial(self._admit, scope, pairs),
            self._open_room,
            self._clock,
            bound=self._bound.options.bind_connection_to_expiry,
        )
        group.start_soon(client.run)
        return Response(status=101, web_socket=pair.client)

    def _admit(self, scope: Scope, pairs: Pairs, name: str, token: str) -> Caller:
        """Who a client is in a room: by its token, an API key too; without one, by its request.

        InvalidArgument: the room cannot have this name. Unauthenticated. Forbidden: it may not read
        documents. RateLimited: it tries too often.
        """
        check_name(name, "name")
        target = Target(Endpoint.SOCKET, READS, "room", name, yjs=True)
        services = self._bound.services
        assert services is not None
        try:
            caller = self._upgrade.admit(scope, target, [(TOKEN, token)] if token else pairs)
            self._buckets.take(target, caller, scope, services.monotonic_ms())
        except RealtimeError as error:
            count_refusal(services.intake, error)
            raise
        check_capability(caller, Capability.CRDT_READ)
        return caller

    async def _open_room(self, name: str, caller: Caller) -> WebSocket:
        request = socket_request(caller, protocol=Protocol.YJS, statuses=True)
        response = await self._bound.stub("room", name).fetch(request)
        assert response.web_socket is not None, "a room refuses by raising"
        return response.web_socket
