"""The chat as a person meets it: a real host, a real browser, a real kill."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from ..helpers.browser import Browser
from ..helpers.host_process import HostProcess

MESSAGES_OF_A_PAGE = 300
SHOWN = """[...document.querySelectorAll("li[data-seq]")].map(
    (item) => [Number(item.dataset.seq), item.dataset.id, item.querySelector("p").textContent])"""
ONLINE = 'document.getElementById("status").dataset.state === "online"'

# Speaks without a pause for an answer: the next message follows the last by a few milliseconds.
STREAM = """(() => {{
    let number = 0;
    const timer = setInterval(() => {{
        if (number === {count}) return clearInterval(timer);
        say("{who} " + ++number);
    }}, 4);
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


def history(host: HostProcess, room: str) -> list[dict[str, Any]]:
    """Every message of a room, from its storage."""
    url = host.url.replace("http:", "ws:")
    found: list[dict[str, Any]] = []
    with connect(f"{url}/room/{room}/socket?name=reader&after=0") as socket:
        while (frame := json.loads(socket.recv(timeout=30)))["type"] == "message":
            found.append(frame)
    return found


def test_the_front_page_leads_to_a_room_where_two_people_talk(
    host: HostProcess, browser: Browser
) -> None:
    """What one types, the other reads, with the name of who said it."""
    browser.open("ann", host.url, name="ann")
    browser.open("bob", f"{host.url}/room/lobby", name="bob")
    browser.wait_for("ann", 'document.getElementById("people").textContent === "ann, bob"')
    browser.fill_and_send("ann", "Message", "hello <b>bob</b>")
    browser.wait_for("bob", 'document.querySelectorAll("li[data-seq]").length === 1')
    browser.fill_and_send("bob", "Message", "hello ann, größe 🙂")
    browser.wait_for("ann", 'document.querySelectorAll("li[data-seq]").length === 2')

    for page in ("ann", "bob"):
        texts = [text for _, _, text in browser.evaluate(page, SHOWN)]
        assert texts == ["hello <b>bob</b>", "hello ann, größe 🙂"]


@pytest.mark.timeout(150)
def test_nothing_a_page_has_seen_is_lost_when_the_host_is_killed(
    host: HostProcess, browser: Browser
) -> None:
    """kill -9 in the middle of two streams: what was echoed is stored, the pages go on by
    themselves, and every message is there once, in one order."""
    room = f"{host.url}/room/lobby"
    for page in ("ann", "bob"):
        browser.open(page, room, name=page)
        browser.wait_for(page, ONLINE)
    for page in ("ann", "bob"):
        browser.evaluate(page, STREAM.format(count=MESSAGES_OF_A_PAGE, who=page))
    browser.wait_for("bob", 'document.querySelectorAll("li[data-seq]").length >= 50')
    host.kill()
    seen = {page: browser.evaluate(page, SHOWN) for page in ("ann", "bob")}
    for page in ("ann", "bob"):
        assert len(seen[page]) < 2 * MESSAGES_OF_A_PAGE, "the streams had ended before the kill"

    host.start()
    stored = {(message["seq"], message["id"]) for message in history(host, "lobby")}
    for page in ("ann", "bob"):
        assert {(seq, message_id) for seq, message_id, _ in seen[page]} <= stored

    everything = 2 * MESSAGES_OF_A_PAGE
    for page in ("ann", "bob"):
        browser.wait_for(page, f'document.querySelectorAll("li[data-seq]").length === {everything}')
        browser.wait_for(page, "waiting.size === 0")
    expected = {
        f"{who} {number}" for who in ("ann", "bob") for number in range(1, MESSAGES_OF_A_PAGE + 1)
    }
    for page in ("ann", "bob"):
        shown = browser.evaluate(page, SHOWN)
        assert [seq for seq, _, _ in shown] == list(range(1, everything + 1))
        assert {text for _, _, text in shown} == expected
    assert browser.evaluate("ann", SHOWN) == browser.evaluate("bob", SHOWN)

    browser.fill_and_send("ann", "Message", "still here")
    browser.wait_for(
        "bob", 'document.getElementById("messages").textContent.includes("still here")'
    )


def test_a_page_leaves_a_connection_that_answers_no_ping(
    host: HostProcess, browser: Browser
) -> None:
    """A host that hangs closes nothing; what was typed meanwhile arrives when it goes on, once."""
    browser.open("ann", host.url, name="ann")
    browser.wait_for("ann", ONLINE)
    os.kill(host.pid, signal.SIGSTOP)
    browser.evaluate("ann", "check()")  # asks
    browser.evaluate("ann", "heard = false; check()")  # and was not answered
    browser.wait_for("ann", 'document.getElementById("status").dataset.state === "reconnecting"')
    browser.fill_and_send("ann", "Message", "is anybody there?")
    os.kill(host.pid, signal.SIGCONT)
    browser.wait_for("ann", "waiting.size === 0")
    assert [message["text"] for message in history(host, "lobby")] == ["is anybody there?"]


def test_a_page_starts_over_when_the_room_was_restored_from_before(
    host: HostProcess, browser: Browser, tmp_path: Path
) -> None:
    """It shows what the room has, and what is written then, though its numbers are old ones."""
    browser.open("ann", host.url, name="ann")
    browser.wait_for("ann", ONLINE)
    for number in range(1, 4):
        browser.fill_and_send("ann", "Message", f"lost {number}")
        browser.wait_for("ann", f"seen === {number}")
    host.kill()
    host.data_dir = tmp_path / "restored"
    host.start()
    browser.wait_for("ann", ONLINE)
    browser.fill_and_send("ann", "Message", "new")
    browser.wait_for("ann", "waiting.size === 0")
    assert [text for _, _, text in browser.evaluate("ann", SHOWN)] == ["new"]
