"""`roomhost dev`: serve, and reload when a source file changes."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

import click

from ..runtime.commands import parse_reference
from ..runtime.options import settings_options
from ..runtime.server import listen, listening_url
from .dev_files import INCLUDED, Watched, absolute, is_below
from .dev_messages import Start
from .dev_settings import first_settings
from .dev_supervisor import Supervisor
from .dev_terminal import Terminal
from .dev_watcher import Watcher

if TYPE_CHECKING:
    import socket

KEY_BYTES = 24


@click.command()
@click.argument("application", metavar="MODULE:APP")
@settings_options()
@click.option("--edit", is_flag=True, help="Let the inspector write into objects.")
@click.option(
    "--reload-dir",
    type=click.Path(exists=True, file_okay=False),
    multiple=True,
    metavar="DIR",
    help="Watch this directory in the place of the current one; may be given again.",
)
@click.option(
    "--reload-include",
    multiple=True,
    metavar="PATTERN",
    help=f"Watch these files too, beside {' '.join(INCLUDED)}; may be given again.",
)
@click.option(
    "--reload-exclude",
    multiple=True,
    metavar="PATTERN",
    help="Do not watch these files or directories; may be given again.",
)
def dev(
    application: str,
    edit: bool,
    reload_dir: tuple[str, ...],
    reload_include: tuple[str, ...],
    reload_exclude: tuple[str, ...],
    **flags: Any,
) -> None:
    """Serve, and reload when a source file changes.

    MODULE:APP names an App in an importable module, as in examples.chat:app. A change ends what is in
    flight, closes sockets with 1012, and starts the application anew: what is stored stays, alarms
    too, and requests wait meanwhile. Where it does not start, and where a handler fails, the
    answer is a page that says why, in which file and line.

    The inspector is on unless a flag says otherwise, and there is an API key for this run where none
    is set. The address, the port and what is watched are those of the start.
    """
    parse_reference(application)
    if edit:
        flags["inspector_edit"] = True
    settings = first_settings(flags)
    directories = absolute(reload_dir or (os.getcwd(),))
    environment = [sys.prefix] if any(is_below(sys.prefix, root) for root in directories) else []
    watched = Watched(
        directories,
        (*INCLUDED, *reload_include),
        reload_exclude,
        absolute((settings.data_dir, *environment)),
    )
    start = Start(
        application,
        {name: value for name, value in flags.items() if value is not None},
        secrets.token_urlsafe(KEY_BYTES),
        absolute((os.getcwd(), *directories)),
        first=True,
    )
    with listen(settings) as listening:
        url = listening_url(settings, listening)
        asyncio.run(supervise(start, listening, url, watched))


async def supervise(start: Start, listening: socket.socket, url: str, watched: Watched) -> None:
    """Run children on a socket until a signal. HostError: as `Supervisor.run` has it."""
    watcher = Watcher(watched)
    try:
        await Supervisor(start, listening, url, watcher, Terminal(watched)).run()
    finally:
        watcher.close()
