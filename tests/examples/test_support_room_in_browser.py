"""The support room as its people meet it: a real host, a customer's page and an agent's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..helpers.browser import Browser
from ..helpers.host_process import HostProcess

ONLINE = 'document.getElementById("status").dataset.state === "online"'
PEOPLE = """["customers", "agents"].map((id) => [...document.getElementById(id).children]
    .map((item) => item.textContent).sort().join()).join(" | ")"""
TICKET = """document.getElementById("heading").textContent + ": "
    + document.getElementById("ticket-status").textContent"""
COUNT = 'document.querySelectorAll("li[data-id]").length'
SHOWN = """[...document.querySelectorAll("li[data-id]")].map(
    (item) => item.querySelector("p")?.textContent ?? item.firstChild.textContent)"""
SAID = 'document.getElementById("typing").textContent'
TYPE = """(() => { const text = document.getElementById("text"); text.value = "x";
    text.dispatchEvent(new Event("input")); })()"""
NOTES = '[...document.querySelectorAll("li.note")].map((item) => item.textContent)'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    """The example, with agents."""
    environment = {"SUPPORT_AGENT_KEY": "key"}
    with HostProcess("examples.support_room:app", tmp_path / "state", environment) as process:
        yield process


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser, or the reason why there is none."""
    with Browser() as opened:
        yield opened


def enter(browser: Browser, host: HostProcess) -> None:
    """A customer and an agent at one ticket, who see each other."""
    for page in ("cleo", "ann"):
        browser.open(page, f"{host.url}/ticket/7", name=page)
        browser.wait_for(page, ONLINE)
    browser.evaluate("ann", 'document.getElementById("sign-in").open = true')
    browser.fill_and_send("ann", "Agent key", "another")
    browser.wait_for("ann", 'document.getElementById("wrong").textContent !== ""')
    browser.fill_and_send("ann", "Agent key", "key")
    for page in ("cleo", "ann"):
        browser.wait_for(page, f'{ONLINE} && {PEOPLE} === "cleo | ann"')


def save(browser: Browser, title: str, status: str) -> None:
    """What the agent does to give the ticket a title and a status."""
    select = f'document.getElementById("set-status").value = "{status}"'
    browser.evaluate("ann", select)
    browser.fill_and_send("ann", "Title", title)
    for page in ("cleo", "ann"):
        browser.wait_for(page, f'{TICKET} === "{title}: {status}"')


@pytest.mark.timeout(150)
def test_presence_typing_and_status_are_seen(host: HostProcess, browser: Browser) -> None:
    """Of customers and agents apart; who leaves is gone at once, who is lost after the grace."""
    enter(browser, host)
    assert browser.evaluate("cleo", 'document.getElementById("desk").hidden')
    browser.evaluate("cleo", TYPE)
    browser.wait_for("ann", f'{SAID} === "cleo is typing"')
    browser.wait_for("ann", f'{SAID} === ""')
    away = """(() => { const status = document.getElementById("availability");
        status.value = "away"; status.onchange(); })()"""
    browser.evaluate("ann", away)
    browser.wait_for("cleo", f'{PEOPLE} === "cleo | ann (away)"')

    browser.evaluate("ann", "live.close({ leave: false })")
    assert browser.evaluate("cleo", PEOPLE) == "cleo | ann (away)"
    browser.wait_for("cleo", f'{PEOPLE} === "cleo | "')
    assert browser.evaluate("cleo", NOTES)[-1] == "ann is gone: the connection was lost"
    browser.open("dan", f"{host.url}/ticket/7", name="dan")
    browser.wait_for("cleo", f'{PEOPLE} === "cleo,dan | "')
    browser.evaluate("dan", 'location.assign("about:blank")')
    browser.wait_for("cleo", f'{PEOPLE} === "cleo | "')
    assert browser.evaluate("cleo", NOTES)[-1] == "dan has left"


@pytest.mark.timeout(150)
def test_an_agent_keeps_changes_and_restores_a_ticket(host: HostProcess, browser: Browser) -> None:
    """Both see it, with a marker among the messages; the customer's page cannot do any of it."""
    enter(browser, host)
    browser.fill_and_send("cleo", "Message", "it rains <b>in</b>")
    save(browser, "Roof", "open")
    browser.evaluate("ann", 'document.getElementById("snapshot").click()')
    browser.wait_for("ann", '!document.getElementById("restore").disabled')
    save(browser, "Dry", "solved")
    browser.fill_and_send("ann", "Message", "it is dry")
    browser.wait_for("ann", f"{COUNT} === 3")
    browser.evaluate("ann", 'document.getElementById("restore").click()')
    for page in ("cleo", "ann"):
        browser.wait_for(page, f'{COUNT} === 4 && {TICKET} === "Roof: open"')
        assert browser.evaluate(page, SHOWN) == [
            "it rains <b>in</b>",
            "ann made a snapshot",
            "it is dry",
            "ann restored a snapshot",
        ]

    for refused in ('metadata({ title: "mine" })', 'publish({ type: "chat" })', "snapshot()"):
        error = browser.evaluate("cleo", f"live.{refused}.catch((error) => error.code)")
        assert error == "forbidden"
    host.kill()
    browser.evaluate("cleo", '[say("still here?"), say("hello?")].length')
    host.start()
    for page in ("cleo", "ann"):
        browser.wait_for(page, f"{COUNT} === 6")
        browser.wait_for(page, f'{ONLINE} && {PEOPLE} === "cleo | ann"')
    browser.open("eve", f"{host.url}/ticket/7", name="eve")
    browser.wait_for("eve", f'{COUNT} === 6 && {TICKET} === "Roof: open"')
    shown = browser.evaluate("eve", SHOWN)
    assert shown[-2:] == ["still here?", "hello?"]
    assert browser.evaluate("cleo", SHOWN) == browser.evaluate("ann", SHOWN) == shown
