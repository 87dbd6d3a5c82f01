"""The settings of `roomhost dev`: those of `serve`, with the inspector on and always an API key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..runtime import HostError, load_settings
from ..runtime.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..runtime import HostSettings
    from .dev_messages import Start

NO_DIRECTORY = "/nonexistent"  # where no roomhost.toml is
NO_TLS = {"ssl_certfile": None, "ssl_keyfile": None, "ssl_keyfile_password_file": None}


def first_settings(flags: Mapping[str, Any]) -> HostSettings:
    """The settings that say where to listen, and how the page about a failure is served. Where
    `roomhost.toml` is wrong they are without it, and where the certificate is, without TLS: the child
    says so, until it is right. HostError: a flag or a variable is wrong."""
    try:
        settings = load_settings(flags)
    except HostError:
        settings = load_settings(flags, directory=NO_DIRECTORY)
    try:
        tls_context(settings)
    except HostError:
        return msgspec.structs.replace(settings, **NO_TLS)

    return settings


def dev_settings(start: Start) -> HostSettings:
    """The settings that the application gets. HostError: as `load_settings` has it."""
    settings = load_settings({"inspector": True, **start.flags})
    if not any(settings.api_keys):
        settings = msgspec.structs.replace(settings, api_keys=(start.api_key,))
    return settings
