"""What tokens are signed with: the operator's secrets, or one made here that outlives the process.

A secret that is made stands in the data directory before anything is signed with it, so that the
tokens of before a crash are good after it.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from ..storage.files import sync_directory, write_file
from . import limits
from .errors import HostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Secrets = tuple[tuple[str, str], ...]

logger = logging.getLogger("roomhost.runtime")

SECRETS_FILE = "token_secrets"
SECRETS_DRAFT = "token_secrets.draft"


def parse_secrets(entries: Sequence[str]) -> Secrets:
    """The secrets by their key ids, from `kid:secret` each; the first one signs.

    ValueError: an entry without one of the two, an id that is no short printable ASCII, or an id
    that is there twice. The message shows no secret.
    """
    found: dict[str, str] = {}
    for number, entry in enumerate(entries, 1):
        kid, colon, secret = entry.partition(":")
        if not (colon and kid and secret):
            raise ValueError(f"token_secrets: entry {number} is not kid:secret, with both given")

        if len(kid) > limits.MAX_KID_BYTES or not kid.isascii() or not kid.isprintable():
            raise ValueError(
                f"token_secrets: the kid of entry {number} is not printable ASCII of at most "
                f"{limits.MAX_KID_BYTES} bytes"
            )

        if kid in found:
            raise ValueError(
                f"token_secrets: the kid {kid!r} is there twice; name each secret anew"
            )

        found[kid] = secret

    return tuple(found.items())


def load_secrets(directory: Path, configured: Sequence[str]) -> Secrets:
    """The secrets in force: those of the setting; else those of the file `token_secrets` in the
    data directory, which is made when missing. Called while the host holds the directory.

    A configured secret under 32 bytes is used, with one warning (RFC 7518, 3.2). HostError: the file
    is damaged, cannot be read, or cannot be written.
    """
    if configured:
        parsed = parse_secrets(configured)
        _warn_of_short(parsed)
        return parsed

    path = directory / SECRETS_FILE
    try:
        return read_secrets_file(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise HostError(
            f"{path} cannot be read ({error.strerror or error}): let this user read it, or set "
            "token_secrets"
        ) from error

    try:
        return _make_file(directory)
    except OSError as error:
        raise HostError(
            f"{path} cannot be written ({error.strerror or error}): make room, or set token_secrets"
        ) from error


def _warn_of_short(parsed: Secrets) -> None:
    short = [kid for kid, secret in parsed if len(secret.encode()) < limits.MIN_SECRET_BYTES]
    if short:
        logger.warning(
            "token_secrets: the secret of %s has less than %d bytes and can be guessed; make one "
            "with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`",
            ", ".join(short),
            limits.MIN_SECRET_BYTES,
        )


def read_secrets_file(path: Path) -> Secrets:
    """The secrets that were made, a line for each.

    HostError: the file is damaged: what was cut off or overwritten is not taken for a shorter secret.
    OSError: it cannot be read.
    """
    data = path.read_bytes()
    try:
        text = data.decode("ascii")
        parsed = parse_secrets(text.splitlines())
    except ValueError:
        text, parsed = "", ()
    whole = text.endswith("\n")
    if not parsed or not whole or any(_is_damaged(secret) for _, secret in parsed):
        raise HostError(
            f"{path} is damaged: put it back from a backup, or delete it, which voids every token "
            "that was handed out"
        )

    return parsed


def _is_damaged(secret: str) -> bool:
    return len(secret) < limits.MIN_SECRET_BYTES or not secret.isprintable()


def _make_file(directory: Path) -> Secrets:
    """Written beside and moved, so that a crash or a power cut leaves the whole file or none."""
    kid, secret = f"k{secrets.token_hex(4)}", secrets.token_urlsafe(limits.MIN_SECRET_BYTES)
    draft = directory / SECRETS_DRAFT
    draft.unlink(missing_ok=True)  # of a crash, with the rights it had
    write_file(draft, f"{kid}:{secret}\n".encode("ascii"))
    draft.replace(directory / SECRETS_FILE)
    sync_directory(directory)
    return ((kid, secret),)
