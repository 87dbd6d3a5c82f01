"""The editor as people meet it: a real host, real browsers, real keys, a real kill."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..helpers.browser import REPOSITORY, Browser
from ..helpers.host_process import HostProcess

PAGES = ("ann", "bob")
STATE = 'document.getElementById("status").dataset.state'
SAVED = f'{STATE} === "saved"'
TEXT = "view.state.doc.toString()"
PEOPLE = """[...document.querySelectorAll("#people li")].map((item) => item.textContent)
    .sort().join()"""
CURSORS = """[...view.dom.querySelectorAll(".peer-name")].map((label) => label.textContent)
    .sort().join()"""
SELECTED = """[...view.dom.querySelectorAll(".peer-selection")].map((mark) => mark.textContent)
    .join("")"""
LETTERS_OF_A_PAGE = 300
TYPED = "0123456789" * (LETTERS_OF_A_PAGE // 10)
# Types as fast as a page can, each letter in an update of its own: before the mark, or at the end.
STREAM = """(() => {{
    let number = 0;
    const timer = setInterval(() => {{
        if (number === {count}) return clearInterval(timer);
        const from = {at_end} ? view.state.doc.length : view.state.doc.toString().indexOf("|");
        view.dispatch({{ changes: {{ from, insert: `${{number++ % 10}}` }}, userEvent: "input.type" }});
    }}, 5);
}})()"""


@pytest.fixture(scope="module")
def bundle() -> None:
    """What the page loads, built by its target of the Makefile; or the reason why there is none."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    if not (REPOSITORY / "node_modules" / ".bin" / "esbuild").exists():
        pytest.skip("esbuild is not installed: make clients")
    # As it is: what is installed is not the business of a test.
    command = ["make", "--old-file=node_modules/.installed", "build/editor.js"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def host(tmp_path: Path, bundle: None) -> Iterator[HostProcess]:
    """The example, as `make editor` runs it."""
    with HostProcess("examples.editor:app", tmp_path / "state") as process:
        yield process


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser, or the reason why there is none."""
    with Browser() as opened:
        yield opened


def enter(browser: Browser, host: HostProcess) -> None:
    """Two pages on one document, which see each other."""
    for page in PAGES:
        browser.open(page, f"{host.url}/notes", name=page)
    for page in PAGES:
        browser.wait_for(page, f'{SAVED} && {PEOPLE} === "ann,bob"')


def text_of(host: HostProcess) -> str:
    """The document as the host reads it."""
    with urllib.request.urlopen(f"{host.url}/notes/text", timeout=30) as response:
        text: bytes = response.read()
    return text.decode()


def stream(browser: Browser, page: str, *, at_end: bool) -> None:
    """Have a page type, and go on."""
    script = STREAM.format(count=LETTERS_OF_A_PAGE, at_end="true" if at_end else "false")
    browser.evaluate(page, script)


@pytest.mark.timeout(120)
def test_people_write_together_and_see_each_other(host: HostProcess, browser: Browser) -> None:
    """Cursors and selections carry names, follow a new one, and go with whoever goes."""
    enter(browser, host)
    browser.press("ann", "Text", *"größe 🙂", "Enter", *"<b>ann</b>")
    browser.wait_for("bob", f'{CURSORS} === "ann" && {TEXT} === "größe 🙂\\n<b>ann</b>"')
    browser.press("bob", "Text", "Home", "Shift+ArrowRight", "Shift+ArrowRight")
    browser.wait_for("ann", f'{CURSORS} === "bob" && {SELECTED} === "gr"')
    browser.press("bob", "Text", "Delete", *"Gr", "Control+z")
    browser.wait_for("ann", f'{TEXT} === "größe 🙂\\n<b>ann</b>"')  # of bob's own doing

    browser.fill_and_send("bob", "Your name", "eve")
    browser.wait_for("ann", f'{CURSORS} === "eve" && {PEOPLE} === "ann,eve"')
    browser.wait_for("bob", SAVED)
    browser.evaluate("bob", 'location.assign("about:blank")')
    browser.wait_for("ann", f'{CURSORS} === "" && {PEOPLE} === "ann"')

    browser.open("dan", f"{host.url}/other", name="dan")
    browser.wait_for("dan", f'{SAVED} && {PEOPLE} === "dan" && {TEXT} === ""')


@pytest.mark.timeout(150)
def test_nothing_is_lost_when_the_host_is_killed(host: HostProcess, browser: Browser) -> None:
    """kill -9 while both write, at both ends: they write on without it, the pages come back with
    grants of their own, and all of it is there once, in both, on the host, and for who comes later."""
    enter(browser, host)
    browser.press("ann", "Text", "|")
    browser.wait_for("bob", f'{TEXT} === "|"')
    tokens = {page: browser.evaluate(page, "provider.protocols[1]") for page in PAGES}
    for page in PAGES:
        stream(browser, page, at_end=page == "bob")
    browser.wait_for("ann", f"{TEXT}.length >= 60")
    host.kill()
    for page in PAGES:
        browser.wait_for(page, f'{STATE} === "offline" && {CURSORS} === ""')
        browser.wait_for(page, f"{TEXT}.length >= {LETTERS_OF_A_PAGE}")
    assert browser.evaluate("ann", TEXT) != browser.evaluate("bob", TEXT)
    host.start()
    for page in PAGES:
        browser.wait_for(page, f'{SAVED} && {TEXT} === "{TYPED}|{TYPED}"')
        assert browser.evaluate(page, "provider.protocols[1]") != tokens[page]
        browser.wait_for(page, f'{PEOPLE} === "ann,bob"')
    browser.wait_for("bob", f'{CURSORS} === "ann"')
    assert text_of(host) == f"{TYPED}|{TYPED}"

    host.kill()  # what a page has called saved is on disk
    host.start()
    assert text_of(host) == f"{TYPED}|{TYPED}"
    browser.open("later", f"{host.url}/notes", name="later")
    browser.wait_for("later", f'{SAVED} && {TEXT} === "{TYPED}|{TYPED}"')
