"""What an actor does to the process of its host, and so to all others: a real one."""

from __future__ import annotations

import http.client
import resource
from collections.abc import Generator
from pathlib import Path

import pytest

from ..helpers.host_process import HostProcess

MIB = 1024 * 1024


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What the host logs."""
    return tmp_path / "log"


@pytest.fixture
def host(tmp_path: Path, log: Path) -> Generator[HostProcess]:
    """A host of its own."""
    environment = {"ROOMHOST_HELD_LOOP_SECONDS": "0.1"}
    application = "tests.isolation.app:app"
    with HostProcess(application, tmp_path / "state", environment, log=log) as process:
        yield process


def get(host: HostProcess, path: str) -> tuple[int, str]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def do(host: HostProcess, way: str) -> int:
    """Let the actor do it; the status."""
    return get(host, "/bad/b/" + way.replace(" ", "-"))[0]


def lines(log: Path) -> list[str]:
    """What was logged, but for tracebacks."""
    return [line for line in log.read_text().splitlines() if line[:2] == "20"]


def test_nothing_that_an_actor_raises_or_ends_ends_the_process(
    host: HostProcess, log: Path
) -> None:
    """Neither in a handler nor in a task of its own; what others have stays, and comes to."""
    ways = {
        "raise SystemExit": 500,
        "raise KeyboardInterrupt": 500,
        "raise CancelledError": 503,
        "recurse": 500,
        "leak tasks": 200,
        "exit in a task": 200,
        "interrupt in a task": 200,
        "stop the loop": 200,
        "close the loop": 500,
    }
    assert get(host, "/good/a/") == (200, "1")
    for number, (way, status) in enumerate(ways.items(), 2):
        assert (way, do(host, way)) == (way, status)
        assert (way, get(host, "/good/a/")) == (way, (200, str(number)))
    ended = [line for line in lines(log) if "would have ended the event loop" in line]
    assert len(ended) == 3
    assert host.stop() == 0


def test_what_allocates_without_bound_fails_at_the_limit_of_the_process(
    host: HostProcess, log: Path
) -> None:
    """Of address space here: Python raises MemoryError in the code that wants more."""
    assert get(host, "/good/a/") == (200, "1")
    size = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(host.pid, resource.RLIMIT_AS, (size + 256 * MIB, size + 256 * MIB))
    for number in range(2, 5):
        assert do(host, "allocate") == 500
        assert get(host, "/good/a/") == (200, str(number))
    assert any("MemoryError" in line for line in log.read_text().splitlines())


def test_who_holds_the_loop_is_named(host: HostProcess, log: Path) -> None:
    """Its object, what of it runs, and where; in C too, where no other thread gets a turn."""
    for way in ("block", "hold the interpreter", "block in a task"):
        assert (way, do(host, way)) == (way, 200)
        assert get(host, "/good/a/")[0] == 200
    host.stop()
    told = [line for line in lines(log) if "held the event loop for" in line and "[BAD b]" in line]
    for way, place in (
        ("block", "block (app.py:"),
        ("hold-the-interpreter", "hold_the_interpreter (app.py:"),
        ("block-in-a-task", "block (app.py:"),
    ):
        of_way = [line for line in told if f" s in GET /bad/b/{way}, at {place}" in line]
        assert of_way, f"{way} is not in {told}"
