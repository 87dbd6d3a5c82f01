"""`roomhost bench`, as it is typed: what it prints, and what it leaves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from roomhost.runtime import HostError
from roomhost.runtime.commands import known_cause, roomhost

from ..helpers.host_process import COMMAND, REPOSITORY

APP = "tests.helpers.bench_app:app"
SHORT = ("--seconds", "0.01", "--callers", "2", "--rooms", "2", "--sockets", "3")
ROW = {"name", "per_second", "p50_us", "p95_us", "p99_us", "count", "note"}


def environment() -> dict[str, str]:
    """Without settings of a host."""
    plain = {name: value for name, value in os.environ.items() if "ROOMHOST" not in name}
    return plain | {"PYTHONPATH": str(REPOSITORY)}


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end, in a directory of its own, which it leaves as it was."""
    done = subprocess.run(
        [str(COMMAND), "bench", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert list(cwd.iterdir()) == []
    return done


def rows_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """By name; standard output is JSON and nothing else, and standard error silent."""
    assert (done.returncode, done.stderr) == (0, "")
    return {row["name"]: row for row in json.loads(done.stdout)["rows"]}


def test_the_built_in_application_is_measured(tmp_path: Path) -> None:
    """Every row, with what it is measured in."""
    rows = rows_of(run(tmp_path, *SHORT, "--json"))
    assert list(rows) == [
        "memory, after call",
        "call, 1 caller, 1 room",
        "call, 2 callers, 1 room",
        "store, 1 caller, 1 room",
        "store, 2 callers, 1 room",
        "store, 2 callers, 2 rooms",
        "activation, then read",
        "echo, 16 sockets in 1 room",
        "fan-out, 3 sockets in 1 room",
    ]
    assert all(row.keys() >= ROW for row in rows.values())
    for name, row in rows.items():
        if not name.startswith("memory"):
            assert row["per_second"] > 0
            assert 0 < row["p50_us"] <= row["p95_us"] <= row["p99_us"]
    assert rows["store, 1 caller, 1 room"]["commits"] >= 1
    assert rows["call, 1 caller, 1 room"]["commits"] == 0
    assert rows["echo, 16 sockets in 1 room"]["heard_by"] == 1
    assert rows["fan-out, 3 sockets in 1 room"]["heard_by"] == 3


def test_an_application_is_measured_as_it_is_asked_for(tmp_path: Path) -> None:
    """A method with its arguments, and sockets of which one speaks to the others; as a table."""
    socket = ("--socket", "/board/{room}/", "--message", "tell", "--header", "x-name: ann")
    done = run(tmp_path, APP, "--binding", "BOARD", "--call", 'keep:["a", 1]', *socket, *SHORT)
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        "roomhost bench: boards",
        "memory, after keep",
        "keep, 2 callers, 2 rooms",
        "activation, then keep",
        "messages, 3 sockets in 1 room",
        "each heard 2 times",
        "fsyncs",
        "p99",
    ):
        assert text in done.stdout
    assert "\x1b" not in done.stdout


def test_what_fails_is_one_line(tmp_path: Path) -> None:
    """On standard error, with exit status 2 and no traceback."""
    done = run(tmp_path, APP, "--binding", "BOARD", "--call", "fail", "--seconds", "0.01")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "roomhost: what is measured fails: ValueError: out of order\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((APP, "--binding", "BOARD", "--call", "keep"), "what is measured fails: TypeError: "),
        (
            (APP, "--socket", "/board/{room}/", "--message", "close"),
            "closed the WebSocket with 4001",
        ),
        ((APP, "--socket", "/nowhere/{room}/"), "the host answers '403 Forbidden'"),
        ((APP, "--socket", "board"), "--socket is a path, as in /chat/{room}/, not 'board'"),
        ((APP, "--socket", "/b", "--header", "x"), "--header is NAME:VALUE, not 'x'"),
        (("--binding", "BOARD"), "--binding is for an application: name MODULE:APP"),
        (("--data-dir", str(REPOSITORY)), "is not empty; name a new directory"),
        (("nowhere:app",), "cannot import nowhere"),
    ],
)
def test_a_mistake_is_named(
    arguments: tuple[str, ...], line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        roomhost, ["bench", "--seconds", "0.01", *arguments], standalone_mode=False
    )
    assert done.exception is not None
    cause = known_cause(done.exception)
    assert isinstance(cause, HostError)
    assert line in str(cause)
    assert "\n" not in str(cause)
    assert list(tmp_path.iterdir()) == []


def test_a_signal_leaves_terminal_and_directory_clean(tmp_path: Path) -> None:
    """In the middle of a row, while the bar moves. What SIGTERM does begins with what Ctrl-C does."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(COMMAND), "bench", "--seconds", "60"],
        cwd=tmp_path,
        env=environment() | {"TERM": "xterm"},
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b" %" not in seen:
        seen += os.read(ours, 65_536)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=40) == 130
    while data := end_of(ours):
        seen += data
    os.close(ours)
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")  # the cursor is back
    assert b"Traceback" not in seen
    assert list(tmp_path.iterdir()) == []


def end_of(terminal: int) -> bytes:
    """What is left to read; nothing where the other side is gone."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
