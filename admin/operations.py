"""Every operation of the admin API: its name, its input, who may call it, and what runs it.

One table, read by the API, by the commands, and by what runs them on a directory without a host.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from . import limits
from .backup import BackupInput, back_up
from .deploy import DeployInput, deploy_application
from .edits import DeleteKeyInput, PutInput, delete_key, evict_object, put, run_alarm
from .export_object import ExportInput, export_object
from .host_operation import HostInput, describe_host
from .import_object import ImportInput, import_object
from .inspect_object import InspectInput, inspect_object
from .objects import ObjectsInput, list_objects
from .observe import EventsInput, FollowInput, SampleInput, events, follow, sample
from .room import RoomInput, read_room
from .statistics import StatisticsInput, statistics
from .structs import ObjectInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import msgspec

    from ..runtime import Host
    from ..runtime.host import HostStatistics

    # One line of a stream: {"progress": ...}, {"event": ...}, at last {"result": ...}.
    Line: TypeAlias = dict[str, Any]
    Run: TypeAlias = Callable[[Host, Any], Awaitable[msgspec.Struct | HostStatistics]]
    Stream: TypeAlias = Callable[[Host, Any], AsyncGenerator[Line]]


class Access(Enum):
    """Who may call an operation; by the local socket, everything."""

    READ = "read"  # Over the network: whoever has an API key.
    WRITE = "write"  # Likewise, where the setting `inspector_edit` is on.
    LOCAL = "local"  # Nobody over the network: it names files of the host's machine, or code.


@dataclass(frozen=True, slots=True)
class Operation:
    """`input`: what the body is decoded into. Either `run` returns the result, or `stream` yields
    lines, objects with one member each, of which the last is {"result": ...}; it may be cancelled at
    any of them. `needs_host`: it is about what is in memory, so it cannot run on a directory without
    its host. `max_body_bytes`: of the body.

    What `run` and `stream` raise is told to the caller: an `OperationError` as it stands.
    """

    input: type[msgspec.Struct]
    run: Run | None = None
    stream: Stream | None = None
    access: Access = Access.READ
    needs_host: bool = False
    max_body_bytes: int = limits.MAX_BODY_BYTES


OPERATIONS: dict[str, Operation] = {
    "backup": Operation(BackupInput, stream=back_up, access=Access.LOCAL),
    "deploy": Operation(DeployInput, stream=deploy_application, access=Access.LOCAL),
    "host": Operation(HostInput, describe_host),
    "objects": Operation(ObjectsInput, list_objects),
    "inspect": Operation(InspectInput, inspect_object),
    "room": Operation(RoomInput, read_room, needs_host=True),
    "put": Operation(PutInput, put, access=Access.WRITE, max_body_bytes=limits.MAX_PUT_BODY_BYTES),
    "delete-key": Operation(DeleteKeyInput, delete_key, access=Access.WRITE),
    "run-alarm": Operation(ObjectInput, run_alarm, access=Access.WRITE, needs_host=True),
    "evict": Operation(ObjectInput, evict_object, access=Access.WRITE, needs_host=True),
    "export": Operation(ExportInput, stream=export_object),
    "import": Operation(
        ImportInput,
        import_object,
        access=Access.WRITE,
        max_body_bytes=limits.MAX_IMPORT_BODY_BYTES,
    ),
    "statistics": Operation(StatisticsInput, statistics, needs_host=True),
    "events": Operation(EventsInput, events, needs_host=True),
    "follow": Operation(FollowInput, stream=follow, needs_host=True),
    "sample": Operation(SampleInput, sample, needs_host=True),
}
