"""What is to be said of the files of a data directory: rights, format, and what was left over."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from .compaction import DRAFT
from .data_directory import (
    FORMAT_DRAFT,
    FORMAT_FILE,
    FORMAT_VERSION,
    LOCK_FILE,
    OLDER_VERSIONS,
    PARTITION,
    RESTORE_DRAFT,
    read_format,
)
from .finding import Finding, Level
from .restore import REPLACED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO  # what only the owner should have


def check_rights(data_dir: Path, secret_files: Sequence[str]) -> list[Finding]:
    """Whose it is, and who may read it."""
    findings: list[Finding] = []
    status = data_dir.stat()
    if status.st_uid != os.geteuid():
        findings.append(
            Finding(
                Level.WARNING,
                f"{data_dir} belongs to user {status.st_uid}, this is user {os.geteuid()}",
                "run the host, and this, as the user it belongs to",
            )
        )
    if status.st_mode & OTHERS:
        findings.append(
            Finding(
                Level.WARNING,
                f"others may look into {data_dir}, whose mode is {stat.S_IMODE(status.st_mode):o}",
                f"chmod 700 {data_dir}",
            )
        )
    for path in (data_dir / name for name in secret_files):
        if path.exists() and path.stat().st_mode & OTHERS:
            findings.append(
                Finding(
                    Level.WARNING,
                    f"others may read the secrets in {path}",
                    f"chmod 600 {path}, and replace the secrets if someone may have read them",
                )
            )
    return findings or [Finding(Level.FINE, f"{data_dir} is for this user alone")]


def check_format(data_dir: Path) -> list[Finding]:
    """Which version wrote it."""
    version = read_format(data_dir)
    if version == FORMAT_VERSION:
        return [Finding(Level.FINE, f"its format is {FORMAT_VERSION}")]

    if version in OLDER_VERSIONS:
        return [
            Finding(
                Level.NOTE,
                f"its format is {version}",
                f"the next start of a host raises it to {FORMAT_VERSION}; older versions cannot read it "
                "then",
            )
        ]

    if version is not None:
        return [
            Finding(
                Level.ERROR,
                f"its format is {version}, this roomhost reads {FORMAT_VERSION}",
                "use the version that wrote it",
            )
        ]

    names = {entry.name for entry in data_dir.iterdir()} - {LOCK_FILE, FORMAT_DRAFT}
    if not names:
        return [Finding(Level.NOTE, "it is empty: the next start of a host begins one")]

    if RESTORE_DRAFT in names:
        return []  # told by `check_leftovers`

    return [
        Finding(
            Level.ERROR,
            f"it has no {FORMAT_FILE}, but {min(names)!r}: it is no roomhost data directory, or it is "
            "damaged",
            "name another directory; if it was one, restore a backup",
        )
    ]


def check_leftovers(
    data_dir: Path, drafts: Sequence[str], socket: str, *, held: bool
) -> list[Finding]:
    """What something that was cut short has left, unless it goes on."""
    findings: list[Finding] = []
    if (data_dir / RESTORE_DRAFT).exists() and not held:
        whole = (data_dir / FORMAT_FILE).exists()
        findings.append(
            Finding(
                Level.NOTE if whole else Level.ERROR,
                "a restore was cut short"
                + (", what was there before is in place" if whole else ": no host opens it"),
                f"delete {data_dir / RESTORE_DRAFT}, or restore again"
                if whole
                else "run `roomhost restore` again",
            )
        )
    for path in sorted(data_dir.glob(f"{REPLACED}*")):
        findings.append(
            Finding(
                Level.NOTE,
                f"{path} has what was there before a restore",
                "delete it when it is not needed any more",
            )
        )
    left = [data_dir / name for name in (FORMAT_DRAFT, *drafts)]
    left.append(data_dir / PARTITION / DRAFT)
    if socket:
        left.append(data_dir / socket)
    if not held:
        findings += [
            Finding(
                Level.NOTE,
                f"{path} was left by something that was cut short",
                "nothing needs it: the next start, or compaction, replaces it",
            )
            for path in left
            if path.exists()
        ]
    return findings
