"""What a realtime module is made with, and what it is when every default is filled in."""

from __future__ import annotations

from typing import Any

import msgspec

from . import limits
from .json_values import check, convert
from .names import check_name
from .types import Input, PositiveInt32, Record


class RealtimeLifecycleOptions(Input, frozen=True, kw_only=True):
    """A room's life. `idle_ttl_seconds` after the last activity it is idle; `destroy_ttl_seconds`
    after its end nothing but the mark and what is readable is kept; `allow_recreate`: a write begins
    a destroyed room anew."""

    idle_ttl_seconds: PositiveInt32 | None = None
    destroy_ttl_seconds: PositiveInt32 | None = None
    allow_recreate: bool | None = None


class RealtimeRetentionOptions(Input, frozen=True, kw_only=True):
    """Extension: the oldest messages beyond these bounds are deleted; without them all are kept."""

    max_messages: PositiveInt32 | None = None
    max_age_seconds: PositiveInt32 | None = None


class RealtimeModuleOptions(Input, frozen=True, kw_only=True):
    """The options of `realtime`.

    `name`: of the instance, in URLs and in the ids of rooms, with `namespace`. `database_name`,
    `binding`, `observability`, `placement`: accepted, checked and shown in `config`. `history_limit`:
    the size of a page where none is asked for. `presence_ttl_seconds`: a member without a socket is
    here so long after it was seen. `auto_resolve_user`: the user of a request is who a trusted proxy
    names. `allow_anonymous`: nobody has to be named.

    Extensions: `retention`; `bind_connection_to_expiry`, a connection ends with its token.
    """

    name: str
    namespace: str | None = None
    database_name: str | None = None
    binding: str | None = None
    history_limit: PositiveInt32 | None = None
    presence_ttl_seconds: PositiveInt32 | None = None
    lifecycle: RealtimeLifecycleOptions | None = None
    auto_resolve_user: bool | None = None
    allow_anonymous: bool | None = None
    observability: Record | None = None
    placement: Record | None = None
    retention: RealtimeRetentionOptions | None = None
    bind_connection_to_expiry: bool | None = None


DEFAULTS: dict[str, Any] = {
    "namespace": "default",
    "history_limit": limits.HISTORY_LIMIT,
    "presence_ttl_seconds": limits.PRESENCE_TTL_SECONDS,
    "auto_resolve_user": True,
    "allow_anonymous": False,
    "bind_connection_to_expiry": True,
}
LIFECYCLE_DEFAULTS: dict[str, Any] = {
    "idle_ttl_seconds": limits.IDLE_TTL_SECONDS,
    "destroy_ttl_seconds": limits.DESTROY_TTL_SECONDS,
    "allow_recreate": False,
}


def normalize(options: RealtimeModuleOptions) -> RealtimeModuleOptions:
    """The options with every default filled in (5.1). InvalidArgument: one is wrong; the field says
    which."""
    plain = msgspec.to_builtins(options)
    checked = convert(plain, RealtimeModuleOptions)
    filled = _filled(checked, DEFAULTS)
    lifecycle = _filled(checked.lifecycle or RealtimeLifecycleOptions(), LIFECYCLE_DEFAULTS)
    database = checked.database_name or f"{filled.namespace}-{filled.name}"
    for field, name in (
        ("name", filled.name),
        ("namespace", filled.namespace),
        ("databaseName", database),
    ):
        check_name(name, field)
    for field, record in (
        ("observability", filled.observability),
        ("placement", filled.placement),
    ):
        check(record, field)
    return msgspec.structs.replace(filled, lifecycle=lifecycle, database_name=database)


def _filled(options: Any, defaults: dict[str, Any]) -> Any:
    missing = {name: value for name, value in defaults.items() if getattr(options, name) is None}
    return msgspec.structs.replace(options, **missing)
