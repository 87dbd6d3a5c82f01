"""A failure as a page, and as what else a client may have asked for. Everything in it is escaped; the
page loads nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from ..runtime import Response
from ..runtime.problems import problem
from .dev_text import failure_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .dev_failure import Failure
    from .dev_places import Place

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1b1b1f; --quiet: #63636e; --line: #e3e3e8;
  --code: #f5f5f7; --bad: #b3261e; --mark: #fde7e5 }
@media (prefers-color-scheme: dark) { :root { --back: #16161a; --text: #e8e8ed; --quiet: #9d9daa;
  --line: #33333b; --code: #1f1f25; --bad: #ff8a80; --mark: #4a2320 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { margin: .5rem 0; color: var(--bad); font-size: 1.3rem }
h2 { margin: 1.5rem 0 .25rem; font-size: 1rem; font-family: ui-monospace, monospace }
p { margin: .25rem 0 } .message { white-space: pre-wrap } small, summary { color: var(--quiet) }
pre { margin: .5rem 0; padding: .5rem 0; overflow-x: auto; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--code); font: .85rem/1.5 ui-monospace, monospace }
pre > span { display: block; width: max-content; min-width: 100%; padding: 0 .75rem }
pre > .marked { background: var(--mark) } pre i { color: var(--quiet); font-style: normal;
  user-select: none } pre u { color: var(--bad); font-weight: bold; text-decoration: wavy underline }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
STARTS = "It is tried again when a source file changes; this page is answered until then."
RUNS = "The application still runs: this is the answer to one request."


def failure_response(
    failure: Failure, headers: Iterable[tuple[bytes, bytes]], *, running: bool
) -> Response:
    """The answer to a request with these headers: 500 as a page, as JSON (RFC 9457), or as text.
    `running`: the application does, and a handler has failed."""
    accepted = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept")
    if "text/html" in accepted:
        page = failure_page(failure, RUNS if running else STARTS)
        page_headers = {**HEADERS, "content-type": "text/html; charset=utf-8"}
        return Response(page, status=500, headers=page_headers)

    if "json" in accepted:
        return problem(500, "handler_failed" if running else "does_not_start", failure.summary)

    text = failure_text(failure, everything=True).plain
    return Response(text, status=500, headers=HEADERS)


def failure_page(failure: Failure, status: str) -> str:
    """The page. `status`: a sentence about what happens next."""
    return "\n".join(_page(failure, status))


def _page(failure: Failure, status: str) -> Iterator[str]:
    kind = escape(failure.kind)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(failure.summary)}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f'<h1>{kind}</h1>\n<p class="message">{escape(failure.message)}</p>'
    if failure.where is not None:
        yield from _place(failure.where, "", whole=True)
    if failure.raised is not None:
        yield from _place(failure.raised, "raised by ", whole=False)
    for frame in reversed(failure.frames):
        yield from _place(frame, "called by ", whole=False)
    if failure.traceback:
        opened = " open" if failure.where is None else ""
        yield f"<details{opened}>\n<summary>Traceback, with libraries</summary>"
        yield f"<pre><span>{escape(failure.traceback)}</span></pre>\n</details>"
    yield f"<p><small>roomhost dev. {escape(status)}</small></p>\n</body>\n</html>\n"


def _place(place: Place, before: str, *, whole: bool) -> Iterator[str]:
    function = "" if place.function in (None, "<module>") else f" in {place.function}"
    yield f"<h2><small>{before}</small>{escape(str(place))}<small>{escape(function)}</small></h2>"
    lines = [line for line in place.excerpt if whole or line.number == place.line]
    if lines:
        code = "".join(_line(line.number, line.text, place) for line in lines)
        yield f"<pre>{code}</pre>"


def _line(number: int, text: str, place: Place) -> str:
    shown = escape(text)
    if number == place.line and place.columns is not None:
        start, end = place.columns
        before, meant, after = text[:start], text[start:end] or " ", text[end:]
        shown = f"{escape(before)}<u>{escape(meant)}</u>{escape(after)}"
    marked = ' class="marked"' if number == place.line else ""
    return f"<span{marked}><i>{number:5} </i>{shown}</span>"
