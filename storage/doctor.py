"""What is to be said of a data directory. It is read, and never changed; a host may be serving it.

A directory that no host serves is kept from one while it is looked at.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .data_directory import FORMAT_FILE, LOCK_FILE, PARTITION, holder_in
from .directory_check import check_format, check_leftovers, check_rights
from .errors import DataDirectoryError
from .finding import Finding, Level
from .map_doctor import check_map

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a doctor is told by those who know it.

    `now_ms`: the time; `secret_files`: which files nobody else may read; `drafts`: which are left by a
    crash, beside those of storage; `socket`: the name of the host's own; `declared`: the namespaces of
    the application, where one is known.
    """

    now_ms: int
    secret_files: Sequence[str] = ()
    drafts: Sequence[str] = ()
    socket: str = ""
    declared: Collection[str] | None = None


def examine(data_dir: Path, circumstances: Circumstances) -> list[Finding]:
    """All findings, in the order they were looked for."""
    data_dir = data_dir.absolute()
    if not data_dir.is_dir():
        return [
            Finding(
                Level.ERROR,
                f"{data_dir} is no directory",
                "name the data directory of a host (--data-dir), or start one: it makes it",
            )
        ]

    try:
        with _looking(data_dir) as holder:
            return _examine(data_dir, circumstances, holder)
    except OSError as error:
        return [
            Finding(
                Level.ERROR,
                f"{data_dir} cannot be read ({error})",
                "run it as the user of the host",
            )
        ]


def _examine(data_dir: Path, circumstances: Circumstances, holder: str | None) -> list[Finding]:
    findings: list[Finding] = []
    findings += check_rights(data_dir, circumstances.secret_files)
    if holder is not None:
        findings.append(Finding(Level.NOTE, f"it is held by {holder}"))
    findings += check_format(data_dir)
    findings += check_leftovers(
        data_dir, circumstances.drafts, circumstances.socket, held=holder is not None
    )
    if not (data_dir / FORMAT_FILE).exists():
        return findings

    partition = data_dir / PARTITION
    if not partition.is_dir():
        return [*findings, Finding(Level.NOTE, "nothing is stored in it yet")]

    try:
        findings += check_map(partition, circumstances, served=holder is not None)
    except DataDirectoryError as error:
        findings.append(Finding(Level.ERROR, str(error), "restore a backup"))
    return findings


@contextlib.contextmanager
def _looking(data_dir: Path) -> Generator[str | None]:
    """Keep a host from starting meanwhile; or who holds the directory."""
    try:
        lock = os.open(data_dir / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return

    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield holder_in(lock)
        else:
            yield None
    finally:
        os.close(lock)
