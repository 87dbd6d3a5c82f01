"""A failure as a page, as text and as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from roomhost.admin.dev_failure import Failure
from roomhost.admin.dev_page import failure_response
from roomhost.admin.dev_places import Line, Place
from roomhost.admin.dev_text import failure_text

EVIL = "</pre><script>alert(1)</script>\"'&"
WHERE = Place(
    "demo.py", 2, "fetch", (Line(1, "x = 1"), Line(2, f"y = {EVIL}"), Line(3, "")), (4, 9)
)
CALLER = Place(f"{EVIL}.py", 7, EVIL, (Line(6, "before"), Line(7, "  call()"), Line(8, "after")))
RAISED = Place("/lib/json.py", 9, "loads", ())
FAILURE = Failure("ValueError", f"{EVIL}\nsecond line", WHERE, (CALLER,), RAISED, f"Trace\n{EVIL}")
BROWSER = [(b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8")]


async def body(failure: Failure, headers: list[tuple[bytes, bytes]], *, running: bool) -> str:
    """The answer's text."""
    return await failure_response(failure, headers, running=running).text()


class Elements(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_page_escapes_everything_and_loads_nothing() -> None:
    """Whatever is in the message, the source, the names."""
    page = await body(FAILURE, BROWSER, running=True)
    elements = Elements(page)
    assert not {"script", "link", "img", "iframe", "form"} & set(elements.names)
    for text in (f"{EVIL}\nsecond line", "demo.py:2 in fetch", f"Trace\n{EVIL}", f"{EVIL}.py:7"):
        assert text in elements.text
    assert "    2 y = </pre><script>" in elements.text
    assert "<u>&lt;/pre</u>" in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page


async def test_its_policy_allows_its_own_style_alone() -> None:
    """By hash; and nothing of it is kept."""
    response = failure_response(FAILURE, BROWSER, running=False)
    style = re.search(r"<style>(.*)</style>", await response.text(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert response.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.status == 500


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain; charset=utf-8"),
        (b"*/*", "text/plain; charset=utf-8"),
        (b"application/json", "application/problem+json"),
        (b"application/problem+json, */*", "application/problem+json"),
        (b"text/html", "text/html; charset=utf-8"),
    ],
)
async def test_the_answer_is_what_was_asked_for(accept: bytes | None, kind: str) -> None:
    """Text for a terminal, a problem for a program, a page for a browser."""
    headers = [] if accept is None else [(b"accept", accept)]
    response = failure_response(FAILURE, headers, running=False)
    assert response.headers["content-type"] == kind
    assert "demo.py:2" in await response.text()


async def test_a_problem_says_whether_the_application_runs() -> None:
    """By its code."""
    headers = [(b"accept", b"application/json")]
    problem = json.loads(await body(FAILURE, headers, running=True))
    assert (problem["status"], problem["code"]) == (500, "handler_failed")
    assert problem["message"] == f"ValueError: {EVIL} (demo.py:2)"
    assert json.loads(await body(FAILURE, headers, running=False))["code"] == "does_not_start"


def test_text_begins_with_what_and_where() -> None:
    """Then the lines around it, who called, and, where it is asked for, the whole traceback."""
    text = failure_text(FAILURE, everything=True).plain
    assert text == (
        f"ValueError: {EVIL}\nsecond line\n"
        "  demo.py:2 in fetch\n"
        "     1 | x = 1\n"
        f">    2 | y = {EVIL}\n"
        "       |     ^^^^^\n"
        "     3 |\n"
        "  raised by /lib/json.py:9 in loads\n"
        f"  called by {EVIL}.py:7 in {EVIL}\n"
        "    call()\n"
        f"\nTrace\n{EVIL}\n"
    )
    assert "Trace" not in failure_text(FAILURE).plain


def test_without_a_line_of_its_own_the_traceback_is_all_there_is() -> None:
    """In the terminal too; an error of ours has none."""
    assert failure_text(Failure("KeyError", "", traceback="Trace\n")).plain == "KeyError\n\nTrace\n"
    assert failure_text(Failure("HostError", "do this")).plain == "HostError: do this\n"
