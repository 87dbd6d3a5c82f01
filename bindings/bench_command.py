"""`roomhost bench`: throughput and latency of rooms on this machine, of your application or a built-in
one."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import uvloop
from rich.console import Console

from ..runtime import HostError, load_settings
from ..runtime.commands import load_application
from . import limits
from .app import App
from .bench_app import app as bench_app
from .bench_plot import check_plot, plot
from .bench_rows import report, table
from .bench_run import Options, builtin_rows, run, socket_rows, target_rows
from .bench_sockets import Sockets
from .bench_target import target_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from .bench_run import Measure

WIDTH = 120  # characters of a table that goes into a file


@click.command()
@click.argument("application", metavar="[MODULE:APP]", required=False)
@click.option("--binding", help="What to measure of MODULE:APP. [its only binding]")
@click.option(
    "--call",
    metavar="METHOD[:JSON]",
    help="The method to call, and its arguments: a list, an object of keywords, or one value.",
)
@click.option(
    "--socket",
    metavar="PATH",
    help="Measure WebSockets too, at this path, in which {room} is a room's name.",
)
@click.option("--message", default="hello", show_default=True, help="What a socket says.")
@click.option("--header", "headers", metavar="NAME:VALUE", multiple=True, help="Of a socket.")
@click.option(
    "--callers",
    type=click.IntRange(1, limits.MAX_BENCH_CALLERS),
    default=64,
    show_default=True,
    help="Calls at once.",
)
@click.option(
    "--rooms",
    type=click.IntRange(1, limits.MAX_BENCH_ROOMS),
    default=100,
    show_default=True,
    help="Rooms that they go to in turns.",
)
@click.option(
    "--sockets",
    type=click.IntRange(1, limits.MAX_BENCH_SOCKETS),
    default=100,
    show_default=True,
    help="WebSockets of one room.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, limits.MAX_BENCH_SECONDS, min_open=True),
    default=3.0,
    show_default=True,
    help="That each row is measured.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="An empty or new directory, which is kept. [a temporary one beside you]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
@click.option(
    "--plot",
    "picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the rows into a PNG; needs roomhost[bench].",
)
def bench(application: str | None, **given: Any) -> None:
    """Measure rooms on this machine: calls, durable calls, activation, memory, WebSockets.

    Without MODULE:APP it measures a built-in application. With one, what its rooms do:

    \b
      roomhost bench demo:app --call increment:[2]
      roomhost bench demo:app --binding CHAT --call post:'{"text": "hi"}' --socket /chat/{room}/
      roomhost bench collab:app --binding COLLAB         messages that a realtime module publishes

    Durable calls wait for the disk of the current directory, or of --data-dir. Sockets are real
    ones, from another process; where one of a room speaks and all hear it, that is fan-out, and where
    only the speaker hears it, all of them speak. With --socket alone nothing else is measured.
    """
    if given["picture"] is not None:
        check_plot(given["picture"])
    options = Options(**{name: given[name] for name in ("callers", "rooms", "sockets", "seconds")})
    app, rows = (
        builtin(given, options) if application is None else named(application, given, options)
    )
    with directory(given["data_dir"]) as path:
        settings = load_settings({"data_dir": str(path)})
        found = uvloop.run(run(app, settings, rows, options.seconds))

    if given["as_json"]:
        click.echo(
            msgspec.json.format(msgspec.json.encode(report(app.name, asdict(options), found)))
        )
    else:
        console = Console()
        shown = Console(width=console.width if console.is_terminal else WIDTH)
        shown.print(table(f"roomhost bench: {app.name}", found))
    if given["picture"] is not None:
        plot(f"roomhost bench: {app.name}", found, given["picture"])


def builtin(given: dict[str, Any], options: Options) -> tuple[App, list[Measure]]:
    """The built-in application, and its rows. HostError: an option is for another one."""
    for name in ("binding", "call", "socket", "headers"):
        if given[name]:
            raise HostError(f"--{name.removesuffix('s')} is for an application: name MODULE:APP")

    return bench_app, builtin_rows(options)


def named(reference: str, given: dict[str, Any], options: Options) -> tuple[App, list[Measure]]:
    """The application of this name, and the rows that are asked for. HostError: none is, or what
    is asked for is not there."""
    app = application_of(reference)
    sockets = sockets_of(given, options)
    rows = [] if sockets is None else socket_rows(sockets, options)
    if sockets is None or given["binding"] is not None or given["call"] is not None:
        rows = [*target_rows(target_of(app, given["binding"], given["call"]), options), *rows]
    return app, rows


def application_of(reference: str) -> App:
    """The application of this name. HostError: there is none."""
    app = load_application(reference)
    if not isinstance(app, App):
        raise HostError(f"{reference} is no roomhost App")

    return app


def sockets_of(given: dict[str, Any], options: Options) -> Sockets | None:
    """The WebSockets that are asked for, if any. HostError: no path, or no header."""
    path: str | None = given["socket"]
    if path is None:
        return None

    if not path.startswith("/") or any(character.isspace() for character in path):
        raise HostError(f"--socket is a path, as in /chat/{{room}}/, not {path!r}")

    headers = dict(header_of(text) for text in given["headers"])
    return Sockets(path, options.sockets, message=given["message"], headers=headers)


def header_of(text: str) -> tuple[str, str]:
    """A header's name and value. HostError: it is none."""
    name, colon, value = text.partition(":")
    if not name or not colon or not text.isprintable():
        raise HostError(f"--header is NAME:VALUE, not {text!r}")

    return name.strip(), value.strip()


@contextlib.contextmanager
def directory(given: Path | None) -> Generator[Path]:
    """Where the rooms are stored: the empty directory that was named, or one that is removed."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="roomhost-bench-", dir=Path.cwd()) as temporary:
            yield Path(temporary)
    elif given.exists() and any(given.iterdir()):
        raise HostError(f"--data-dir: {given} is not empty; name a new directory, this one writes")
    else:
        yield given
