"""`roomhost dev`: scripted sessions, with real files, requests, sockets and signals."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from roomhost.admin.dev import dev
from roomhost.runtime import commands

from ..helpers.dev_session import DevSession
from ..helpers.host_process import COMMAND

BANNER = re.compile(
    r"""roomhost: demo on (?P<url>http://127\.0\.0\.1:\d+) \(data in state\)
  inspector  (?P=url)/_inspector/#key=(?P<key>\S{32})
  API key    (?P=key)
  watching   \. for \*\.py \*\.html \*\.jinja \*\.jinja2 \*\.j2 roomhost\.toml
\Z"""
)
BROKEN, FIXED = 'ANSWER = ("two"', 'ANSWER = "two"'


def test_a_session_from_the_first_request_to_the_signal(tmp_path: Path) -> None:
    """Changes, mistakes and deaths: what is stored stays, and the answer says what is wrong."""
    with DevSession(tmp_path) as session:
        banner = BANNER.match(session.until("watching"))
        assert banner is not None
        url = banner["url"]
        assert httpx.get(f"{url}/counter/a/alarm").text == "one 1 4000000000000"
        change_a_file(session, url)
        break_the_syntax(session, url)
        fail_in_a_handler(session, url)
        end_the_process(session, url)
        start_a_second_one(session)
        assert session.stop(signal.SIGTERM) == (0, "roomhost: stopped\n")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def change_a_file(session: DevSession, url: str) -> None:
    """Sockets close with 1012; the next request waits for the new code, which has the alarm too."""
    with connect(f"{url.replace('http:', 'ws:')}/counter/a/ws") as ws:
        session.edit('"one"', '"two"')
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert httpx.get(f"{url}/counter/a", timeout=30).text == "two 2 4000000000000"
    printed = session.until("reloaded")
    lines = r"roomhost: demo\.py changed, reloading\nroomhost: reloaded in \d+ ms\n"
    assert re.fullmatch(lines, printed)


def break_the_syntax(session: DevSession, url: str) -> None:
    """The first answer names the line, whichever process gives it; then everything does, until it is
    right again."""
    session.edit(FIXED, BROKEN)
    first = httpx.get(f"{url}/counter/a", timeout=30)
    printed = session.until(r"^>")
    named = "SyntaxError: '(' was never closed\n  demo.py:8\n"
    assert first.status_code == 500
    assert first.text.startswith(named)
    assert '>    8 | ANSWER = ("two"\n' in first.text
    assert f"{url} answers why until a file changes\n{named}" in printed

    page = httpx.get(f"{url}/any/path", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "demo.py:8" in page.text
    assert httpx.get(f"{url}/healthz").status_code == 503
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{url.replace('http:', 'ws:')}/counter/a/ws"),
    ):
        pass
    assert refused.value.response.status_code == 500
    assert refused.value.response.headers["retry-after"] == "1"

    session.edit(BROKEN, FIXED)
    session.until("reloaded")
    assert httpx.get(f"{url}/counter/a").text == "two 3 4000000000000"


def fail_in_a_handler(session: DevSession, url: str) -> None:
    """A page for that request, the same in the terminal, and nothing else has changed."""
    answer = httpx.get(f"{url}/counter/a/fail")
    named = "ValueError: <told to>\n  demo.py:22 in fetch\n"
    assert answer.status_code == 500
    assert answer.text.startswith(named)
    assert f"roomhost: GET /counter/a/fail failed\n{named}" in session.until(r"^>")
    assert httpx.get(f"{url}/counter/a").text == "two 4 4000000000000"


def end_the_process(session: DevSession, url: str) -> None:
    """What it had written is there when a new file starts the next one."""
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/counter/a/die")
    session.until("It ended by itself, with exit status 3")
    assert "exit status 3" in httpx.get(f"{url}/counter/a", timeout=30).text
    (session.directory / "new.py").touch()
    assert "new.py changed" in session.until("reloaded")
    assert httpx.get(f"{url}/counter/a").text == "two 5 4000000000000"


def start_a_second_one(session: DevSession) -> None:
    """Nothing in the sources can help it: one line, and status 2."""
    done = subprocess.run(
        [str(COMMAND), "dev", "demo:app", "--port", "0"],
        cwd=session.directory,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"roomhost: the data directory \S+ is held by process \d+", done.stderr)
    assert done.stderr.count("\n") == 1


def test_a_session_that_begins_with_a_mistake(tmp_path: Path) -> None:
    """A settings file that is wrong is a page too; Ctrl-C, which all processes get, ends well."""
    (tmp_path / "roomhost.toml").write_text("\n# mine\nprot = 1\n")
    with DevSession(tmp_path, "--edit") as session:
        printed = session.until(r"^>")
        url = re.search(r"http://\S+", printed)
        assert url is not None
        assert "the key prot is unknown" in printed
        assert "\n  roomhost.toml:3\n" in printed
        assert "roomhost.toml:3" in httpx.get(url[0]).text
        (tmp_path / "roomhost.toml").write_text("api_keys = 'mine'\n")
        assert f"{url[0]}/_inspector/#key=mine\n" in session.until("reloaded")
        status, printed = session.stop(signal.SIGINT, group=True)
        assert (status, printed) == (0, "roomhost: stopped\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["nonsense"], {}, "is not MODULE:APP"),
        (["demo:app", "--reload-dir", "nowhere"], {}, "'nowhere' does not exist"),
        (["demo:app"], {"ROOMHOST_PORTT": "1"}, "ROOMHOST_PORTT is unknown"),
    ],
)
def test_a_mistake_that_no_file_can_cure_is_one_line(
    arguments: list[str],
    environment: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And status 2."""
    monkeypatch.setattr(sys, "argv", ["roomhost", "dev", *arguments])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert message in printed.err
    assert printed.err.count("\n") == 1


def test_it_takes_every_flag_of_serve() -> None:
    """And some of its own."""
    names = {parameter.name for parameter in dev.params}
    assert names > {parameter.name for parameter in commands.serve.params}
