"""`roomhost deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from ..runtime import HostError
from .options import confirm, json_option, target_options, yes_option
from .target import open_target

if TYPE_CHECKING:
    from .client import Target


@click.command()
@click.argument("application", metavar="MODULE:APP")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@target_options
@yes_option
@json_option
def deploy(
    application: str,
    dry_run: bool,
    data_dir: str | None,
    url: str | None,
    api_key: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Have a running host take over new code, and apply its class migrations.

    The host imports MODULE:APP again, from its own working directory. Every object changes over as
    soon as nothing of it runs: no write, alarm or hibernated WebSocket is lost, requests in flight
    end. What runs for longer than 10 seconds is reset, with an error that may be retried.

    Without a running host the migrations are applied to the data directory. Code that lacks the class
    of stored objects is refused. Rolling back is deploying the older code.
    """
    with open_target(data_dir, url, api_key) as target:
        result = {} if yes and not dry_run else run(target, application, dry_run=True)
        if result.get("refusal"):
            raise HostError(result["refusal"])

        if not dry_run:
            if result.get("deletes"):
                show(result, err=True)
                confirm("Delete these objects?", yes)
            result = run(target, application, dry_run=False)
    if as_json:
        click.echo(msgspec.json.encode(result))
        return

    show(result)
    click.echo(f"roomhost: {said(result, dry_run)}")


def run(target: Target, application: str, *, dry_run: bool) -> dict[str, Any]:
    """The result of the operation; what it does meanwhile is shown on a terminal."""
    result: dict[str, Any] = {}
    console = Console(stderr=True)
    with console.status("asking the host") as status:
        for line in target.stream("deploy", application=application, dry_run=dry_run):
            result = line.get("result", result)
            if "progress" in line:
                status.update(line["progress"]["step"])
    return result


def show(result: dict[str, Any], *, err: bool = False) -> None:
    """What happens to the sets of objects, a line for each."""
    for step in result["plan"]:
        click.echo(step["text"], err=err)


def said(result: dict[str, Any], dry_run: bool) -> str:
    """What was done, in one line."""
    name = result["name"]
    if dry_run:
        return f"dry run, nothing has changed: {name} can be deployed"

    if not result["running"]:
        return f"the data directory is ready for {name}; no host runs on it"

    instances, resets = result.get("instances", 0), result.get("resets", 0)
    return (
        f"{name} runs the new code: {instances} of its objects were in memory, {resets} were reset, "
        f"{result.get('seconds', 0.0):.2f} s"
    )
