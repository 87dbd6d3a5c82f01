"""A realtime module in a running host: what its binding is in `env`.

The application calls its handles. Its actors take what they need of the host from `services`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ..runtime.intake import Intake
from .crdt_handle import CrdtRoomHandle
from .handles import ChannelHandle, RoomHandle
from .names import check_name
from .quarantine import Quarantines

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bindings import DurableObjectNamespace, DurableObjectStub
    from .awareness_tables import AwarenessTables
    from .cursors import Cursors
    from .directory import Directory
    from .options import ModuleConfig
    from .tokens import Keyring
    from .types import Kind, RealtimeRoomIdentity, RealtimeStats


@dataclass(frozen=True, slots=True)
class Services:
    """What the module's actors need of their host. `now_ms`, `monotonic_ms`: its clock's times.
    `entropy(n)`: so many random bytes. `public_url()`: how clients reach it. `intake`: where refusals
    are counted."""

    options: ModuleConfig
    now_ms: Callable[[], int]
    monotonic_ms: Callable[[], int]
    entropy: Callable[[int], bytes]
    keyring: Keyring
    cursors: Cursors
    directory: Directory
    public_url: Callable[[], str]
    awareness: AwarenessTables
    quarantines: Quarantines = field(default_factory=Quarantines)
    intake: Intake = field(default_factory=Intake)


class RealtimeInstance:
    """The rooms and channels of one module: `env.COLLAB.room("lobby")`.

    The same in another process, by `roomhost.bindings.connect`. `services` are the host's, and
    None there.
    """

    __slots__ = ("_channels", "_rooms", "directory", "options", "services")

    def __init__(
        self,
        options: ModuleConfig,
        rooms: DurableObjectNamespace,
        channels: DurableObjectNamespace,
        directory: Directory,
        services: Services | None = None,
    ) -> None:
        self._rooms = rooms
        self._channels = channels
        self.directory = directory
        self.options = options
        self.services = services

    def __repr__(self) -> str:
        return f"<RealtimeInstance {self.options.name}>"

    def room(self, name: str) -> RoomHandle:
        """A room. InvalidArgument: no name of 1 to 255 bytes without control characters."""
        check_name(name, "name")
        return RoomHandle(self.options, _finder(self._rooms, name), name)

    def crdt_room(self, name: str) -> CrdtRoomHandle:
        """A room with its document, likewise: the same one as `room(name)`."""
        check_name(name, "name")
        return CrdtRoomHandle(self.options, _finder(self._rooms, name), name)

    def channel(self, name: str) -> ChannelHandle:
        """A channel, likewise; another than the room of the same name."""
        check_name(name, "name")
        return ChannelHandle(self.options, _finder(self._channels, name), name)

    def stub(self, kind: Kind, name: str) -> DurableObjectStub:
        """The object of a room or a channel, as the module's own actors call it."""
        namespace = self._channels if kind == "channel" else self._rooms
        return namespace.get_by_name(name)

    async def stats(self) -> RealtimeStats:
        """How many rooms and channels there are, members in them now, and messages that they keep:
        exact, whatever was acknowledged before is counted."""
        return await self.directory.stats()

    async def rooms(
        self, *, kind: Kind = "room", after: str | None = None, limit: int | None = None
    ) -> list[RealtimeRoomIdentity]:
        """The rooms, or the channels, that were written and are not destroyed, by name; at most
        `limit`, 100 if none is given, behind the name `after`."""
        return await self.directory.rooms(kind, after, limit)


def _finder(namespace: DurableObjectNamespace, name: str) -> Callable[[], DurableObjectStub]:
    """Makes stubs of one object, its id derived once."""
    return partial(namespace.get, namespace.id_from_name(name))
