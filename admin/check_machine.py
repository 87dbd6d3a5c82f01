"""What `roomhost check` says of the machine: whether the directory and the address can be had."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import HostError
from ..runtime.server import listen
from ..runtime.token_secrets import SECRETS_FILE, read_secrets_file
from ..storage import DataDirectoryError, check_directory, holder_of
from .finding import error, ok, warning

if TYPE_CHECKING:
    from ..runtime import HostSettings
    from .finding import Finding

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_directory_of(settings: HostSettings) -> tuple[bool, list[Finding]]:
    """Whether a host holds the data directory, and what is to be said of it. Nothing is made."""
    path = Path(settings.data_dir).absolute()
    if not path.exists():
        return False, [_of_missing(path)]

    if not path.is_dir():
        return False, [error("data_dir", f"{path} is no directory: name another one")]

    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return False, [error("data_dir", f"{path}: this user may not write there: name another")]

    try:
        check_directory(path)
        holder = holder_of(path)
    except (DataDirectoryError, OSError) as refused:
        return False, [error("data_dir", str(refused))]

    found = [ok("data_dir", f"{path} can be used"), *_of_made_secrets(settings, path)]
    if path.stat().st_mode & OTHERS:
        found.append(
            warning("data_dir", f"other users of this machine reach {path}: chmod 700 {path}")
        )
    if holder is not None:
        found.append(warning("data_dir", f"{path} is held by {holder}: that host has to end first"))
    return holder is not None, found


def check_address(settings: HostSettings, *, held: bool) -> Finding:
    """Whether the host can listen where it should. `held`: a host of the same directory runs, whose
    address it may be."""
    try:
        listen(settings).close()
    except HostError as refused:
        return (
            warning("host", f"{refused} (by the host that runs?)")
            if held
            else error("host", str(refused))
        )

    return ok("host", f"{settings.host}:{settings.port} is free")


def _of_made_secrets(settings: HostSettings, path: Path) -> list[Finding]:
    if settings.token_secrets:
        return []

    try:
        read_secrets_file(path / SECRETS_FILE)
    except FileNotFoundError:
        return []
    except (HostError, OSError) as refused:
        return [error("token_secrets", str(refused))]

    return [ok("token_secrets", f"those in {path / SECRETS_FILE}")]


def _of_missing(path: Path) -> Finding:
    parent = next(parent for parent in path.parents if parent.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok("data_dir", f"{path} is made when the host starts")

    return error("data_dir", f"{path} cannot be made: this user may not write in {parent}")
