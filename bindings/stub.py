"""A stub: one object, as a caller holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime import Request, Response, limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator, Iterable, Mapping

    from ..runtime import DurableObjectId
    from ..runtime.channel import Channel


class DurableObjectStub:
    """Every method of the object's class is a method here: `await stub.increment(by=2)`; every
    property is read by awaiting it: `await stub.title`.

    A call is sent when it is made, its arguments copied; awaiting it gives the result, a copy too.
    Calls over one stub arrive in the order they were made. Giving up on a call does not stop its
    handler. An error of the object has its class and message, and says in its attributes what to do
    next (`DurableObjectError`). After a reset the stub stays broken: get a new one.
    """

    # The members that were asked for stay, in the dict: to be asked in vain, and then by
    # `__getattr__`, would take a fifth of a call's time.
    __slots__ = ("__channel__", "__dict__")

    __channel__: Channel

    def __init__(self, channel: Channel) -> None:
        self.__channel__ = channel

    @property
    def id(self) -> DurableObjectId:
        """The object's id."""
        return self.__channel__.id

    @property
    def name(self) -> str | None:
        """The name the id was made from, if any."""
        return self.__channel__.id.name

    def fetch(
        self,
        request: Request | str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        body: str | bytes | AsyncIterator[bytes] | None = None,
    ) -> Coroutine[Any, Any, Response]:
        """Send a request to the object's `fetch`: a `Request`, or an absolute URL and the rest.

        An exception of the handler is raised here, it is no response. TypeError: a relative URL.
        """
        if isinstance(request, str):
            request = Request(request, method=method, headers=headers, body=body)
        return self.__channel__.fetch(request)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Member: ...

    else:

        def __getattr__(self, name: str) -> Member:
            if name.startswith("__") and name.endswith("__"):
                # Python's own protocols (copy, pickle, awaiting) are not the object's.
                raise AttributeError(name)

            member = Member(self.__channel__, name)
            if len(self.__dict__) < limits.MAX_STUB_MEMBERS:
                self.__dict__[name] = member
            return member

    def __setattr__(self, name: str, value: object) -> None:
        """AttributeError: what a stub has is its object's."""
        if name != "__channel__":
            raise AttributeError(
                f"{name!r} cannot be set on a stub: call a method of its object that sets it"
            )

        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"<DurableObjectStub {self.name if self.name is not None else self.id!s}>"


class Member:
    """What an attribute of a stub is: call it to call the method of that name, await it to read the
    property of that name. Nothing is sent before, and no name is wrong before."""

    __slots__ = ("_channel", "_name")

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def __call__(self, /, *arguments: Any, **keywords: Any) -> Coroutine[Any, Any, Any]:
        return self._channel.call(self._name, arguments, keywords)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._channel.get(self._name).__await__()
