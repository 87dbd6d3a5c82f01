"""The inspector in headless Chromium: it shows what was put in, and does no more than it may.

One host and one browser serve all tests here. Whatever a page complains of fails the test.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from ..helpers.browser import Browser
from ..helpers.host_process import HostProcess
from ..helpers.inspector_app import HANDBOOK, HOSTILE, PAGES

KEY = "key"
ENVIRONMENT = {"ROOMHOST_API_KEYS": KEY, "ROOMHOST_INSPECTOR": "true"}
PLAYERS = (("Ada", "white"), ("Grace", "black"), ("Linus", "watching"))
TEXT = "(document.querySelector('main')?.innerText ?? '')"
NAMES = "[...document.querySelectorAll('tbody .name')].map((link) => link.textContent)"
KEYS = "[...document.querySelectorAll('table.entries th code')].map((key) => key.textContent)"
OPEN = "document.querySelector('dialog[open]') !== null"
LIVE = "document.querySelector('[role=status] .chip.dot')?.textContent === 'live'"
VIEWS = (
    "",
    "COUNTER",
    "TABLE/friday-night",
    f"TABLE/{quote(HOSTILE, safe='')}",
    "LIVE.rooms/general",
    "LIVE.rooms/handbook",
)
PICTURES = {
    "objects": ("COUNTER", 600, 1),
    "object": ("TABLE/friday-night", 900, 1),
    "room": ("LIVE.rooms/general", 900, 1),
    "document": ("LIVE.rooms/handbook", 700, 1),
    "live": ("", 600, 60),
}


class Stage:
    """The host, what plays on it, and the browser that looks at it."""

    def __init__(self, host: HostProcess, browser: Browser) -> None:
        self.host = host
        self.browser = browser
        self.sockets: list[ClientConnection] = []
        self._opened = 0

    def sit_down(self) -> None:
        """Three sockets at the table."""
        with ExitStack() as stack:
            for player, role in PLAYERS:
                url = f"{self.host.url}/table/friday-night/socket?player={player}&role={role}"
                self.sockets.append(stack.enter_context(connect(url.replace("http", "ws"))))
            self._stack = stack.pop_all()

    def stand_up(self) -> None:
        """No sockets any more."""
        self._stack.close()
        self.sockets.clear()

    def play(self, move: str) -> None:
        """A move, and back once everybody has heard of it."""
        self.sockets[0].send(move)
        for socket in self.sockets:
            assert socket.recv(timeout=10) == move

    @contextmanager
    def page(self, path: str, key: str = KEY) -> Generator[Page]:
        """The inspector at a path of its own, opened by a link with the key; it may not complain."""
        self._opened += 1
        opened = Page(self.browser, f"page {self._opened}")
        self.browser.open(opened.name, f"{self.host.url}/_inspector/#key={key}")
        opened.go(path)
        yield opened
        assert opened.complaints() == []
        self.browser.close(opened.name)


class Page:
    """A page of the browser, by its name."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.browser = browser
        self.name = name

    def go(self, path: str) -> None:
        """Follow a deep link."""
        self.evaluate(f"location.hash = {json.dumps('#/' + path)}")

    def evaluate(self, script: str) -> Any:
        """The value of a script."""
        return self.browser.evaluate(self.name, script)

    def until(self, script: str) -> None:
        """Wait for a script to be true."""
        self.browser.wait_for(self.name, script)

    def says(self, *texts: str) -> None:
        """Wait until each of these can be read."""
        for text in texts:
            self.until(f"{TEXT}.includes({json.dumps(text)})")

    def click(self, role: str, name: str) -> None:
        """Click by role and name."""
        self.browser.click(self.name, role, name)

    def complaints(self) -> list[str]:
        """What it complained of."""
        return self.browser.complaints(self.name)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A host with something in it, and a browser, or the reason why there is none."""
    data_dir = tmp_path_factory.mktemp("inspector") / "state"
    application = "tests.helpers.inspector_app:app"
    with Browser() as browser, HostProcess(application, data_dir, ENVIRONMENT) as host:
        assert httpx.post(f"{host.url}/counter/homepage/seed").status_code == 200
        stage = Stage(host, browser)
        stage.sit_down()
        yield stage
        stage.stand_up()


def test_a_key_is_asked_for_and_a_wrong_one_is_said(stage: Stage) -> None:
    """Without a key there is a form; a wrong one is refused in words; a right one stays in the tab."""
    stage.browser.open("keyless", f"{stage.host.url}/_inspector/")
    page = Page(stage.browser, "keyless")
    stage.browser.fill_and_send("keyless", "API key", "wrong")
    page.says("This is no API key of this host.")
    assert page.evaluate("document.activeElement.type") == "password"
    stage.browser.fill_and_send("keyless", "API key", "no header can carry this: ☃")
    page.says("This is no API key of this host.")
    stage.browser.fill_and_send("keyless", "API key", KEY)
    page.says("arcade", "COUNTER")
    stage.browser.reload("keyless")
    page.says("COUNTER")
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    page.click("button", "Forget key")
    page.says("API key")
    assert page.evaluate("sessionStorage.length") == 0
    assert page.complaints() == []


def test_the_key_of_a_link_leaves_the_address_at_once(stage: Stage) -> None:
    """Neither the address nor a step back shows it."""
    with stage.page("COUNTER") as page:
        page.until(f"{NAMES}.length > 0")
        page.evaluate("history.back()")
        page.says("arcade")
        assert KEY not in page.evaluate("location.href")


def test_objects_are_found(stage: Stage) -> None:
    """All, those whose name contains something, those with an alarm; links lead there and back."""
    with stage.page("COUNTER") as page:
        page.until(f"{NAMES}.length === 11")
        page.evaluate("document.querySelector('[type=search]').focus()")
        stage.browser.press(page.name, "Name contains", *"docs")
        page.until(f"{NAMES}.length === 4")
        assert page.evaluate("location.hash") == "#/COUNTER?contains=docs"
        page.click("checkbox", "With an alarm")
        page.until(f"{NAMES}.join() === 'docs/quick-start'")
        page.click("link", "docs/quick-start")
        page.says("visits", "2740", "int", "Alarm", "Failed runs")
        assert page.evaluate("location.hash") == "#/COUNTER/docs%2Fquick-start"
        page.evaluate("history.back()")
        page.until(f"{NAMES}.join() === 'docs/quick-start'")
        page.go("TABLE")
        page.until(f"{NAMES}.length === 50")
        page.click("link", "Next page")
        page.until(f"{NAMES}.length === 10")
        page.click("link", "First page")
        page.until(f"{NAMES}.length === 50")
        page.go("COUNTER?contains=nothing")
        page.says("No object here is like that.")
        page.go("COUNTER/absent")
        page.says("COUNTER has no object 'absent'")
        page.go("NOWHERE")
        page.says("no binding 'NOWHERE'")


def test_an_object_without_a_name_has_a_link_too(stage: Stage) -> None:
    """By its id, which the link of the list has."""
    with stage.page("COUNTER") as page:
        page.until(f"{NAMES}.length === 11")
        page.evaluate("document.querySelector('.name code').click()")
        page.says("visits", "7")
        assert page.evaluate("location.hash").startswith("#/COUNTER/:id/")


def test_an_object_is_shown_as_it_changes(stage: Stage) -> None:
    """Keys, decoded values, sizes, alarm, sockets; then a move, its event and its log by themselves."""
    with stage.page("TABLE/friday-night") as page:
        page.says("'Friday night, board 2'", "dict, 42 B", "Alarm", "in 59 min")
        page.says("white", "Ada", "{'player': 'Grace', 'rating': 1805}")
        page.until(LIVE)
        stage.play("b1c3")
        page.says("'b1c3'", "Ada plays b1c3")
        page.until("document.querySelector('table.events').innerText.includes('message')")
        stage.sockets[2].send("resign")
        page.says("ValueError")
        stage.browser.press(page.name, "Key begins with", *"pl")
        page.until("document.querySelectorAll('table.entries tbody tr').length === 1")
        page.says("players")


def test_a_room_is_shown(stage: Stage) -> None:
    """Members with presence, messages with pages, metadata, the text of a document."""
    with stage.page("LIVE.rooms/general") as page:
        page.says(
            "Grace", "typing", "Since last night. Try the harbour", "Deploy at noon", "active"
        )
        page.until(LIVE)
        say(stage, "It comes by itself")
        page.says("It comes by itself")
        page.go("LIVE.rooms/handbook")
        page.says(HANDBOOK.splitlines()[0], "1. A room that is slow", "326 characters", "column")
        page.evaluate("document.querySelector('select').focus()")
        stage.browser.press(page.name, "Part of the document", "ArrowDown")
        page.says("settings", "2026-11-20")
        page.go("LIVE.channels/deployments")
        page.until("document.querySelectorAll('.messages li').length === 50")
        page.click("link", "Older")
        page.until("document.querySelectorAll('.messages li').length === 10")
        page.click("link", "Object")
        page.until(f"{KEYS}.length === 50")
        page.click("link", "Next keys")
        page.until(f"{KEYS}.length < 50")


def test_what_strangers_wrote_stays_text(stage: Stage) -> None:
    """Names, keys, values, tags, attachments, messages: nothing of them is an element, or turns text."""
    shown = HOSTILE.replace("\u202e", "\\u202e")
    role = quote(HOSTILE)
    url = f"{stage.host.url}/table/{quote(HOSTILE, safe='')}/socket?player={role}&role={role}"
    with (
        connect(url.replace("http", "ws")) as socket,
        stage.page(f"TABLE?contains={quote(HOSTILE[:20])}") as page,
    ):
        page.says(shown)
        page.go(f"TABLE/{quote(HOSTILE, safe='')}")
        page.says(shown, "Sockets")
        page.until(LIVE)
        socket.send(HOSTILE)
        page.says(f"{shown} plays {shown}")
        page.go(f"LIVE.rooms/{quote(HOSTILE.replace(chr(0x202E), ''), safe='')}")
        page.says("Members", HOSTILE.partition("\u202e")[0])
        assert page.evaluate("document.querySelectorAll('img, body script').length") == 0
        assert page.evaluate(f"{TEXT}.includes('\\u202e')") is False


def test_the_policy_forbids_what_a_mistake_would_let_in(stage: Stage) -> None:
    """No HTML is made of a text, no inline style counts; and a page that tries complains."""
    attempt = "(() => { try { document.body.innerHTML = '<b>'; } catch (error) { return error.name; } })()"
    with stage.page("") as page:
        page.says("arcade")
        assert page.evaluate(attempt) == "TypeError"
        page.evaluate("document.body.setAttribute('style', 'opacity: 0.5')")
        assert page.evaluate("getComputedStyle(document.body).opacity") == "1"
        html, style = page.complaints()
        assert "TrustedHTML" in html
        assert "style-src" in style


def test_figures_come_by_themselves(stage: Stage) -> None:
    """Throughput, latency and memory, each in a chart with a name that says them."""
    labels = "[...document.querySelectorAll('.plot')].map((plot) => plot.ariaLabel)"
    with stage.page("") as page:
        page.until(f"{labels}.length === 3")
        assert page.evaluate(f"{labels}.map((label) => label.split(' ')[0]).join()") == (
            "Throughput:,Latency:,Memory:"
        )
        page.until("document.querySelectorAll('.plot canvas').length === 3")
        page.says("Events", "Median latency", "Sockets", "Counter")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_readable_on_a_phone(stage: Stage, dark: bool) -> None:
    """360 pixels wide no view scrolls sideways, and what is small has the contrast that it needs."""
    with stage.page("") as page:
        stage.browser.view(page.name, width=360, height=740, dark=dark)
        for view in VIEWS:
            page.go(view)
            page.until("document.querySelector('main table, main .messages, pre') !== null")
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
            contrast, text = page.evaluate(CONTRAST)
            assert contrast >= 4.5, (view, text)


# The least contrast (WCAG 2.2, 1.4.3) of a text and the first ground behind it, and that text.
CONTRAST = """(() => {
    const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = (text) => rgb(text).slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const solid = (text) => rgb(text).length === 3 || rgb(text)[3] === 1;
    const groundOf = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const ground = getComputedStyle(at).backgroundColor;
            if (solid(ground)) return ground;
        }
        return "rgb(255, 255, 255)";
    };
    return [...document.querySelectorAll("main *")]
        .filter((element) => [...element.childNodes].some(
            (node) => node.nodeType === 3 && node.data.trim()))
        .map((element) => {
            const both = [light(getComputedStyle(element).color), light(groundOf(element))];
            return [(Math.max(...both) + 0.05) / (Math.min(...both) + 0.05), element.outerHTML];
        })
        .sort(([one], [other]) => one - other)[0];
})()"""


def test_it_is_used_by_keyboard(stage: Stage) -> None:
    """The first stop leads to the content, each stop can be seen, a new view has the focus, and all that
    is asked has a name."""
    active = "document.activeElement"
    nameless = """[...document.querySelectorAll("input, select, button, a, table, [role=region]")]
        .filter((each) => !(each.ariaLabel || each.labels?.length || each.textContent.trim())).length"""
    with stage.page("COUNTER") as page:
        page.until(f"{NAMES}.length === 11")
        page.evaluate("document.body.setAttribute('tabindex', '-1'), document.body.focus()")
        stage.browser.press_key(page.name, "Tab")
        assert page.evaluate(f"{active}.textContent") == "To the content"
        stage.browser.press_key(page.name, "Enter")
        assert page.evaluate(f"{active}.id") == "main"
        stage.browser.press_key(page.name, "Tab")
        assert page.evaluate(f"getComputedStyle({active}).outlineStyle") == "solid"
        assert page.evaluate(nameless) == 0
        page.go("TABLE/friday-night")
        page.says("Storage")
        assert page.evaluate(f"{active}.id") == "main"
        assert page.evaluate("document.title").startswith("friday-night")
        assert page.evaluate(nameless) == 0


@pytest.mark.timeout(180)
def test_pictures_are_taken(stage: Stage, tmp_path: Path) -> None:
    """Of each view, light and dark, and one on a phone; into $SCREENSHOTS when it is set."""
    kept = os.environ.get("SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path
    folder.mkdir(exist_ok=True)
    with stage.page("") as page:
        for name, (view, height, samples) in PICTURES.items():
            page.go(view)
            if kept and samples > 1:
                play_on(stage, samples)
            page.until("document.querySelector('main .card, main table') !== null")
            if view.startswith("TABLE"):
                page.until(LIVE)
                stage.play("f1e2")
                stage.play("e7e6")
                page.says("plays e7e6", "'e7e6'", "in memory")
            if view.endswith("general"):
                say(stage, "Noon it is.")
                page.says("Noon it is.")
            for scheme in ("light", "dark"):
                path = folder / f"inspector-{name}-{scheme}.png"
                size = {"width": 1200, "height": height}
                stage.browser.screenshot(page.name, path, **size, dark=scheme == "dark")
                assert 5_000 < path.stat().st_size < 150_000
        path = folder / "inspector-phone.png"
        page.go("TABLE/friday-night")
        page.says("Storage")
        stage.browser.screenshot(page.name, path, width=360, height=740, dark=False)


def say(stage: Stage, text: str) -> None:
    """A message from a back-end."""
    url = f"{stage.host.url}/realtime/live/rooms/general/publish"
    actor = {"kind": "user", "id": "ada", "displayName": "Ada"}
    body = {"type": "chat", "data": {"text": text}, "actor": actor}
    answer = httpx.post(url, json=body, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200


def play_on(stage: Stage, seconds: int) -> None:
    """Load that rises and falls, for as long as the charts need."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(2) as pool, httpx.Client(base_url=stage.host.url) as client:
        for step in itertools.count():
            if time.monotonic() > end:
                return

            wave = 60 + int(50 * math.sin(step / 9)) + step % 7
            pages = itertools.islice(itertools.cycle(PAGES), wave)
            list(pool.map(lambda page: client.post(f"/counter/{quote(page, safe='')}"), pages))


def test_nothing_can_be_edited_unless_the_host_allows_it(stage: Stage) -> None:
    """No switch and no button where the host takes no changes; and the API takes none either."""
    with stage.page("TABLE/friday-night") as page:
        page.says("Storage")
        assert page.evaluate("document.querySelectorAll('[role=switch], td button').length") == 0
        assert page.evaluate(
            "[...document.querySelectorAll('button')].map((each) => each.innerText)"
        ) == ["Forget key"]


@pytest.mark.timeout(120)
def test_an_editor_switches_writes_on_and_confirms_each(stage: Stage) -> None:
    """The host restarts with `inspector_edit` while a page looks on, which goes on by itself; then a switch
    shows the buttons, and each asks first."""
    with stage.page("TABLE/friday-night") as page:
        page.until(LIVE)
        stage.stand_up()
        stage.host.stop()
        page.until("document.querySelector('.banner') !== null")
        stage.host.environment["ROOMHOST_INSPECTOR_EDIT"] = "true"
        stage.host.start()
        page.until("document.querySelector('.banner') === null")
        page.until(LIVE)
        stage.sit_down()
        stage.play("e1g1")
        page.says("plays e1g1")
        page.until("document.querySelector('[role=switch]') !== null")
        assert page.evaluate("document.querySelectorAll('td button').length") == 0
        page.click("switch", "Edit")
        confirm(page, "Delete turn", "Cancel")
        page.says("turn")
        confirm(page, "Delete turn", "Delete")
        page.until(f"!{KEYS}.includes('turn')")
        put(stage, page, "Put a key", "won", "('Ada', 2)")
        page.says("('Ada', 2)", "tuple")
        confirm(page, "Run alarm now", "Run alarm now")
        page.says("'timed out'", "The alarm ran.")
        confirm(page, "Evict", "Evict")
        page.says("asleep", "hibernates", "It was evicted.")


def confirm(page: Page, button: str, answer: str) -> None:
    """Click a button, and then one of the dialog that it opens."""
    page.click("button", button)
    page.until(OPEN)
    page.click("button", answer)
    page.until("document.querySelector('dialog') === null")


def put(stage: Stage, page: Page, button: str, key: str, value: str) -> None:
    """Fill the form of a key."""
    page.click("button", button)
    page.until(OPEN)
    stage.browser.press(page.name, "Key", *key)
    stage.browser.press(page.name, "Value, as a Python literal", *value)
    page.click("button", "Put")
