"""Options that several commands have, and how they ask."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..runtime import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")


def target_options(command: Command) -> Command:
    """`--data-dir`, `--url`, `--api-key`: the arguments of `open_target`."""
    for option in (
        click.option(
            "--api-key",
            envvar="ROOMHOST_API_KEY",
            show_envvar=True,
            help="Of that host, with --url.",
        ),
        click.option(
            "--url",
            help="A running host, as http://127.0.0.1:8787, in place of a directory.",
        ),
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False),
            help="The data directory, of a host that runs or not. [state]",
        ),
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    """`--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")(command)


def yes_option(command: Command) -> Command:
    """`--yes`, as `yes`: see `confirm`."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask.")(command)


def confirm(question: str, yes: bool) -> None:
    """Ask whether to go on, unless that was said. HostError: there is nobody to ask. Abort: no."""
    if yes:
        return

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise HostError(f"{question} There is no terminal to ask: say --yes")

    click.confirm(question, abort=True, err=True)
