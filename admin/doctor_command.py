"""`roomhost doctor`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from ..runtime import load_settings
from ..runtime.commands import load_application
from ..runtime.local_socket import SOCKET_FILE
from ..runtime.token_secrets import SECRETS_DRAFT, SECRETS_FILE
from ..storage.doctor import Circumstances, examine
from ..storage.finding import Level
from .backup_commands import directory_option
from .options import json_option

if TYPE_CHECKING:
    from ..storage.finding import Finding

COLORS = {Level.FINE: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.ERROR: "red"}
WIDTH = 1 + max(len(level.value) for level in Level)


@click.command()
@click.argument("application", metavar="[MODULE:APP]", required=False)
@directory_option
@json_option
def doctor(application: str | None, data_dir: str | None, as_json: bool) -> None:
    """Look at a data directory and say what to do. Nothing is changed.

    A host may be running on it; what it is writing is not verified then. With MODULE:APP, objects are
    found that the application has no class for. The exit status is 2 where there is an error, else 0.
    """
    directory = Path(data_dir or load_settings().data_dir).absolute()
    declared = None
    if application is not None:
        declared = [declared.name for declared in load_application(application).namespaces()]
    findings = examine(
        directory,
        Circumstances(
            now_ms=time.time_ns() // 1_000_000,
            secret_files=(SECRETS_FILE,),
            drafts=(SECRETS_DRAFT,),
            socket=SOCKET_FILE,
            declared=declared,
        ),
    )
    if as_json:
        told = {"data_dir": str(directory), "findings": [as_object(found) for found in findings]}
        click.echo(msgspec.json.encode(told))
    else:
        show(findings)
    if any(found.level is Level.ERROR for found in findings):
        sys.exit(2)


def as_object(finding: Finding) -> dict[str, str]:
    """A finding for a program."""
    return {"level": finding.level.value, "what": finding.what, "cure": finding.cure}


def show(findings: list[Finding]) -> None:
    """Two lines for each, and a count of them."""
    for found in findings:
        level = click.style(f"{found.level.value:{WIDTH}}", fg=COLORS[found.level])
        click.echo(f"{level} {found.what}")
        if found.cure:
            click.echo(f"{'':{WIDTH}} {found.cure}")
    counts = Counter(found.level for found in findings)
    parts = [
        f"{counts[level]} {level.value}{'s' if counts[level] > 1 else ''}"
        for level in (Level.ERROR, Level.WARNING, Level.NOTE)
        if counts[level]
    ]
    click.echo(f"roomhost: {', '.join(parts) or 'nothing to remark on'}")
