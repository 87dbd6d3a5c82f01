"""What a backup says of itself, in `backup.json`: written when everything else is whole and on the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .data_directory import FORMAT_VERSION, MANIFEST, OLDER_VERSIONS
from .errors import DataDirectoryError
from .files import write_file
from .limits import MAX_MANIFEST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

BACKUP_FORMAT = 1


class FileRecord(msgspec.Struct, frozen=True):
    """A file of a backup: its size in bytes, and its SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`format`: of the backup; `data_format`: of the data directory it is of; `roomhost`: the version
    that made it; `made_at`: when, ISO 8601; `objects`, `entries`, `alarms`: how many it holds;
    `files`: by their paths below the backup's directory, with `/`."""

    format: int
    data_format: int
    roomhost: str
    made_at: str
    objects: int
    entries: int
    alarms: int
    files: dict[str, FileRecord]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(record.bytes for record in self.files.values())


class _Formats(msgspec.Struct):
    """What is looked at before the rest, which another format may have otherwise."""

    format: int
    data_format: int


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write it, synced; its entry in the directory is not. OSError: the system refuses."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    write_file(directory / MANIFEST, data + b"\n")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a backup. DataDirectoryError: there is no backup, it is damaged, or newer than
    what this version reads."""
    try:
        with (directory / MANIFEST).open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise DataDirectoryError(
            f"{directory} is no backup: it has no {MANIFEST} that can be read "
            f"({error.strerror}); name a directory that `roomhost backup` made"
        ) from error

    try:
        formats = msgspec.json.decode(data, type=_Formats)
        if formats.format > BACKUP_FORMAT or formats.data_format > FORMAT_VERSION:
            raise DataDirectoryError(
                f"the backup {directory} has format {formats.format} of a data directory of format "
                f"{formats.data_format}, this roomhost reads {BACKUP_FORMAT} and {FORMAT_VERSION}: "
                "use the version that made it"
            )

        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(directory, f"its {MANIFEST} cannot be read, {error}") from error

    if manifest.data_format not in (*OLDER_VERSIONS, FORMAT_VERSION) or not manifest.files:
        raise _damaged(directory, f"its {MANIFEST} is not one that roomhost writes")

    if any(_leads_out(name) for name in manifest.files):
        raise _damaged(directory, f"its {MANIFEST} names a file outside of it")

    return manifest


def _leads_out(name: str) -> bool:
    """Whether a path is another than those a backup has: a file, or one in a folder."""
    parts = name.split("/")
    return len(parts) > 2 or any(part in ("", ".", "..") or "\0" in part for part in parts)


def _damaged(directory: Path, why: str) -> DataDirectoryError:
    return DataDirectoryError(f"the backup {directory} is damaged ({why}): use another one")
