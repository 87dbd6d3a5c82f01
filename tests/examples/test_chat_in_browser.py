"""The chat as a person meets it: a real host, real browsers, a real kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..helpers.browser import Browser
from ..helpers.host_process import HostProcess

MESSAGES_OF_A_PAGE = 100
PAGES = ("ann", "bob", "eve")
SHOWN = """[...document.querySelectorAll("li[data-id]")].map(
    (item) => [item.dataset.id, item.querySelector("p").textContent])"""
COUNT = 'document.querySelectorAll("li[data-id]").length'
ONLINE = 'document.getElementById("status").dataset.state === "online"'
PEOPLE = """[...document.querySelectorAll("#people li")].map((item) => item.textContent)
    .sort().join()"""
STREAM = """(() => {{
    let number = 0;
    const timer = setInterval(() => {{
        if (number === {count}) return clearInterval(timer);
        say("{who} " + ++number);
    }}, 10);
}})()"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    """The example, as `make serve` runs it."""
    with HostProcess("examples.chat:app", tmp_path / "state") as process:
        yield process


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser, or the reason why there is none."""
    with Browser() as opened:
        yield opened


def enter(browser: Browser, host: HostProcess) -> None:
    """Three pages in one room, which see each other."""
    for page in PAGES:
        browser.open(page, host.url, name=page)
    for page in PAGES:
        browser.wait_for(page, f'{ONLINE} && {PEOPLE} === "ann,bob,eve"')


@pytest.mark.timeout(120)
def test_people_meet_talk_rename_and_leave(host: HostProcess, browser: Browser) -> None:
    """What one types, the others read; who types, who is here and who has gone is seen at once."""
    enter(browser, host)
    browser.fill_and_send("ann", "Message", "hello <b>bob</b>, größe 🙂")
    for page in PAGES:
        browser.wait_for(page, f"{COUNT} === 1")
        assert browser.evaluate(page, SHOWN)[0][1] == "hello <b>bob</b>, größe 🙂"
    typed = 'new Event("input")'
    browser.evaluate(
        "bob",
        f'(() => {{ const text = document.getElementById("text"); text.value = "x"; '
        f"text.dispatchEvent({typed}); }})()",
    )
    said = 'document.getElementById("typing").textContent'
    browser.wait_for("ann", f'{said} === "bob is typing"')
    browser.wait_for("ann", f'{said} === ""')

    browser.fill_and_send("eve", "Your name", "mallory")
    browser.evaluate("eve", 'document.getElementById("name").blur()')
    browser.wait_for("ann", f'{PEOPLE} === "ann,bob,mallory"')
    browser.evaluate("bob", 'location.assign("about:blank")')
    browser.wait_for("ann", f'{PEOPLE} === "ann,mallory"')


@pytest.mark.timeout(150)
def test_nothing_is_lost_or_doubled_when_the_host_is_killed(
    host: HostProcess, browser: Browser
) -> None:
    """kill -9 in the middle of two streams: the pages go on by themselves, and every message is
    there once, in one order, also for a page that comes later."""
    enter(browser, host)
    for page in ("ann", "bob"):
        browser.evaluate(page, STREAM.format(count=MESSAGES_OF_A_PAGE, who=page))
    browser.wait_for("eve", f"{COUNT} >= 30")
    host.kill()
    everything = 2 * MESSAGES_OF_A_PAGE
    assert browser.evaluate("eve", COUNT) < everything, "the streams had ended before the kill"
    seen = browser.evaluate("eve", SHOWN)
    host.start()
    for page in PAGES:
        browser.wait_for(page, f"{COUNT} === {everything}")
        browser.wait_for(page, 'document.querySelectorAll("li.waiting").length === 0')
    shown = browser.evaluate("eve", SHOWN)
    assert shown[: len(seen)] == seen
    assert {text for _, text in shown} == {
        f"{who} {number}" for who in ("ann", "bob") for number in range(1, MESSAGES_OF_A_PAGE + 1)
    }
    assert browser.evaluate("ann", SHOWN) == browser.evaluate("bob", SHOWN) == shown
    for page in PAGES:
        browser.wait_for(page, f'{PEOPLE} === "ann,bob,eve"')

    browser.open("later", host.url, name="later")
    browser.wait_for("later", f"{COUNT} === 50")
    assert browser.evaluate("later", SHOWN) == shown[-50:]
    browser.evaluate("later", 'document.getElementById("older").click()')
    browser.wait_for("later", f"{COUNT} === 100")
    assert browser.evaluate("later", SHOWN) == shown[-100:]
