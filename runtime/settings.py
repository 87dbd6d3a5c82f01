"""Where settings come from: command-line flags, then `ROOMHOST_*` variables, then `roomhost.toml`, then
defaults. A key or a value that is not understood is refused by name."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import HostError
from .host_settings import HostSettings as HostSettings
from .host_settings import check_name, fields
from .host_settings import make_settings as make_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "ROOMHOST_"
SETTINGS_FILE = "roomhost.toml"
# What commands read that ask another host; the same shell may start this one.
OF_COMMANDS = frozenset(("ROOMHOST_API_KEY", "ROOMHOST_URL"))


class Sources(NamedTuple):
    """Settings before they are checked: their values, and where each one stands, in words."""

    values: dict[str, Any]
    origins: dict[str, str]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: str | Path = ".",
) -> HostSettings:
    """The settings in force. `flags` are by field name; None in them means not given.

    HostError: an unknown key, a value that is not allowed, or a `roomhost.toml` that is no TOML; the
    message names the key, where it stands, and what is allowed.
    """
    return make_settings(*find_sources(flags, environ, directory))


def find_sources(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: str | Path = ".",
) -> Sources:
    """What is set, and where, not yet checked but for the names. HostError: an unknown key, or a
    `roomhost.toml` that cannot be read."""
    found = Sources({}, {})
    for name, value in _of_file(Path(directory) / SETTINGS_FILE).items():
        check_name(name, f"{SETTINGS_FILE}: the key ")
        _put(found, name, value, SETTINGS_FILE)
    for variable, value in (os.environ if environ is None else environ).items():
        if variable.startswith(PREFIX) and variable not in OF_COMMANDS:
            name = variable.removeprefix(PREFIX).lower()
            check_name(name, "the variable ", variable)
            _put(found, name, value, f"the variable {variable}")
    for name, value in (flags or {}).items():
        if value is not None:
            check_name(name, "the flag ")
            _put(found, name, value, f"the flag {fields()[name].flag or name}")
    return found


def _put(found: Sources, name: str, value: Any, origin: str) -> None:
    found.values[name], found.origins[name] = value, origin


def _of_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"{path.name} is no TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{path.name} cannot be read: {error}") from None
