"""The host's settings: what can be set, and which values are allowed.

Where they come from is in `settings`: flags, variables, `roomhost.toml`, defaults.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from ..storage.limits import (
    MAX_ENTRY_BYTES,
    MAX_ENTRY_LIMIT_BYTES,
    MAX_KEY_BYTES,
    MAX_KEY_LIMIT_BYTES,
    MAX_MAP_BYTES,
    MIN_STORAGE_BYTES,
)
from . import limits
from .errors import HostError
from .proxies import parse_network
from .secret_files import read_secrets, readable_by_all
from .setting import Field, Setting, closest, fields_of
from .token_secrets import parse_secrets
from .urls import parse_origin, parse_public_url

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("roomhost.runtime")

# Read from a file when the host starts; the setting with the secrets has the name without _file.
SECRET_FILES = ("api_keys_file", "token_secrets_file")
TLS_FILES = ("ssl_certfile", "ssl_keyfile")


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set; docs/settings.md is made from it. A `repr` shows no secret.

    ValueError: a value that is not allowed, or two that exclude each other.
    """

    data_dir: Annotated[str, Setting("Where the objects are stored.", flag=True)] = "state"
    host: Annotated[
        str, Setting("The address to listen on: 0.0.0.0 or :: is every one.", flag=True)
    ] = "127.0.0.1"
    port: Annotated[
        int, Setting("The port to listen on; 0 takes a free one.", least=0, most=65_535, flag=True)
    ] = 8787
    public_url: Annotated[
        str | None,
        Setting("How clients reach this host: http or https, without a query.", flag=True),
    ] = None

    api_keys: Annotated[
        tuple[str, ...], Setting("What trusted back-ends authenticate with.", secret=True)
    ] = ()
    api_keys_file: Annotated[
        str | None, Setting("A file with the API keys, one a line.", flag=True)
    ] = None
    token_secrets: Annotated[
        tuple[str, ...],
        Setting(
            "What tokens are signed with: kid:secret each, the first one signs, all verify. "
            "Without one, one is made and kept in the data directory.",
            secret=True,
        ),
    ] = ()
    token_secrets_file: Annotated[
        str | None, Setting("A file with the token secrets, one kid:secret a line.", flag=True)
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(
            "IP addresses, or networks as 10.0.0.0/8, whose word about a request's user, scheme and "
            "address counts.",
            flag=True,
        ),
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        Setting(
            "Origins of pages that may open a WebSocket, as https://app.example.com, or *. Without "
            "one, pages of this host.",
            flag=True,
        ),
    ] = ()

    ssl_certfile: Annotated[
        str | None, Setting("The TLS certificate, with its chain, as PEM.", flag=True)
    ] = None
    ssl_keyfile: Annotated[
        str | None, Setting("The private key of the TLS certificate, as PEM.", flag=True)
    ] = None
    ssl_keyfile_password_file: Annotated[
        str | None, Setting("A file with the password of the private key.", flag=True)
    ] = None
    ssl_handshake_timeout_seconds: Annotated[
        float, Setting("That a client gets to finish a TLS handshake.", unit="seconds", above=0)
    ] = limits.SSL_HANDSHAKE_TIMEOUT_SECONDS

    max_connections: Annotated[
        int, Setting("Connections at a time; further ones are answered with 503.", least=1)
    ] = limits.MAX_CONNECTIONS
    max_incoming_bytes: Annotated[
        int,
        Setting(
            "Of messages and bodies that have begun to come and are not whole, of all clients; beyond "
            "it the largest is refused, with 503 or 1013.",
            unit="bytes",
            least=1_048_576,
        ),
    ] = limits.MAX_INCOMING_BYTES
    max_header_bytes: Annotated[
        int,
        Setting(
            "Of a request's line and headers together; beyond it 431.",
            unit="bytes",
            least=1_024,
            most=1_048_576,
        ),
    ] = limits.MAX_HEADER_BYTES
    max_headers: Annotated[
        int, Setting("Headers of one request; beyond it 431.", least=16, most=65_536)
    ] = limits.MAX_HEADERS
    header_timeout_seconds: Annotated[
        float,
        Setting(
            "From the first byte of a request, or from the connection, until its headers are "
            "complete; then 408.",
            unit="seconds",
            above=0,
        ),
    ] = limits.HEADER_TIMEOUT_SECONDS
    max_request_bytes: Annotated[
        int,
        Setting(
            "Of a request's body; beyond it 413.",
            unit="bytes",
            least=0,
            most=limits.MAX_REQUEST_BYTES,
        ),
    ] = limits.MAX_REQUEST_BYTES
    body_timeout_seconds: Annotated[
        float,
        Setting(
            "How often it is looked at how fast a request's body comes.", unit="seconds", above=0
        ),
    ] = limits.BODY_TIMEOUT_SECONDS
    min_body_bytes_per_second: Annotated[
        int,
        Setting(
            "A body that comes slower while its reader waits is answered with 408; 0 waits for any.",
            unit="bytes a second",
            least=0,
        ),
    ] = limits.MIN_BODY_BYTES_PER_SECOND
    keep_alive_timeout_seconds: Annotated[
        int,
        Setting("Without a further request, then a connection is closed.", unit="seconds", least=1),
    ] = limits.KEEP_ALIVE_TIMEOUT_SECONDS

    max_instances: Annotated[
        int,
        Setting(
            "Objects with an instance in memory; beyond it those leave that have been idle longest, "
            "and where none is a call that needs another one is refused: overloaded.",
            least=1,
        ),
    ] = limits.MAX_INSTANCES
    idle_eviction_seconds: Annotated[
        float,
        Setting(
            "Without an event, then an instance leaves memory.", unit="seconds", least=0, flag=True
        ),
    ] = limits.IDLE_EVICTION_SECONDS
    max_queued_events: Annotated[
        int,
        Setting("Calls and messages that wait for one object; beyond it: overloaded.", above=0),
    ] = limits.MAX_QUEUED_EVENTS
    max_queued_bytes: Annotated[
        int, Setting("The size of what waits for one object, together.", unit="bytes", above=0)
    ] = limits.MAX_QUEUED_BYTES
    max_queued_seconds: Annotated[
        float, Setting("The age of what waits for one object.", unit="seconds", above=0)
    ] = limits.MAX_QUEUED_SECONDS
    max_key_bytes: Annotated[
        int, Setting("Of one stored key.", unit="bytes", least=1, most=MAX_KEY_LIMIT_BYTES)
    ] = MAX_KEY_BYTES
    max_entry_bytes: Annotated[
        int,
        Setting(
            "Of a stored key and its encoded value together.",
            unit="bytes",
            least=1,
            most=MAX_ENTRY_LIMIT_BYTES,
        ),
    ] = MAX_ENTRY_BYTES
    max_storage_bytes: Annotated[
        int,
        Setting(
            "Of the file in which all objects are stored; beyond it what writes fails until something "
            "is deleted. Below 1 GiB commits are slower: they go past the log.",
            unit="bytes",
            least=MIN_STORAGE_BYTES,
            most=MAX_MAP_BYTES,
        ),
    ] = MAX_MAP_BYTES

    inspector: Annotated[
        bool, Setting("Whether the web inspector is served at /_inspector/.", flag=True)
    ] = False
    inspector_edit: Annotated[
        bool,
        Setting(
            "Whether the inspector, and whoever has an API key, may write into objects.", flag=True
        ),
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting("The least of what is logged.", flag=True),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"], Setting("How a line of the log is written.", flag=True)
    ] = "text"
    slow_handler_seconds: Annotated[
        float,
        Setting(
            "A handler that takes longer is logged at warning; 0: none is.", unit="seconds", least=0
        ),
    ] = limits.SLOW_HANDLER_SECONDS
    held_loop_seconds: Annotated[
        float,
        Setting(
            "Code that lets nothing else run for longer is named in the log; 0: none is.",
            unit="seconds",
            least=0,
        ),
    ] = limits.HELD_LOOP_SECONDS
    metrics: Annotated[
        bool, Setting("Whether figures for Prometheus are served at /metrics, to whoever asks.")
    ] = True

    def __post_init__(self) -> None:
        for name, field in fields().items():
            field.check(getattr(self, name))

        if not self.data_dir:
            raise ValueError("data_dir: the path of a directory, not an empty text")

        if (self.ssl_certfile is None) != (self.ssl_keyfile is None):
            given, missing = TLS_FILES if self.ssl_keyfile is None else reversed(TLS_FILES)
            raise ValueError(f"{missing}: needed beside {given}, for TLS")

        if self.ssl_keyfile_password_file is not None and self.ssl_keyfile is None:
            raise ValueError("ssl_keyfile: needed beside ssl_keyfile_password_file")

        parse_secrets(self.token_secrets)
        for network in self.trusted_proxies:
            parse_network(network)
        for origin in self.allowed_origins:
            parse_origin(origin)
        if self.public_url is not None:
            parse_public_url(self.public_url)

    def __repr__(self) -> str:
        shown = (f"{name}={field.shown(getattr(self, name))}" for name, field in fields().items())
        return f"HostSettings({', '.join(shown)})"


@cache
def fields() -> dict[str, Field]:
    """Every setting, by name, in the order of the page that describes them."""
    return fields_of(HostSettings)


def make_settings(
    values: Mapping[str, Any], origins: Mapping[str, str] | None = None
) -> HostSettings:
    """Settings from plain values, checked, with the secrets of the files that they name.

    `origins`: where each value stands, for the message. HostError: an unknown key, a value that is
    not allowed, or a file of secrets that cannot be used.
    """
    converted: dict[str, Any] = {}
    for name, value in values.items():
        check_name(name, "the setting ")
        try:
            converted[name] = fields()[name].convert(value)
        except ValueError as error:
            where = (origins or {}).get(name)
            raise HostError(f"settings: {error}" + (f" ({where})" if where else "")) from None

    converted |= _from_files(converted)
    try:
        return HostSettings(**converted)
    except ValueError as error:
        raise HostError(f"settings: {error}") from None


def check_name(name: str, prefix: str, shown: str | None = None) -> None:
    """HostError: there is no such setting; the message has `shown`, or the name, after the prefix."""
    if name not in fields():
        known = sorted(fields())
        near = closest(name.lower(), known)
        raise HostError(f"{prefix}{shown or name} is unknown; known are {', '.join(known)}{near}")


def _from_files(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The secrets of the files that are named. HostError: they are also given, or cannot be had."""
    found: dict[str, tuple[str, ...]] = {}
    for name in SECRET_FILES:
        path, target = values.get(name), name.removesuffix("_file")
        if path is None:
            continue

        if values.get(target):
            raise HostError(f"settings: {target} and {name} are both given: keep one of them")

        found[target] = read_secrets(name, path)
        warning = readable_by_all(name, path)
        if warning is not None:
            logger.warning(warning)
    return found
