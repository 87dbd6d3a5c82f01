"""What `roomhost check` says of the settings: which are set, where, and whether they are good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime import HostError
from ..runtime.exposure import exposures
from ..runtime.host_settings import SECRET_FILES, fields, make_settings
from ..runtime.secret_files import readable_by_all
from ..runtime.settings import SETTINGS_FILE, find_sources
from ..runtime.tls import tls_context
from .finding import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..runtime import HostSettings
    from ..runtime.settings import Sources
    from .finding import Finding

SECRETS = tuple(name.removesuffix("_file") for name in SECRET_FILES)
PRIVATE_FILES = (*SECRET_FILES, "ssl_keyfile", "ssl_keyfile_password_file")


def check_settings(
    flags: Mapping[str, Any], environ: Mapping[str, str], directory: Path
) -> tuple[HostSettings | None, list[Finding]]:
    """The settings, None when they cannot be used, and what is to be said of them."""
    try:
        sources = find_sources(flags, environ, directory)
    except HostError as refused:
        return None, [error("settings", str(refused))]

    found = [_of_value(name, sources) for name in sources.values]
    # Whether secrets are good is told here; how many there are, below.
    found = [finding for finding in found if finding.topic not in SECRETS or finding.level != "ok"]
    if any(finding.level == "error" for finding in found):
        return None, found

    try:
        settings = make_settings(*sources)
    except HostError as refused:
        return None, [*found, error("settings", str(refused))]

    found += [_of_secrets(name, settings, sources) for name in SECRETS]
    found += _of_files(settings, sources, directory)
    found += [warning(*_cut(line)) for line in exposures(settings)]
    return settings, [*found, *_of_tls(settings)]


def _of_value(name: str, sources: Sources) -> Finding:
    field, value, origin = fields()[name], sources.values[name], sources.origins[name]
    try:
        value = field.convert(value)
    except ValueError as refused:
        return error(name, f"{_cut(str(refused))[1]} ({origin})")

    shown = value if isinstance(value, str) else field.shown(value)
    return ok(name, f"{shown} ({origin})")


def _of_secrets(name: str, settings: HostSettings, sources: Sources) -> Finding:
    number = len(getattr(settings, name))
    if not number:
        cure = f"set {name}_file" if name == "api_keys" else "one is kept in the data directory"
        return ok(
            name, f"none: {cure}" if name == "token_secrets" else f"none: to have one, {cure}"
        )

    path = getattr(settings, f"{name}_file")
    return ok(name, f"{number}" + (f" in {path}" if path else f" ({sources.origins[name]})"))


def _of_files(settings: HostSettings, sources: Sources, directory: Path) -> list[Finding]:
    """Files with secrets that everybody may read."""
    lines = [
        readable_by_all(name, path)
        for name in PRIVATE_FILES
        if (path := getattr(settings, name)) is not None
    ]
    if any(sources.origins.get(name) == SETTINGS_FILE for name in SECRETS):
        lines.append(readable_by_all(SETTINGS_FILE, str(directory / SETTINGS_FILE)))
    return [warning(*_cut(line)) for line in lines if line is not None]


def _of_tls(settings: HostSettings) -> list[Finding]:
    try:
        context = tls_context(settings)
    except HostError as refused:
        return [error(*_cut(str(refused)))]

    if context is None:
        return [ok("tls", "none: a proxy may end it")]

    return [ok("tls", f"the certificate in {settings.ssl_certfile} and its key are good")]


def _cut(line: str) -> tuple[str, str]:
    """`topic: message` in two."""
    topic, _, message = line.partition(": ")
    return topic, message
