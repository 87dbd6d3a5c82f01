"""`roomhost backup`, `roomhost restore` and `roomhost compact`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from ..runtime import HostError, load_settings
from ..storage import compaction
from ..storage import restore as restoring
from ..storage.backup_manifest import read_manifest
from ..storage.finding import counted
from .copy_progress import CopyProgress
from .options import confirm, json_option, target_options, yes_option
from .target import open_target

directory_option = click.option(
    "--data-dir", type=click.Path(file_okay=False), help="The data directory. [state]"
)


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@target_options
@json_option
def backup(
    directory: Path, data_dir: str | None, url: str | None, api_key: str | None, as_json: bool
) -> None:
    """Copy a data directory to DIR, while its host serves or without one.

    DIR must not exist, or be empty. It has every write that was acknowledged before, is verified, and
    appears when it is whole. A host copies on its own machine.
    """
    result: dict[str, Any] = {}
    with (
        CopyProgress() as progress,
        open_target(data_dir, url, api_key) as target,
    ):
        for line in target.stream("backup", path=str(directory.absolute())):
            result = line.get("result", result)
            if "progress" in line:
                progress.tell(**line["progress"])
    if as_json:
        click.echo(msgspec.json.encode(result))
        return

    click.echo(
        f"roomhost: {counted(result['objects'], 'object', 'objects')}, "
        f"{counted(result['entries'], 'entry', 'entries')} and "
        f"{counted(result['alarms'], 'alarm', 'alarms')} in {directory}, {result['bytes']:,} bytes, "
        "verified"
    )


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@directory_option
@click.option("--force", is_flag=True, help="Replace what is there, which is kept beside it.")
@yes_option
@json_option
def restore(directory: Path, data_dir: str | None, force: bool, yes: bool, as_json: bool) -> None:
    """Make a data directory what the backup DIR holds.

    No host may be running on it. A directory that has data is replaced with --force alone; what was
    in it is moved into a directory in it, and not deleted.
    """
    target = Path(data_dir or load_settings().data_dir).absolute()
    manifest = read_manifest(directory)
    if sys.stdin.isatty() and sys.stderr.isatty():
        confirm(f"Make {target} what it was at {manifest.made_at}?", yes)
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    with CopyProgress() as progress:
        done = restoring.restore(directory, target, when=when, force=force, report=progress.report)
    if as_json:
        told = {
            "data_dir": str(target),
            "made_at": manifest.made_at,
            "objects": manifest.objects,
            "bytes": manifest.bytes,
            "replaced": None if done.replaced is None else str(done.replaced),
        }
        click.echo(msgspec.json.encode(told))
        return

    click.echo(
        f"roomhost: {counted(manifest.objects, 'object', 'objects')} restored to {target}, as of "
        f"{manifest.made_at}"
    )
    if done.replaced is not None:
        click.echo(f"roomhost: what was there is in {done.replaced}")


@click.command()
@directory_option
@json_option
def compact(data_dir: str | None, as_json: bool) -> None:
    """Write a data directory's map anew without its free pages, and give their space back.

    No host may be running on it. The disk needs room for both maps.
    """
    directory = Path(data_dir or load_settings().data_dir)
    if not directory.is_dir():
        raise HostError(f"there is no data directory at {directory}: name it by --data-dir")

    with CopyProgress() as progress:
        done = compaction.compact(directory, progress.report)
    if as_json:
        click.echo(msgspec.json.encode({"before": done.before, "after": done.after}))
        return

    click.echo(f"roomhost: the map had {done.before:,} bytes and has {done.after:,}")
