"""`python -m tests.faults resources`: what a host does when the machine refuses it something."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from time import monotonic

import click

from roomhost.runtime.temporary import temporary_directory

from . import (
    clock_steps,
    descriptors,
    disk_full,
    disk_moments,
    map_full,
    memory,
    stopped,
    sync_fails,
)
from .case import Case, Stage

CASES: dict[str, Case] = {
    "disk-full": disk_full.budget,
    "disk-file-limit": disk_full.file_limit,
    "disk-file-system": disk_full.file_system,
    "disk-start": disk_moments.start,
    "disk-backup": disk_moments.backup,
    "map-full": map_full.limit,
    "descriptors": descriptors.limit,
    "memory": memory.allocation,
    "memory-map": memory.growth,
    "clock": clock_steps.hour,
    "stopped": stopped.stop,
    "sync-log": sync_fails.log,
    "sync-lmdb": sync_fails.applied,
    "sync-start": sync_fails.start,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--case", "names", type=click.Choice(sorted(CASES)), multiple=True, help="Only this.")
@click.option("--long", is_flag=True, help="More rounds, and 35 s where a process is stopped.")
def resources(names: tuple[str, ...], long: bool) -> None:
    """Take disk, memory, descriptors and time away from hosts that serve, and hold what they do
    against what they promise. Each case prints its figures."""
    for name in names or CASES:
        began = monotonic()
        with temporary_directory() as directory:
            figures = asyncio.run(CASES[name](Stage(Path(directory), long)))
        shown = "  ".join(f"{figure} {value:,.6g}" for figure, value in figures.items())
        click.echo(f"{name:17} {monotonic() - began:6.1f} s  {shown}")
    times = os.times()
    click.echo(f"{sum(times[:4]):.1f} CPU seconds")


def main(arguments: list[str]) -> int:
    """The exit status of the command."""
    status: int | None = resources(arguments, prog_name="resources", standalone_mode=False)
    return status or 0
