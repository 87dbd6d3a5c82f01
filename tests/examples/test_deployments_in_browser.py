"""The feed of deployments: written with an API key over HTTP, read by a page that cannot write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..helpers.browser import Browser
from ..helpers.host_process import HostProcess

SHOWN = """[...document.querySelectorAll("li[data-id]")].map((item) =>
    [item.querySelector(".state").textContent, item.querySelector(".what").textContent.trim()])"""
COUNT = 'document.querySelectorAll("li[data-id]").length'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    """The example, with an API key."""
    environment = {"ROOMHOST_API_KEYS": "key"}
    with HostProcess("examples.deployments:app", tmp_path / "state", environment) as process:
        yield process


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser, or the reason why there is none."""
    with Browser() as opened:
        yield opened


def publish(host: HostProcess, key: str, version: str, status: str) -> int:
    """What the command on the page does; the status of HTTP."""
    return httpx.post(
        f"{host.url}/realtime/live/channels/deployments/publish",
        headers={"authorization": f"Bearer {key}"},
        json={
            "type": "deployment",
            "idempotencyKey": f"{version}-{status}",
            "data": {
                "service": "api",
                "version": version,
                "environment": "production",
                "status": status,
            },
        },
    ).status_code


@pytest.mark.timeout(120)
def test_a_page_shows_what_was_deployed_and_what_is_being(
    host: HostProcess, browser: Browser
) -> None:
    """History first, newest on top; then what comes, once, after a kill of the host too."""
    assert publish(host, "key", "1.0", "succeeded") == 200
    browser.open("a", host.url)
    browser.wait_for("a", f"{COUNT} === 1")
    assert publish(host, "key", "1.1", "failed") == 200
    assert publish(host, "key", "1.1", "failed") == 200
    browser.wait_for("a", f"{COUNT} === 2")
    host.kill()
    host.start()
    assert publish(host, "key", "1.2", "started") == 200
    browser.wait_for("a", f"{COUNT} === 3")
    assert browser.evaluate("a", SHOWN) == [
        ["started", "api 1.2 production"],
        ["failed", "api 1.1 production"],
        ["succeeded", "api 1.0 production"],
    ]
    assert host.url in browser.evaluate("a", 'document.getElementById("command").textContent')


def test_who_reads_cannot_write(host: HostProcess, browser: Browser) -> None:
    """A page's grant is refused for a publish, over the socket and over HTTP, as a wrong key is."""
    browser.open("a", host.url)
    browser.wait_for("a", 'live.state === "online"')
    refused = 'live.publish({ type: "deployment" }).catch((error) => error.code)'
    assert browser.evaluate("a", refused) == "forbidden"
    token = httpx.post(f"{host.url}/grant").json()["token"]
    assert publish(host, token, "1.0", "succeeded") == 403
    assert publish(host, "wrong", "1.0", "succeeded") == 401
