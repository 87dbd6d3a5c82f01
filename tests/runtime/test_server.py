"""The host process: `roomhost serve`, real sockets, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from ..helpers.host_process import COMMAND, REPOSITORY, HostProcess

APPLICATION = "tests.helpers.server_app:app"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    """A served application."""
    with HostProcess(APPLICATION, tmp_path / "state") as process:
        yield process


def socket_url(host: HostProcess, name: str = "a") -> str:
    """The WebSocket of an object."""
    return f"{host.url.replace('http:', 'ws:')}/echo-room/{name}"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, to its end."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_requests_reach_the_object_they_name(host: HostProcess) -> None:
    """Names are percent-decoded, an encoded slash too; everything else is 404."""
    with httpx.Client(base_url=host.url) as client:
        for name in ("lobby", "gr%C3%B6%C3%9Fe", "a%2Fb", "%20"):
            answer = client.post(f"/echo-room/{name}/add").json()
            assert answer == {
                "n": 1,
                "name": httpx.URL(f"http://x/{name}").path[1:],
                "method": "POST",
            }
        assert client.get("/echo-room/lobby/add?x=1").json()["n"] == 2
        for path in (
            "/",
            "/echo-room",
            "/echo-room/",
            "/echo_room/lobby",
            "/other/lobby",
            "/%ff/x",
        ):
            assert client.get(path).status_code == 404
        assert client.get("/healthz").text == client.get("/readyz").text == "ok"


def test_bodies_of_any_size_arrive_and_errors_tell_no_secrets(host: HostProcess) -> None:
    """A streamed upload; an exception is a 500 without its text."""
    with httpx.Client(base_url=host.url) as client:
        chunks = (b"x" * 65_536 for _ in range(64))
        assert client.post("/echo-room/a/upload", content=chunks).json() == {"bytes": 64 * 65_536}
        failed = client.get("/echo-room/a/fail")
        assert failed.status_code == 500
        assert "secret" not in failed.text
        assert client.get("/echo-room/a/add").status_code == 200


def test_a_web_socket_speaks_to_the_object(host: HostProcess) -> None:
    """Text, bytes, large ones; closes carry their code both ways."""
    with connect(socket_url(host), max_size=2**26) as ws:
        for message in ("hello", b"bytes", "größe 🙂" * 50_000, b"x" * 20 * 1024 * 1024):
            ws.send(message)
            assert ws.recv(timeout=30) == message
        ws.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4_001, "told to")


def closes_seen(host: HostProcess, number: int) -> list[list[object]]:
    """What the object's close handler was told, once it was told so often."""
    while len(seen := httpx.get(f"{host.url}/echo-room/a/closed").json()) < number:
        pass
    return list(seen)


def test_an_object_answers_a_close_with_the_code_it_likes(host: HostProcess) -> None:
    """7.7: what its handler closes with reaches the client; else the client's own code comes back."""
    for reason, answer in (("answer 4002", (4_002, "answered")), ("bye", (3_001, "bye"))):
        with connect(socket_url(host)) as ws:
            ws.close(3_001, reason)
            closed = ws.protocol.close_rcvd
            assert closed is not None
            assert (closed.code, closed.reason) == answer
    assert closes_seen(host, 2) == [[3_001, "answer 4002", True], [3_001, "bye", True]]


def test_a_close_without_a_code_has_none(host: HostProcess) -> None:
    """The client sees 1005, the object too."""
    with connect(socket_url(host)) as ws:
        ws.send("close bare")
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1_005
    with connect(socket_url(host)) as ws:
        with ws.send_context():
            ws.protocol.send_close()
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1_005
    assert closes_seen(host, 2)[-1] == [1_005, "", True]


def test_a_lost_connection_is_no_close(host: HostProcess) -> None:
    """7.7: 1006, not clean."""
    with connect(socket_url(host)) as ws:
        ws.socket.shutdown(socket.SHUT_RDWR)
        assert closes_seen(host, 1) == [
            [1_006, "WebSocket disconnected without sending Close frame.", False]
        ]


@pytest.mark.parametrize("unit", ["x", "ö", b"x"])
def test_a_message_has_32_mebibytes_and_no_byte_more(host: HostProcess, unit: str | bytes) -> None:
    """7.8: the object is told of an error, the client gets 1009."""
    limit = 32 * 1024 * 1024
    units = limit // len(unit.encode() if isinstance(unit, str) else unit)
    with connect(socket_url(host), max_size=None) as ws, connect(socket_url(host)) as other:
        ws.send(unit * units)
        assert len(ws.recv(timeout=30)) == units
        ws.send(unit * (units + 1))
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1_009
        assert other.recv(timeout=30) == "error: Message is too large"


def test_an_upgrade_that_leads_nowhere_is_refused(host: HostProcess) -> None:
    """With an HTTP status."""
    for path in ("/nowhere", "/echo-room"):
        with pytest.raises(InvalidStatus), connect(host.url.replace("http:", "ws:") + path):
            pass


def test_a_client_of_a_reset_object_sees_its_connection_lost(host: HostProcess) -> None:
    """Code 1006: no close frame at all."""
    with connect(socket_url(host)) as ws:
        ws.send("abort")
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is None
    with connect(socket_url(host)) as ws:
        ws.send("again")
        assert ws.recv(timeout=30) == "again"


def test_sigterm_drains(host: HostProcess, tmp_path: Path) -> None:
    """The request in flight ends well, sockets close with 1012, the status is 0, and what was
    acknowledged is there after a restart."""
    with (
        ThreadPoolExecutor() as pool,
        connect(socket_url(host)) as ws,
        httpx.Client(base_url=host.url, timeout=30) as client,
    ):
        assert client.get("/echo-room/a/add").json()["n"] == 1
        until = tmp_path / "go on"
        slow = pool.submit(client.get, "/echo-room/a/slow", params={"until": str(until)})
        assert ws.recv(timeout=30) == "slow begins"
        os.kill(host.pid, signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1_012
        until.touch()
        assert slow.result(timeout=30).json()["n"] == 2
    assert host.wait() == 0

    host.start()
    assert httpx.get(f"{host.url}/echo-room/a/add").json()["n"] == 3
    assert host.stop() == 0


def test_a_second_host_on_the_directory_is_refused(host: HostProcess) -> None:
    """With one line that says who holds it, and status 2."""
    done = run("serve", APPLICATION, "--data-dir", str(host.data_dir), "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"is held by process {host.pid}" in done.stderr


def test_a_port_that_is_taken_is_one_line(host: HostProcess, tmp_path: Path) -> None:
    """Status 2, and what to do."""
    port = str(host.port)
    done = run("serve", APPLICATION, "--data-dir", str(tmp_path / "other"), "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["serve", "nonsense"], {}, "is not MODULE:APP"),
        (["serve", "no.such.module:app"], {}, "cannot import no.such.module"),
        (["serve", "json:app"], {}, "app in json is no roomhost App"),
        (["serve", APPLICATION], {"ROOMHOST_PORTT": "1"}, "ROOMHOST_PORTT is unknown; known are"),
        (["serve", APPLICATION], {"ROOMHOST_PORT": "many"}, "settings: "),
        (["serve", APPLICATION, "--port", "70000"], {}, "--port"),
        (["serve", APPLICATION, "--colour", "red"], {}, "--colour"),
        (["nonsense"], {}, "nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_told_without_a_traceback(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    """And the status is 2."""
    done = run(*arguments, **environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_has_help() -> None:
    """`--help` of the command and of its commands."""
    assert "serve" in run("--help").stdout
    text = run("serve", "--help").stdout
    for option in ("--data-dir", "--host", "--port", "MODULE:APP"):
        assert option in text


def test_an_app_is_an_asgi_application_for_any_server(tmp_path: Path) -> None:
    """`uvicorn module:app`, with settings from the environment."""
    command = [
        str(COMMAND.parent / "uvicorn"),
        APPLICATION,
        "--port",
        "0",
        "--ws",
        "websockets-sansio",
    ]
    environment = {**os.environ, "ROOMHOST_DATA_DIR": str(tmp_path / "state")}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        line = next(line for line in server.stderr if "running on" in line)
        url = line.split("running on ")[1].split()[0]
        assert httpx.get(f"{url}/echo-room/a/add").json()["n"] == 1
        with connect(f"{url.replace('http:', 'ws:')}/echo-room/a") as ws:
            ws.send("hello")
            assert ws.recv(timeout=30) == "hello"
        server.send_signal(signal.SIGINT)
        server.stderr.read()
    held = json.loads((tmp_path / "state" / "FORMAT").read_text())
    assert held == {"format": 2}
