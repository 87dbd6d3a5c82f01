"""Why an application does not start, or a handler has raised: in which file and line, for people."""

from __future__ import annotations

import os
import sysconfig
import traceback
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

import msgspec

from ..runtime import HostError
from ..storage import DataDirectoryError
from . import limits
from .dev_files import is_below
from .dev_places import Place, place_of, printable, settings_place, syntax_place

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_STARTED = "Not started"  # the kind of a failure that the host has words for
LIBRARIES = frozenset({"site-packages", "dist-packages"})
PACKAGES = ("actors", "admin", "bindings", "runtime", "storage")
STANDARD = os.path.realpath(sysconfig.get_path("stdlib"))
SPECS = [find_spec(f"roomhost.{name}") for name in PACKAGES]  # which imports none of them
OURS = [os.path.realpath(os.path.dirname(spec.origin or "")) for spec in SPECS if spec is not None]


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
        message = printable(str(error))[: limits.MAX_FAILURE_CHARACTERS]
        return Failure(NOT_STARTED, message, settings_place(message, root))

    where = own.pop() if own else None
    raised = places[-1] if where is not None and places[-1] != where else None
    text = printable("".join(traceback.format_exception(cause)))[-limits.MAX_TRACEBACK_CHARACTERS :]
    message = printable(message_of(cause))[: limits.MAX_FAILURE_CHARACTERS]
    frames_shown = tuple(own[-limits.MAX_SHOWN_FRAMES :])
    return Failure(type(cause).__qualname__, message, where, frames_shown, raised, text)


def _syntax_failure(error: SyntaxError, own: list[Place], root: str) -> Failure:
    where = syntax_place(error, root)
    # How Python came to parse it is of use only where the application's own code imports it.
    text = printable("".join(traceback.format_exception(error))) if own or where is None else ""
    return Failure(
        type(error).__qualname__,
        printable(error.msg)[: limits.MAX_FAILURE_CHARACTERS],
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
    # A compiled module may have been told any name.
    own = any(is_below(path, root) for root in roots) and os.path.exists(path)
    libraries = any(is_below(path, folder) for folder in (*OURS, STANDARD))
    return own and not libraries and LIBRARIES.isdisjoint(path.split(os.sep))
