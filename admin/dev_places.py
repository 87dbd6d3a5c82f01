"""A line of a source file, and what is around it: of a call, of an error in the file itself, of a
setting."""

from __future__ import annotations

import linecache
import os
import re
import traceback
from typing import TYPE_CHECKING

import msgspec

from ..runtime.settings import SETTINGS_FILE
from . import limits
from .dev_files import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE = re.compile(r"at line (\d+)")  # what tomllib says
KEY = re.compile(r"the key (\w+) is unknown|^settings: (\w+): ")
# What a terminal would obey, but for the ends of lines.
CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}


class Line(msgspec.Struct, frozen=True):
    """One line of a source file."""

    number: int
    text: str


class Place(msgspec.Struct, frozen=True):
    """A line of a file, what is around it, and the columns that are meant: from 0, the end not
    included; None: the whole line."""

    file: str
    line: int
    function: str | None
    excerpt: tuple[Line, ...]
    columns: tuple[int, int] | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of(frame: traceback.FrameSummary, root: str) -> Place:
    """The line of one call."""
    line = frame.lineno or 1
    lines = lines_of(frame.filename)
    columns = None
    if frame.colno is not None and frame.end_colno is not None and frame.end_lineno == line:
        # Python counts them in bytes.
        source = lines[line - 1].encode() if line <= len(lines) else b""
        start, end = (
            len(source[:at].decode(errors="ignore")) for at in (frame.colno, frame.end_colno)
        )
        columns = (start, end) if start < end else None
    filename = printable(relative(frame.filename, root))
    return Place(filename, line, frame.name, excerpt(lines, line), columns)


def syntax_place(error: SyntaxError, root: str) -> Place | None:
    """The line that cannot be parsed; None: it is in no file."""
    named = error.filename or parsed_file(error)
    if named is None:
        return None

    line = error.lineno or 1
    lines = lines_of(named) or [error.text or ""]
    columns = None
    if error.offset is not None and error.offset > 0:
        end = error.end_offset if error.end_lineno == error.lineno else None
        columns = (error.offset - 1, max(end or 0, error.offset + 1) - 1)
    filename = printable(relative(os.path.realpath(os.path.join(root, named)), root))
    return Place(filename, line, None, excerpt(lines, line), columns)


def parsed_file(error: SyntaxError) -> str | None:
    """The file that was being imported: an error about its bytes, and not its text, does not say."""
    path: object = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "source_to_code":
            path = frame.f_locals.get("path")
    return path if isinstance(path, str) else None


def settings_place(message: str, root: str) -> Place | None:
    """The line of `roomhost.toml` that a refusal is about; None: it is about something else."""
    if SETTINGS_FILE not in message:
        return None

    lines = lines_of(os.path.join(root, SETTINGS_FILE))
    said, key = LINE.search(message), KEY.search(message)
    number = int(said[1]) if said is not None else 1
    if key is not None:
        name = key[1] or key[2]
        stands = (at for at, text in enumerate(lines, 1) if text.lstrip().startswith(name))
        number = next(stands, 1)
    return Place(SETTINGS_FILE, number, None, excerpt(lines, number))


def printable(text: str) -> str:
    """Text that a terminal and UTF-8 can take, as long as it was: an error may quote what a client
    has sent."""
    return text.translate(CONTROLS).encode(errors="replace").decode()


def lines_of(filename: str) -> list[str]:
    """The lines of a file as it is now; none where it cannot be read."""
    linecache.checkcache(filename)
    return linecache.getlines(filename)


def excerpt(lines: Sequence[str], number: int) -> tuple[Line, ...]:
    """The lines around one, that counts from 1; none where there are none."""
    return tuple(
        _numbered(lines, number - limits.MAX_EXCERPT_LINES, number + limits.MAX_EXCERPT_LINES)
    )


def _numbered(lines: Sequence[str], first: int, last: int) -> Iterator[Line]:
    for number in range(max(first, 1), min(last, len(lines)) + 1):
        # One character for one: columns count them.
        text = printable(lines[number - 1].rstrip("\r\n").replace("\t", " "))
        yield Line(number, text[: limits.MAX_EXCERPT_CHARACTERS])
