"""A failure as text: for the terminal, for `curl`, and for whoever reads a page's source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dev_failure import Failure
    from .dev_places import Place

HEAD, WHERE, CODE, MARKED, PLAIN = "bold red", "bold cyan", "dim", "bold", ""
EXCERPT_STYLES = {True: MARKED, False: CODE}


def failure_text(failure: Failure, *, everything: bool = False) -> Text:
    """Its lines, with styles. `everything`: with what went through libraries too."""
    text = Text()
    for style, line in _lines(failure):
        text.append(f"{line}\n", style)
    if failure.traceback and (everything or failure.where is None):
        text.append(f"\n{failure.traceback.rstrip()}\n", CODE)
    return text


def _lines(failure: Failure) -> Iterator[tuple[str, str]]:
    yield HEAD, f"{failure.kind}: {failure.message}" if failure.message else failure.kind
    if failure.where is not None:
        yield from _place(failure.where, "")
        for line in failure.where.excerpt:
            marked = line.number == failure.where.line
            shown = f"{'>' if marked else ' '}{line.number:5} | {line.text}".rstrip()
            yield EXCERPT_STYLES[marked], shown
            if marked and failure.where.columns is not None:
                start, end = failure.where.columns
                yield HEAD, f"       | {' ' * start}{'^' * (end - start)}"
    if failure.raised is not None:
        yield from _place(failure.raised, "raised by ")
    for frame in reversed(failure.frames):
        yield from _place(frame, "called by ")
        for line in frame.excerpt:
            if line.number == frame.line:
                yield CODE, f"    {line.text.strip()}"


def _place(place: Place, before: str) -> Iterator[tuple[str, str]]:
    function = "" if place.function in (None, "<module>") else f" in {place.function}"
    yield WHERE, f"  {before}{place}{function}"
