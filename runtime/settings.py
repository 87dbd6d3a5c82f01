"""The host's settings: command-line flags, then `ROOMHOST_*` variables, then `roomhost.toml`, then
defaults. A key or a value that is not understood is refused by name."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..storage.limits import (
    MAX_ENTRY_BYTES,
    MAX_ENTRY_LIMIT_BYTES,
    MAX_KEY_BYTES,
    MAX_KEY_LIMIT_BYTES,
)
from . import limits
from .errors import HostError
from .proxies import parse_network
from .token_secrets import parse_secrets
from .urls import parse_origin, parse_public_url

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTABLE = {"max_key_bytes": MAX_KEY_LIMIT_BYTES, "max_entry_bytes": MAX_ENTRY_LIMIT_BYTES}
ENVIRONMENT_PREFIX = "ROOMHOST_"
# What commands that call a host read, which is no setting of one.
OF_CALLERS = frozenset(("ROOMHOST_API_KEY",))
SETTINGS_FILE = "roomhost.toml"


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set. Lists come comma separated in a variable or a flag.

    `data_dir`: where the objects are stored. `host`, `port`: where `roomhost serve` listens; port 0
    takes a free one. `api_keys`: what trusted back-ends authenticate with. `token_secrets`:
    `kid:secret`, the first one signs; when there is none, one is made and kept in the data directory.
    `public_url`: how clients reach this host, http or https, without a query. `trusted_proxies`: IP
    addresses, or networks as 10.0.0.0/8, whose word about a request's user counts.
    `allowed_origins`: of pages that may open a WebSocket, as https://app.example.com, or `*`; when
    there is none, pages of this host. `idle_eviction_seconds`: without an event, then an instance
    is dropped.
    `max_queued_events`, `max_queued_bytes`, `max_queued_seconds`: of calls and messages that wait for
    one object, their number, size and age; beyond it they are refused as overloaded.
    `inspector`: whether the web inspector is served at /_inspector/; `inspector_edit`: whether it, and
    whoever has an API key, may write into objects. `log_level`: the least of what is logged; `log_format`:
    as text, or as JSON, a line each. `slow_handler_seconds`: a handler that takes longer is logged at
    warning; 0: none is. `metrics`: whether figures are served at /metrics, to whoever asks.
    `max_key_bytes`, `max_entry_bytes`: of one stored key, and of a key and its encoded value.
    """

    data_dir: str = "state"
    host: str = "127.0.0.1"
    port: int = 8787
    api_keys: tuple[str, ...] = ()
    token_secrets: tuple[str, ...] = ()
    public_url: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    idle_eviction_seconds: float = limits.IDLE_EVICTION_SECONDS
    max_queued_events: int = limits.MAX_QUEUED_EVENTS
    max_queued_bytes: int = limits.MAX_QUEUED_BYTES
    max_queued_seconds: float = limits.MAX_QUEUED_SECONDS
    inspector: bool = False
    inspector_edit: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    slow_handler_seconds: float = limits.SLOW_HANDLER_SECONDS
    metrics: bool = True
    max_key_bytes: int = MAX_KEY_BYTES
    max_entry_bytes: int = MAX_ENTRY_BYTES

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port: from 0 to 65535, not {self.port}")

        if not self.idle_eviction_seconds >= 0:
            raise ValueError(f"idle_eviction_seconds: 0 or more, not {self.idle_eviction_seconds}")

        if not self.slow_handler_seconds >= 0:
            raise ValueError(f"slow_handler_seconds: 0 or more, not {self.slow_handler_seconds}")

        for name in ("max_queued_events", "max_queued_bytes", "max_queued_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: more than 0, not {getattr(self, name)}")

        for name, highest in SETTABLE.items():
            if not 1 <= getattr(self, name) <= highest:
                raise ValueError(f"{name}: from 1 to {highest}, not {getattr(self, name)}")

        if not self.data_dir:
            raise ValueError("data_dir: the path of a directory, not an empty text")

        parse_secrets(self.token_secrets)
        for network in self.trusted_proxies:
            parse_network(network)
        for origin in self.allowed_origins:
            parse_origin(origin)
        if self.public_url is not None:
            parse_public_url(self.public_url)


FIELDS = {field.name: field for field in msgspec.structs.fields(HostSettings)}
LISTS = frozenset(name for name, field in FIELDS.items() if field.default == ())


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: str | Path = ".",
) -> HostSettings:
    """The settings in force. `flags` are by field name; None in them means not given.

    HostError: an unknown key, a value of the wrong kind, or a `roomhost.toml` that is no TOML; the
    message names where it stands.
    """
    values: dict[str, Any] = {}
    values |= _from_file(Path(directory) / SETTINGS_FILE)
    values |= _from_environment(os.environ if environ is None else environ)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    values |= _known(given, "the flag")
    return make_settings(values)


def make_settings(values: Mapping[str, Any]) -> HostSettings:
    """Settings from plain values, checked. HostError: a value of the wrong kind."""
    try:
        return msgspec.convert(dict(_known(values, "the setting")), HostSettings, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise HostError(f"settings: {error}") from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{path.name} cannot be read: {error}") from None

    try:
        return _known(tomllib.loads(text), f"{path.name}: the key")
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"{path.name} is no TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX) and name not in OF_CALLERS
    }
    return _known(values, f"the variable {ENVIRONMENT_PREFIX}", upper=True)


def _known(values: Mapping[str, Any], where: str, *, upper: bool = False) -> dict[str, Any]:
    for name in values:
        if name not in FIELDS:
            shown = f"{where}{name.upper()}" if upper else f"{where} {name}"
            raise HostError(f"{shown} is unknown; known are {', '.join(sorted(FIELDS))}")

    return {name: _split(name, value) for name, value in values.items()}


def _split(name: str, value: Any) -> Any:
    if name in LISTS and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]

    return value
