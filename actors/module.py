"""`realtime(options)`: a module of rooms and channels, to be bound in an application."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from ..bindings import ModuleRecord, current_env
from ..runtime.application import NamespaceDeclaration
from .awareness_tables import AwarenessTables
from .cursors import Cursors
from .directory import Directory
from .directory_shard import DirectoryShard
from .entropy import Entropy
from .instance import RealtimeInstance, Services
from .observability import observability_of, unknown_keys
from .options import (
    ModuleConfig,
    RealtimeActorHeaders,
    RealtimeLifecycleOptions,
    RealtimeModuleOptions,
    RealtimeRetentionOptions,
    normalize,
)
from .room import Channel, Room
from .routes import Routes
from .tokens import Keyring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..bindings import DurableObjectNamespace
    from ..runtime import DurableObject, Host
    from ..runtime.application import ASGIApp
    from .crdt_handle import CrdtRoomHandle
    from .handles import ChannelHandle, RoomHandle
    from .types import Kind, RealtimeRoomIdentity, RealtimeStats

logger = logging.getLogger("roomhost.actors")

ENTRY_POINT = "realtime"
ACTORS: dict[str, type[DurableObject]] = {
    "rooms": Room,
    "channels": Channel,
    "directory": DirectoryShard,
}


NESTED: dict[str, type[msgspec.Struct]] = {
    "actor_headers": RealtimeActorHeaders,
    "lifecycle": RealtimeLifecycleOptions,
    "retention": RealtimeRetentionOptions,
}


def realtime(options: RealtimeModuleOptions | None = None, /, **fields: Any) -> RealtimeModule:
    """A module of rooms and channels: `App(bindings={"COLLAB": realtime(name="collab")})`.

    `options`, or its fields as keywords. InvalidArgument: an option is wrong; `field` says which.
    """
    if options is None:
        options = RealtimeModuleOptions(**{name: _nested(name, fields[name]) for name in fields})
    return RealtimeModule(normalize(options))


class RealtimeModule:
    """What `realtime` returns. Bound in an App, it is `env.COLLAB` there, with the same methods.

    In a route handler of the application's `main`, and in actors, its own methods find the host and
    the identity of the request by themselves: `await live.room("lobby").publish(type="note")`.
    """

    name: Literal["realtime"] = "realtime"

    def __init__(self, config: ModuleConfig) -> None:
        self.config = config

    def __repr__(self) -> str:
        return f"<RealtimeModule {self.config.name}>"

    @property
    def observability(self) -> dict[str, Any] | None:
        """The observability option, as it was given."""
        return self.config.observability

    def room(self, name: str) -> RoomHandle:
        """A room. InvalidArgument: no name of a room. HostError: no host runs this module."""
        return self._instance().room(name)

    def crdt_room(self, name: str) -> CrdtRoomHandle:
        """A room with its document, likewise: the same one as `room(name)`."""
        return self._instance().crdt_room(name)

    def channel(self, name: str) -> ChannelHandle:
        """A channel, likewise."""
        return self._instance().channel(name)

    async def stats(self) -> RealtimeStats:
        """How many rooms and channels, members and messages there are."""
        return await self._instance().stats()

    async def rooms(
        self, *, kind: Kind = "room", after: str | None = None, limit: int | None = None
    ) -> list[RealtimeRoomIdentity]:
        """The rooms, or the channels, by name; at most `limit`, 100 if none is given, behind `after`."""
        return await self._instance().rooms(kind=kind, after=after, limit=limit)

    @property
    def path(self) -> str:
        """Where it answers requests."""
        return f"/realtime/{self.config.name}"

    def namespaces(self, binding: str) -> Sequence[NamespaceDeclaration]:
        """Its actors: an object's id comes of the namespace, the name of the module, the kind and
        the name of the room, wherever it is bound (realtime.md 5.1)."""
        observability = observability_of(self.observability)
        return [
            NamespaceDeclaration(
                f"{binding}.{suffix}",
                json.dumps(["realtime", self.config.namespace, self.config.name, suffix]),
                _bound(actor, binding),
                observability,
            )
            for suffix, actor in ACTORS.items()
        ]

    def bind(
        self, host: Host, namespaces: Mapping[str, DurableObjectNamespace]
    ) -> RealtimeInstance:
        """The value in `env` of a host."""
        unknown = ", ".join(map(repr, unknown_keys(self.observability)))
        if unknown:
            logger.warning(
                "observability of %r: no such keys as %s; they do nothing", self, unknown
            )
        keyring = Keyring(host.token_secrets)
        by_suffix = suffixes(namespaces)
        directory = Directory(by_suffix["directory"])
        clock = host.clock
        services = Services(
            options=self.config,
            now_ms=clock.now_ms,
            monotonic_ms=clock.monotonic_ms,
            entropy=Entropy(),
            keyring=keyring,
            cursors=Cursors(keyring, self.config.name),
            directory=directory,
            public_url=lambda: host.public_url,
            awareness=AwarenessTables(lambda: clock.now_ms() - clock.monotonic_ms()),
            intake=host.intake,
        )
        return RealtimeInstance(
            self.config, by_suffix["rooms"], by_suffix["channels"], directory, services
        )

    def asgi(self, host: Host, bound: RealtimeInstance) -> ASGIApp:
        """What answers requests under `path`."""
        return Routes(bound, host)

    def describe(self) -> ModuleRecord:
        """What another process is told."""
        return ModuleRecord(ENTRY_POINT, msgspec.json.encode(self.config))

    def _instance(self) -> RealtimeInstance:
        env = current_env()
        for name in env:
            value = env[name]
            if isinstance(value, RealtimeInstance) and value.options == self.config:
                return value

        raise LookupError(f"{self!r} is no binding of the application that runs here")


def bind_remote(
    binding: str, config: bytes, namespaces: Mapping[str, DurableObjectNamespace]
) -> RealtimeInstance:
    """The handles of a module that a host in another process runs."""
    options = msgspec.json.decode(config, type=ModuleConfig)
    by_suffix = suffixes(namespaces)
    directory = Directory(by_suffix["directory"])
    return RealtimeInstance(options, by_suffix["rooms"], by_suffix["channels"], directory)


def _nested(name: str, value: Any) -> Any:
    """An option that is an object may be given as its struct or as a mapping, by either case."""
    kind = NESTED.get(name)
    if kind is None or not isinstance(value, dict):
        return value

    given = cast("dict[str, Any]", value)
    names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
    try:
        return kind(**{names.get(key, key): member for key, member in given.items()})
    except TypeError:
        return given  # which is refused by the name of the field


def _bound(actor: type[DurableObject], binding: str) -> type[DurableObject]:
    """The actor class of one binding: what it reaches by `env` is in the class."""
    bound: Any = type(actor.__name__, (actor,), {"binding": binding, "__module__": __name__})
    return cast("type[DurableObject]", bound)


def suffixes(
    namespaces: Mapping[str, DurableObjectNamespace],
) -> dict[str, DurableObjectNamespace]:
    """The namespaces by what they hold, without the name of the binding."""
    return {name.rpartition(".")[2]: namespace for name, namespace in namespaces.items()}
