"""Secrets that stand in a file of their own, which a variable or `roomhost.toml` only names."""

from __future__ import annotations

import stat
from pathlib import Path

from .errors import HostError

MAX_SECRET_FILE_BYTES = 64 * 1024
COMMENT = "#"


def read_secrets(name: str, path: str) -> tuple[str, ...]:
    """The secrets in the file that the setting `name` names: one a line; empty lines and those that
    begin with # count for nothing.

    HostError: it cannot be read, is no text, is too long, or holds none. The message shows no secret.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_SECRET_FILE_BYTES + 1)
    except OSError as error:
        raise HostError(
            f"{name}: {path} cannot be read ({error.strerror or error}): let this user read it, or "
            "name another file"
        ) from None

    if len(data) > MAX_SECRET_FILE_BYTES:
        raise HostError(f"{name}: {path} has more than {MAX_SECRET_FILE_BYTES} bytes")

    try:
        lines = [line.strip() for line in data.decode().splitlines()]
    except UnicodeDecodeError:
        raise HostError(f"{name}: {path} is no UTF-8 text") from None

    found = tuple(line for line in lines if line and not line.startswith(COMMENT))
    if not found:
        raise HostError(f"{name}: {path} holds no secret: write one a line")

    return found


def readable_by_all(name: str, path: str) -> str | None:
    """A warning that everybody on this machine may read a file, with the cure; None: not so."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return None

    if not mode & stat.S_IROTH:
        return None

    return f"{name}: every user of this machine may read {path}: chmod 600 {path}"
