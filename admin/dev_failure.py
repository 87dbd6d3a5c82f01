"""Why an application does not start, or a handler has raised: in which file and line, for people."""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import traceback
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

import msgspec

from ..runtime import HostError
from ..runtime.settings import SETTINGS_FILE
from ..storage import DataDirectoryError
from . import limits
from .dev_files import is_below, relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE = re.compile(r"at line (\d+)")  # what tomllib says
KEY = re.compile(r"the key (\w+) is unknown")
LIBRARIES = frozenset({"site-packages", "dist-packages"})
PACKAGES = ("actors", "admin", "bindings", "runtime", "storage")
STANDARD = os.path.realpath(sysconfig.get_path("stdlib"))
SPECS = [find_spec(f"roomhost.{name}") for name in PACKAGES]  # which imports none of them
OURS = [os.path.realpath(os.path.dirname(spec.origin or "")) for spec in SPECS if spec is not None]


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


class Failure(msgspec.Struct, frozen=True):
    """`kind`: the error's class, or what failed. `where`: the innermost line of the application's own
    code, None: no line is to blame. `frames`: the way there through its own code, the outermost call
    first, `where` not included. `raised`: the library's line, where a library raised it. `traceback`:
    everything, as Python prints it; empty where it says nothing more."""

    kind: str
    message: str
    where: Place | None = None
    frames: tuple[Place, ...] = ()
    raised: Place | None = None
    traceback: str = ""

    @property
    def summary(self) -> str:
        """One line: what, and where."""
        first = self.message.partition("\n")[0]
        said = f"{self.kind}: {first}" if first else self.kind
        return said if self.where is None else f"{said} ({self.where})"


def failure_of(error: BaseException, roots: Sequence[str]) -> Failure:
    """What there is to say about an error. `roots`: the directories of the application's code, absolute,
    the current one first."""
    root = roots[0]
    error = only_one(error)
    known = isinstance(error, (HostError, DataDirectoryError))
    cause = error.__cause__ or error if known else error
    frames = frames_of(cause)
    places = [place_of(frame, root) for frame in frames]
    own = [
        place for place, frame in zip(places, frames, strict=True) if is_own(frame.filename, roots)
    ]
    if isinstance(cause, SyntaxError):
        return _syntax_failure(cause, own, root)

    if known and not own:
        return Failure(type(error).__name__, str(error), settings_place(str(error), root))

    where = own.pop() if own else None
    raised = places[-1] if where is not None and places[-1] != where else None
    text = "".join(traceback.format_exception(cause))[-limits.MAX_TRACEBACK_CHARACTERS :]
    message = message_of(cause)[: limits.MAX_FAILURE_CHARACTERS]
    frames_shown = tuple(own[-limits.MAX_SHOWN_FRAMES :])
    return Failure(type(cause).__qualname__, message, where, frames_shown, raised, text)


def _syntax_failure(error: SyntaxError, own: list[Place], root: str) -> Failure:
    where = syntax_place(error, root)
    # How Python came to parse it is of use only where the application's own code imports it.
    text = "".join(traceback.format_exception(error)) if own or where is None else ""
    return Failure(
        type(error).__qualname__,
        error.msg[: limits.MAX_FAILURE_CHARACTERS],
        where,
        tuple(own[-limits.MAX_SHOWN_FRAMES :]),
        None,
        text[-limits.MAX_TRACEBACK_CHARACTERS :],
    )


def message_of(error: BaseException) -> str:
    """What an error says, with its notes, and what Python thinks was meant."""
    lines = traceback.TracebackException.from_exception(error).format_exception_only()
    return "".join(lines).partition(f"{type(error).__qualname__}: ")[2].rstrip("\n")


def only_one(error: BaseException) -> BaseException:
    """The error itself, or the only one of a group."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        if len(group.exceptions) != 1:
            return group

        error = group.exceptions[0]
    return error


def frames_of(error: BaseException) -> list[traceback.FrameSummary]:
    """Where an error came through, the outermost first; without the import system's own."""
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen ")
    ]


def is_own(filename: str, roots: Sequence[str]) -> bool:
    """Whether a file is the application's, and no library's."""
    if filename.startswith("<"):
        return False

    path = os.path.realpath(os.path.join(roots[0], filename))
    own = any(is_below(path, root) for root in roots)
    libraries = any(is_below(path, folder) for folder in (*OURS, STANDARD))
    return own and not libraries and LIBRARIES.isdisjoint(path.split(os.sep))


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
    return Place(relative(frame.filename, root), line, frame.name, excerpt(lines, line), columns)


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
    filename = relative(os.path.realpath(os.path.join(root, named)), root)
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
    if not message.startswith(SETTINGS_FILE):
        return None

    lines = lines_of(os.path.join(root, SETTINGS_FILE))
    said, key = LINE.search(message), KEY.search(message)
    number = int(said[1]) if said is not None else 1
    if key is not None:
        stands = (at for at, text in enumerate(lines, 1) if text.lstrip().startswith(key[1]))
        number = next(stands, 1)
    return Place(SETTINGS_FILE, number, None, excerpt(lines, number))


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
        text = (
            lines[number - 1].rstrip("\r\n").replace("\t", " ")
        )  # one for one: columns count them
        yield Line(number, text[: limits.MAX_EXCERPT_CHARACTERS])
