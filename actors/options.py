"""What `realtime()` is given, and the configuration that comes of it (realtime.md 5.1)."""

from __future__ import annotations

import hashlib
import re
from typing import TypeVar
from urllib.parse import quote

import msgspec

from .errors import InvalidArgument
from .json_values import check, encode, parse
from .limits import (
    DESTROY_TTL_SECONDS,
    HISTORY_LIMIT,
    IDLE_TTL_SECONDS,
    MAX_ACTOR_HEADERS,
    MAX_HEADER_NAME_BYTES,
    MAX_NAME_BYTES,
    PRESENCE_TTL_SECONDS,
)
from .names import check_name
from .observability import observability_of
from .types import Input, PositiveInt32, Record

T = TypeVar("T")

DEFAULT_NAMESPACE = "default"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110


class RealtimeLifecycleOptions(Input, frozen=True, kw_only=True):
    """When a room is idle, and what comes after destroy.

    `idle_ttl_seconds`: after the last activity, 300. `destroy_ttl_seconds`: after destroy, until
    the room's state is purged, 86,400. `allow_recreate`: a write begins a destroyed room anew, no.
    """

    idle_ttl_seconds: PositiveInt32 | None = None
    destroy_ttl_seconds: PositiveInt32 | None = None
    allow_recreate: bool | None = None


class RealtimeRetentionOptions(Input, frozen=True, kw_only=True):
    """Extension: which messages a room keeps; beyond any of the bounds the oldest go. None is
    bounded by default."""

    max_messages: PositiveInt32 | None = None
    max_age_seconds: PositiveInt32 | None = None


class RealtimeActorHeaders(Input, frozen=True, kw_only=True):
    """Extension: the headers that each field of an actor may be in, the first choice first.

    A field without headers is not read: what is given replaces the whole default, so that no
    header is believed that the proxy does not set.
    """

    user_id: tuple[str, ...] = ()
    session_id: tuple[str, ...] = ()
    tenant_id: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    display_name: tuple[str, ...] = ()


DEFAULT_ACTOR_HEADERS = RealtimeActorHeaders(
    user_id=("x-roomhost-user-id", "x-user-id"),
    session_id=("x-roomhost-session-id", "x-session-id"),
    tenant_id=("x-roomhost-tenant-id", "x-tenant-id"),
    email=("x-roomhost-user-email", "x-user-email"),
    display_name=("x-roomhost-user-name", "x-user-name"),
)


class RealtimeModuleOptions(Input, frozen=True, kw_only=True):
    """An instance of the realtime module. Only `name` is needed.

    `name`, `namespace` ("default"), `database_name` (derived from both): 1 to 255 bytes each.
    `binding`: the name it is looked up by. `history_limit`: a page, 100. `presence_ttl_seconds`:
    a member is active for so long after its last sign of life, 60. `auto_resolve_user`: headers of
    a trusted proxy say who the caller is, yes. `allow_anonymous`: callers without identity may
    come, no. `observability`: see `observability.py`. `placement`: a JSON object, kept as it is.

    Extensions: `retention`. `bind_connection_to_expiry`: a connection ends with its token, yes.
    `actor_headers`: which headers `auto_resolve_user` reads. `token_in_query`: Yjs clients may have
    their token as `?token=` in the URL, yes.
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
    actor_headers: RealtimeActorHeaders | None = None
    token_in_query: bool | None = None


class LifecycleConfig(RealtimeLifecycleOptions, frozen=True, kw_only=True, omit_defaults=False):
    """Lifecycle options with nothing left open."""

    idle_ttl_seconds: PositiveInt32 = IDLE_TTL_SECONDS
    destroy_ttl_seconds: PositiveInt32 = DESTROY_TTL_SECONDS
    allow_recreate: bool = False


class ModuleConfig(RealtimeModuleOptions, frozen=True, kw_only=True, omit_defaults=False):
    """Options with nothing left open that has a default; JSON says the defaults too."""

    namespace: str = DEFAULT_NAMESPACE
    database_name: str = ""
    history_limit: PositiveInt32 = HISTORY_LIMIT
    presence_ttl_seconds: PositiveInt32 = PRESENCE_TTL_SECONDS
    lifecycle: LifecycleConfig = LifecycleConfig()
    auto_resolve_user: bool = True
    allow_anonymous: bool = False
    bind_connection_to_expiry: bool = True
    actor_headers: RealtimeActorHeaders = DEFAULT_ACTOR_HEADERS
    token_in_query: bool = True


def normalize(options: RealtimeModuleOptions) -> ModuleConfig:
    """The options, checked, every default filled in. It shares nothing with what was given, and
    what is normalised already comes back equal.

    Raises `InvalidArgument` with the path of the field in JSON, `lifecycle.idleTtlSeconds` say.
    """
    values = _checked(options)
    name = check_name(values.name, "name")
    namespace = check_name(_or(values.namespace, DEFAULT_NAMESPACE), "namespace")
    if values.binding is not None:
        check_name(values.binding, "binding")

    observability_of(values.observability)  # which says what is wrong with it
    database_name = values.database_name
    if database_name is None:
        database_name = derived_database_name(namespace, name)

    return ModuleConfig(
        name=name,
        namespace=namespace,
        database_name=check_name(database_name, "databaseName"),
        binding=values.binding,
        history_limit=_or(values.history_limit, HISTORY_LIMIT),
        presence_ttl_seconds=_or(values.presence_ttl_seconds, PRESENCE_TTL_SECONDS),
        lifecycle=_lifecycle(values.lifecycle),
        auto_resolve_user=_or(values.auto_resolve_user, True),
        allow_anonymous=_or(values.allow_anonymous, False),
        observability=values.observability,
        placement=values.placement,
        retention=values.retention,
        bind_connection_to_expiry=_or(values.bind_connection_to_expiry, True),
        actor_headers=_actor_headers(_or(values.actor_headers, DEFAULT_ACTOR_HEADERS)),
        token_in_query=_or(values.token_in_query, True),
    )


def derived_database_name(namespace: str, name: str) -> str:
    """A name for the state of an instance that no other instance gets: readable when it fits into
    255 bytes, else a SHA-256."""
    pair = f"{quote(namespace, safe='')}:{quote(name, safe='')}"  # quote escapes a colon
    readable = f"realtime:{pair}"
    if len(readable) <= MAX_NAME_BYTES:
        return readable

    return f"realtime:{hashlib.sha256(pair.encode()).hexdigest()}"


def _checked(options: RealtimeModuleOptions) -> RealtimeModuleOptions:
    """The options as JSON has them: a struct does not look at what it is constructed with."""
    for name, value in _members(options).items():
        check(_members(value) if isinstance(value, msgspec.Struct) else value, name)

    return parse(encode(options), RealtimeModuleOptions)


def _members(struct: msgspec.Struct) -> dict[str, object]:
    """What a struct holds, by the names that it has in JSON."""
    fields = msgspec.structs.fields(struct)
    return {field.encode_name: getattr(struct, field.name) for field in fields}


def _lifecycle(given: RealtimeLifecycleOptions | None) -> LifecycleConfig:
    options = given or RealtimeLifecycleOptions()
    return LifecycleConfig(
        idle_ttl_seconds=_or(options.idle_ttl_seconds, IDLE_TTL_SECONDS),
        destroy_ttl_seconds=_or(options.destroy_ttl_seconds, DESTROY_TTL_SECONDS),
        allow_recreate=_or(options.allow_recreate, False),
    )


def _actor_headers(given: RealtimeActorHeaders) -> RealtimeActorHeaders:
    """The headers in lower case, as ASGI has them."""
    return RealtimeActorHeaders(
        user_id=_header_names(given.user_id, "userId"),
        session_id=_header_names(given.session_id, "sessionId"),
        tenant_id=_header_names(given.tenant_id, "tenantId"),
        email=_header_names(given.email, "email"),
        display_name=_header_names(given.display_name, "displayName"),
    )


def _header_names(names: tuple[str, ...], field: str) -> tuple[str, ...]:
    path = f"actorHeaders.{field}"
    if len(names) > MAX_ACTOR_HEADERS:
        raise InvalidArgument(f"{path} has at most {MAX_ACTOR_HEADERS} names", field=path)

    for name in names:
        if len(name) > MAX_HEADER_NAME_BYTES or not HEADER_NAME.fullmatch(name):
            message = f"{path} has names of headers, each of 1 to {MAX_HEADER_NAME_BYTES} bytes"
            raise InvalidArgument(message, field=path)

    return tuple(name.lower() for name in names)


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
