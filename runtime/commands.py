"""The `roomhost` command."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from ..storage import DataDirectoryError, StorageError
from .errors import HostError
from .options import settings_options
from .settings import load_settings

if TYPE_CHECKING:
    from .application import Application


KNOWN = (HostError, DataDirectoryError, StorageError, OSError)  # mistakes, and what a disk does
GROUP = "roomhost.commands"  # of entry points: commands that are made above the runtime


class Commands(click.Group):
    """The commands of this module, and those that are installed as entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted({*super().list_commands(ctx), *entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, which is imported only when it is asked for."""
        own = super().get_command(ctx, cmd_name)
        found = () if own is not None else tuple(entry_points(group=GROUP, name=cmd_name))
        return found[0].load() if found else own


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="roomhost")
def roomhost() -> None:
    """An actor host for rooms: Durable Objects in Python.

    Settings come from flags, then ROOMHOST_* variables, then roomhost.toml, then defaults.
    """


@roomhost.command()
@click.argument("application", metavar="MODULE:APP")
@settings_options()
def serve(application: str, **flags: Any) -> None:
    """Run the actor host process: HTTP, WebSockets, alarms.

    MODULE:APP names an App in an importable module, as in examples.chat:app. SIGTERM and Ctrl-C
    drain: what is in flight ends, everything acknowledged is on disk, the exit status is 0.
    """
    from .event_loop import run
    from .server import serve as serve_application

    settings = load_settings(flags)
    app = load_application(application)

    def started(url: str) -> None:
        click.echo(f"roomhost: {app.name} on {url} (data in {settings.data_dir})")
        sys.stdout.flush()

    run(serve_application(app, settings, started))


def load_application(reference: str) -> Application:
    """The application that `MODULE:APP` names. HostError: the text, the module or the name is wrong."""
    module_name, attribute = parse_reference(reference)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise HostError(f"cannot import {module_name}: {error}") from error

    app = getattr(module, attribute, None)
    if not hasattr(app, "namespaces") or not hasattr(app, "asgi_for"):
        raise HostError(f"{attribute} in {module_name} is no roomhost App")

    return cast("Application", app)


def parse_reference(reference: str) -> tuple[str, str]:
    """The module and the name in it. HostError: the text is not `MODULE:APP`."""
    module_name, colon, attribute = reference.partition(":")
    if not (module_name and colon and attribute):
        raise HostError(f"{reference!r} is not MODULE:APP, as in examples.chat:app")

    return module_name, attribute


def main() -> NoReturn:
    """The console script: a mistake is one line on stderr and exit status 2."""
    try:
        roomhost(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"roomhost: {error.format_message()}", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output, `head` say, has seen enough: there is nothing to say, nor to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseException as error:
        cause = known_cause(error)
        if cause is None:
            raise
        click.echo(f"roomhost: {cause}", err=True)
        sys.exit(2)
    sys.exit(0)


def known_cause(error: BaseException) -> BaseException | None:
    """The mistake behind an error, if it is one that a line can tell."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return next(filter(None, map(known_cause, group.exceptions)), None)

    return error if isinstance(error, KNOWN) else None
