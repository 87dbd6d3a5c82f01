"""`roomhost export` and `roomhost import`: one object, in a file."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING, Any, cast

import click
import msgspec

from ..runtime import HostError
from . import limits
from .export_object import FORMAT_VERSION
from .options import confirm, json_option, target_options, yes_option
from .tables import note, show_json, shown_bytes, shown_name
from .target import open_target

if TYPE_CHECKING:
    from collections.abc import Generator

STANDARD = "-"
LINES = msgspec.json.Decoder(dict[str, Any])


@click.command("export")
@click.argument("binding")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@target_options
def export(binding: str, name: str, file: str | None, **given: Any) -> None:
    """Write one object into a file.

    Into FILE, or to standard output: its entries as they are stored at one moment, and its alarm.
    Each line is a JSON object: the first says whose entries follow, the others hold a key and its
    encoded value in base64. NAME as in `roomhost inspect`. WebSockets are not part of it.

    \b
      roomhost export COUNTER a a.ndjson
      roomhost export COUNTER a | gzip > a.ndjson.gz
    """
    header: dict[str, Any] = {}
    with (
        open_target(given["data_dir"], given["url"], given["api_key"]) as target,
        output(file) as out,
    ):
        for line in target.stream("export", binding=binding, name=name):
            if "header" in line:
                header = line["header"]
            if "result" not in line:
                out.write(msgspec.json.encode(next(iter(line.values()))) + b"\n")
    if file not in (None, STANDARD):
        note(f"{_named(header)}: {_counted(header)} in {file}")


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--binding", help="Where to, when not where it was.")
@click.option("--force", is_flag=True, help="Replace what the object holds, all of it.")
@yes_option
@json_option
@target_options
def import_(
    file: str, binding: str | None, force: bool, yes: bool, as_json: bool, **given: Any
) -> None:
    """Read one object from a file.

    FILE is what `roomhost export` wrote; `-` is standard input. All of it becomes durable in one
    step, or nothing does. An object that holds something is left alone without --force, which
    replaces its entries and its alarm, and asks first. An alarm that is overdue runs at once where
    the host runs.

    \b
      roomhost import a.ndjson
      roomhost import a.ndjson --force --yes
    """
    header, entries = read_file(file)
    if force:
        confirm(f"Replace all that {_named(header)} holds?", yes)
    with open_target(given["data_dir"], given["url"], given["api_key"]) as target:
        done = target.call(
            "import",
            roomhost_object=header["roomhost_object"],
            binding=binding or header["namespace"],
            id=header["id"],
            name=header.get("name"),
            alarm_ms=header.get("alarm_ms"),
            entries=entries,
            force=force or None,
        )
    if as_json:
        show_json(done)
    else:
        click.echo(
            f"{_named(done)}: {_counted(done)} {'replaced' if done['replaced'] else 'stored'}"
        )


def read_file(file: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The header and the entries of a file. HostError: it is none of `export`, or not whole."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_opened(file))
        data = source.read(limits.MAX_IMPORT_BODY_BYTES + 1)
    if len(data) > limits.MAX_IMPORT_BODY_BYTES:
        raise HostError(
            f"{file} is over {limits.MAX_IMPORT_BODY_BYTES} bytes: no object is so large"
        )

    try:
        lines = LINES.decode_lines(data)
        header = lines[0] if lines else {}
        entries = [(line["key"], line["value"]) for line in lines[1:]]
    except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError) as error:
        raise HostError(f"{file} is nothing that roomhost export wrote: {error}") from None

    if not {"roomhost_object", "namespace", "id", "entries"} <= header.keys():
        raise HostError(
            f"{file} is nothing that roomhost export wrote: its first line is no header"
        )

    if header["roomhost_object"] != FORMAT_VERSION:
        raise HostError(
            f"{file} has version {header['roomhost_object']} of the format, this roomhost reads "
            f"{FORMAT_VERSION}"
        )

    if header["entries"] != len(entries):
        raise HostError(
            f"{file} is not whole: it says {header['entries']} entries, and has {len(entries)}"
        )

    return header, entries


@contextlib.contextmanager
def output(file: str | None) -> Generator[IO[bytes]]:
    """Where to write: a file appears under its name when it is whole, not before."""
    if file in (None, STANDARD):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return

    assert file is not None
    draft = f"{file}.partial"
    try:
        # What is stored may be nobody else's to read.
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise HostError(f"{file} cannot be written: {error.strerror or error}") from None

    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        os.replace(draft, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def _opened(file: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if file == STANDARD:
        return contextlib.nullcontext(cast("IO[bytes]", sys.stdin.buffer))

    try:
        return open(file, "rb")
    except OSError as error:
        raise HostError(f"{file} cannot be read: {error.strerror or error}") from None


def _named(told: dict[str, Any]) -> str:
    return f"{told['namespace']} {shown_name(told.get('name'), told['id'])}"


def _counted(told: dict[str, Any]) -> str:
    count = told["entries"]
    return f"{count} {'entry' if count == 1 else 'entries'}, {shown_bytes(told['bytes'])},"
