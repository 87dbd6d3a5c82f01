"""`roomhost check`: whether a host would start, without starting it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..runtime.options import settings_options
from .check_application import check_application
from .check_machine import check_address, check_directory_of
from .check_migrations import check_migrations
from .check_settings import check_settings
from .finding import Level

if TYPE_CHECKING:
    from .finding import Finding


@click.command()
@click.argument("application", metavar="[MODULE:APP]", required=False)
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def check(application: str | None, as_json: bool, **flags: Any) -> None:
    """Say whether a host would start, without starting it.

    A line each: settings and where each one comes from, secrets, TLS, the data directory, the address,
    and of the application, if one is named, what becomes of the stored objects. The exit status is 0,
    or 2 when there is an error.
    """
    findings = find(application, flags)
    good = not any(finding.level is Level.ERROR for finding in findings)
    if as_json:
        listed = [finding._asdict() for finding in findings]
        click.echo(json.dumps({"ok": good, "findings": listed}, indent=2))
    else:
        for level, topic, message in findings:
            click.echo(f"{level:<8}{topic}: {message}")
    sys.exit(0 if good else 2)


def find(application: str | None, flags: dict[str, Any]) -> list[Finding]:
    """Everything that is to be said, in the order in which a host starts."""
    settings, findings = check_settings(flags, os.environ, Path())
    held = False
    if settings is not None:
        held, of_directory = check_directory_of(settings)
        findings += [*of_directory, check_address(settings, held=held)]
    if application is not None:
        app, of_application = check_application(application)
        findings += of_application
        if app is not None and settings is not None and usable(findings):
            findings += check_migrations(app, settings.data_dir, held=held)
    return findings


def usable(findings: list[Finding]) -> bool:
    """Whether the data directory can be opened, as far as was found."""
    return not any(topic == "data_dir" and level is Level.ERROR for level, topic, _ in findings)
