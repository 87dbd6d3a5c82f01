"""The way to an object in another process, as a stub uses it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..runtime.remote_frames import Call, Fetch, Get
from ..runtime.remote_values import encode_arguments, restore_error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..runtime import DurableObjectId, Request, Response
    from ..runtime.remote_frames import ErrorInfo
    from .remote_link import Link


class RemoteChannel:
    """A channel to an object of another process's host.

    Everything goes over one connection, so that calls of every kind are delivered in the order they
    were made. A connection that was lost is made anew by the next call. After the object was reset
    every call fails with the reset's cause, for good, over later connections too.
    """

    __slots__ = ("_binding", "_broken", "_find_link", "_id", "_link", "_number")

    def __init__(
        self, find_link: Callable[[], Link], binding: str, object_id: DurableObjectId
    ) -> None:
        self._find_link = find_link
        self._binding = binding
        self._id = object_id
        self._link: Link | None = None  # where the host knows this stub, by its number
        self._number = 0
        self._broken: ErrorInfo | None = None

    def __del__(self) -> None:
        if self._link is not None:
            self._link.release_later(self._number)

    @property
    def id(self) -> DurableObjectId:
        """The object's id."""
        return self._id

    def call(
        self, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Coroutine[Any, Any, Any]:
        """Call a method; the arguments are encoded before this returns."""
        try:
            values, named, _ = encode_arguments(arguments, keywords)
            link = self._open_link()
            number, span = self._number, link.span(self._binding, method)
            trace = None if span is None else span.traceparent
            pending = link.send_call(
                self, lambda call: Call(call, number, method, values, named, trace)
            )
        except Exception as error:
            return _raise(error)

        return link.answer(pending) if span is None else span.until(link.answer(pending))

    def get(self, name: str) -> Coroutine[Any, Any, Any]:
        """Read a property of the object."""
        try:
            link = self._open_link()
            number, span = self._number, link.span(self._binding, name)
            trace = None if span is None else span.traceparent
            pending = link.send_call(self, lambda call: Get(call, number, name, trace))
        except Exception as error:
            return _raise(error)

        return link.answer(pending) if span is None else span.until(link.answer(pending))

    def fetch(self, request: Request) -> Coroutine[Any, Any, Response]:
        """Send a request; its body, if it is a stream, is read when the object reads it."""
        try:
            link = self._open_link()
            span = link.span(self._binding, "fetch")
            trace = None if span is None else span.traceparent
            pending = link.send_fetch(self, request, partial(_fetch, request, trace, self._number))
        except Exception as error:
            return _raise(error)

        return link.answer(pending) if span is None else span.until(link.answer(pending))

    def failed(self, info: ErrorInfo, error: Exception) -> None:
        """A call over this channel failed: is it broken now?"""
        reset = getattr(error, "durable_object_reset", False)
        if reset and getattr(error, "durable_object_id", None) == str(self._id):
            self._broken = self._broken or info

    def _open_link(self) -> Link:
        if self._broken is not None:
            raise restore_error(self._broken, imported=True)

        link = self._find_link()
        if link is not self._link:
            self._number = link.open_stub(self._binding, self._id)
            self._link = link
        return link


def _fetch(request: Request, trace: str | None, stub: int, call: int, body: bytes | int) -> Fetch:
    headers = list(request.headers.raw)
    if trace is not None:
        headers = [pair for pair in headers if pair[0] != b"traceparent"]
        headers.append((b"traceparent", trace.encode()))
    return Fetch(call, stub, request.method, str(request.url), headers, body)


async def _raise(error: Exception) -> Any:
    raise error
