"""The way to one object, as a stub uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .events import CallEvent, FetchEvent, GetEvent, RpcEvent, copy_arguments

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from .engine import Engine
    from .http import Request, Response
    from .object_id import DurableObjectId
    from .slot import Slot


class Channel(Protocol):
    """How a stub reaches its object, in this process or in another one."""

    @property
    def id(self) -> DurableObjectId:
        """The object's id."""
        ...

    def call(
        self, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """Call a method. It is sent now, in order with other calls; awaiting gives the outcome."""
        ...

    def get(self, name: str) -> Coroutine[Any, Any, Any]:
        """Read a property, likewise."""
        ...

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Send a request, likewise."""
        ...


class LocalChannel:
    """A channel to an object of this process's host.

    Calls of every kind are delivered in the order they were made. Cancelling the wait for one does
    not cancel its handler. After the object was reset every call fails with the reset's cause, for
    good; after an eviction the next call starts the object again (semantics.md 2.5, 2.6).
    """

    __slots__ = ("_engine", "_id", "_namespace", "_slot")

    def __init__(self, engine: Engine, namespace: int, object_id: DurableObjectId) -> None:
        self._engine = engine
        self._namespace = namespace
        self._id = object_id
        self._slot: Slot | None = None

    @property
    def id(self) -> DurableObjectId:
        """The object's id."""
        return self._id

    def slot(self) -> Slot:
        """The object in this host's memory; the one this channel met first."""
        if self._slot is None:
            self._slot = self._engine.slot(self._namespace, self._id)
        return self._slot

    def call(
        self, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """Call a method; the arguments are copied before this returns."""
        try:
            event = RpcEvent(self._id, method, *copy_arguments(arguments, keywords))
        except Exception as error:
            return _raise(error)

        return self._send(event)

    def get(self, name: str) -> Coroutine[Any, Any, Any]:
        """Read a property of the object."""
        return self._send(GetEvent(self._id, name))

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Send a request to the object's `fetch`."""
        return self._send(FetchEvent(self._id, request))

    def _send(self, event: CallEvent) -> Coroutine[Any, Any, Any]:
        engine = self._engine
        engine.deliver(self._slot or self.slot(), event)
        return event.result(engine.backend.waiter)


async def _raise(error: Exception) -> Any:
    raise error
