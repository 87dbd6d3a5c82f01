"""What `realtime()` is given, and the configuration that comes of it (realtime.md 5.1)."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any, TypeVar, cast
from urllib.parse import quote

import msgspec

from .errors import InvalidArgument
from .limits import (
    DESTROY_TTL_SECONDS,
    HISTORY_LIMIT,
    IDLE_TTL_SECONDS,
    MAX_ACTOR_HEADERS,
    MAX_HEADER_NAME_BYTES,
    MAX_JSON_DEPTH,
    MAX_NAME_BYTES,
    PRESENCE_TTL_SECONDS,
)
from .names import check_name
from .types import Input, PositiveInt32, PositiveSafeInteger, Record

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
    max_bytes: PositiveSafeInteger | None = None


class RealtimeActorHeaders(Input, frozen=True, kw_only=True):
    """Extension: the headers that each field of an actor is read from, the first present one wins.

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
    come, no. `observability`, `placement`: JSON objects, kept as they are.

    Extensions: `retention`. `bind_connection_to_expiry`: a connection ends with its token, yes.
    `actor_headers`: which headers `auto_resolve_user` reads.
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


class LifecycleConfig(RealtimeLifecycleOptions, frozen=True, kw_only=True):
    """Lifecycle options with nothing left open."""

    idle_ttl_seconds: PositiveInt32
    destroy_ttl_seconds: PositiveInt32
    allow_recreate: bool


class ModuleConfig(RealtimeModuleOptions, frozen=True, kw_only=True):
    """Options with nothing left open that has a default; JSON says the defaults too."""

    namespace: str
    database_name: str
    history_limit: PositiveInt32
    presence_ttl_seconds: PositiveInt32
    lifecycle: LifecycleConfig
    auto_resolve_user: bool
    allow_anonymous: bool
    retention: RealtimeRetentionOptions
    bind_connection_to_expiry: bool
    actor_headers: RealtimeActorHeaders


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
        retention=_or(values.retention, RealtimeRetentionOptions()),
        bind_connection_to_expiry=_or(values.bind_connection_to_expiry, True),
        actor_headers=_actor_headers(_or(values.actor_headers, DEFAULT_ACTOR_HEADERS)),
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
    """The options as JSON would give them: a struct does not check what it is constructed with."""
    try:
        return msgspec.convert(_json_copy(options, "", 0), RealtimeModuleOptions)
    except msgspec.ValidationError as error:
        message, field = _explained(error)
        raise InvalidArgument(message, field=field) from None


def _explained(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """What is wrong, and the path of the field: `Expected ... - at `$.lifecycle.x``."""
    message, _, place = str(error).partition(" - at `$")
    path = place.rstrip("`").removeprefix(".")
    if unknown := re.search(r"(?:unknown|required) field `(.*)`", message):
        path = f"{path}.{unknown[1]}" if path else unknown[1]

    return f"{path}: {message}" if path else message, path or None


def _json_copy(value: object, path: str, depth: int) -> Any:
    """A copy of what JSON can say, structs by their names in JSON; anything else is refused."""
    if depth > MAX_JSON_DEPTH:
        message = f"{path} has more than {MAX_JSON_DEPTH} levels"
        raise InvalidArgument(message, field=path)

    match value:
        case None | bool():
            return value
        case int() if -(2**63) <= value < 2**64:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value):
            return value
        case list() | tuple():
            items = cast("list[object]", value)
            return [_json_copy(item, f"{path}[{n}]", depth + 1) for n, item in enumerate(items)]
        case msgspec.Struct():
            fields = msgspec.structs.fields(value)
            return _json_copy({f.encode_name: getattr(value, f.name) for f in fields}, path, depth)
        case dict():
            return _object_copy(cast("dict[object, object]", value), path, depth)
        case _:
            message = f"{path} cannot be JSON: {type(value).__name__}"
            raise InvalidArgument(message, field=path)


def _object_copy(value: dict[object, object], path: str, depth: int) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            message = f"{path} has a key that is not text: {type(key).__name__}"
            raise InvalidArgument(message, field=path)

        _json_copy(key, path, depth)
        copied[key] = _json_copy(item, f"{path}.{key}" if path else key, depth + 1)

    return copied


def _lifecycle(given: RealtimeLifecycleOptions | None) -> LifecycleConfig:
    options = given or RealtimeLifecycleOptions()
    return LifecycleConfig(
        idle_ttl_seconds=_or(options.idle_ttl_seconds, IDLE_TTL_SECONDS),
        destroy_ttl_seconds=_or(options.destroy_ttl_seconds, DESTROY_TTL_SECONDS),
        allow_recreate=_or(options.allow_recreate, False),
    )


def _actor_headers(given: RealtimeActorHeaders) -> RealtimeActorHeaders:
    """The headers in lower case, as ASGI has them."""
    values: dict[str, tuple[str, ...]] = {}
    for field in msgspec.structs.fields(given):
        path = f"actorHeaders.{field.encode_name}"
        names = cast("tuple[str, ...]", getattr(given, field.name))
        if len(names) > MAX_ACTOR_HEADERS:
            raise InvalidArgument(f"{path} has more than {MAX_ACTOR_HEADERS} names", field=path)

        for name in names:
            if not HEADER_NAME.fullmatch(name) or len(name) > MAX_HEADER_NAME_BYTES:
                message = f"{path} must name headers of 1 to {MAX_HEADER_NAME_BYTES} bytes"
                raise InvalidArgument(message, field=path)

        values[field.name] = tuple(name.lower() for name in names)

    return RealtimeActorHeaders(**values)


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
