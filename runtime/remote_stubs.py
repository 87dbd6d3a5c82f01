"""The stubs that one client in another process holds, by the numbers it gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits
from .errors import DurableObjectError, OverloadedError
from .object_id import DurableObjectId
from .remote_frames import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .channel import LocalChannel
    from .host import Host
    from .remote_frames import Open


class RemoteStubs:
    """A stub that cannot be, of an unknown binding say, is kept as the error of its calls."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stubs: dict[int, LocalChannel | Exception] = {}

    def open(self, frame: Open) -> None:
        """Take a stub. ProtocolError: its number is in use."""
        if frame.stub in self._stubs:
            raise ProtocolError(f"stub {frame.stub} is open already")

        try:
            self._stubs[frame.stub] = self._channel(frame)
        except Exception as error:
            self._stubs[frame.stub] = error

    def release(self, numbers: Iterable[int]) -> None:
        """The client no longer holds these."""
        for number in numbers:
            self._stubs.pop(number, None)

    def find(self, number: int) -> LocalChannel:
        """A stub. ProtocolError: there is none. Any error: the one of its calls."""
        channel = self._stubs.get(number)
        if channel is None:
            raise ProtocolError(f"stub {number} is not open")

        if isinstance(channel, Exception):
            raise channel

        return channel

    def _channel(self, frame: Open) -> LocalChannel:
        if len(self._stubs) >= limits.MAX_REMOTE_STUBS:
            raise OverloadedError(
                f"at most {limits.MAX_REMOTE_STUBS} stubs may be held over one connection"
            )

        namespace = self._host.namespaces.get(frame.binding)
        if namespace is None:
            raise DurableObjectError(f"this host has no binding {frame.binding!r}")

        ids = self._host.ids(frame.binding, frame.jurisdiction)
        ids.check(frame.object)
        if frame.name is not None and bytes(ids.from_name(frame.name)) != frame.object:
            raise TypeError("Durable Object ID is not that of its name.")

        object_id = DurableObjectId(frame.object, frame.name, frame.jurisdiction)
        return self._host.engine.channel(namespace.number, object_id)
