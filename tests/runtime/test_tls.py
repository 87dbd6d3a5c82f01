"""TLS by the host itself: its files, what is too old for it, and everything it serves over it."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from websockets.asyncio.client import connect

from roomhost.runtime import HostError
from roomhost.runtime.intake import Reason
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for
from roomhost.runtime.tls import tls_context

from ..helpers.certificates import Certificates, lock_key, make_certificates
from ..helpers.host_process import COMMAND, REPOSITORY
from ..helpers.served import serving
from ..helpers.server_app import app


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One certificate for all tests."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.anyio
async def test_a_host_serves_requests_and_web_sockets_over_tls(made: Certificates) -> None:
    """On the direct path too: text, bytes, large ones, in both directions; its URLs are https."""
    async with host_for(app, **made.settings) as host, serving(host) as (url, _):
        assert url.startswith("https://")
        assert host.public_url == url
        async with httpx.AsyncClient(verify=made.client, base_url=url) as client:
            answer = await client.post("/echo-room/a/add")
            assert answer.json()["n"] == 1
        address = url.replace("https:", "wss:") + "/echo-room/a"
        async with connect(address, ssl=made.client, max_size=2**26) as ws:
            for message in ("hello", b"bytes", b"x" * 3_000_000):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.close(3_001, "bye")
            assert ws.close_code == 3_001


@pytest.mark.anyio
async def test_tls_before_1_2_and_no_tls_are_refused(made: Certificates) -> None:
    """The handshake fails; the next client is served."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with host_for(app, **made.settings) as host, serving(host) as (url, _):
        async with httpx.AsyncClient(verify=old) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(url.replace("https", "http"))
        async with httpx.AsyncClient(verify=made.client) as client:
            assert (await client.get(f"{url}/healthz")).text == "ok"


@pytest.mark.anyio
async def test_a_handshake_has_its_time(made: Certificates) -> None:
    """One that takes longer than the setting says is ended, and counted; until then it counts as a
    connection."""
    settings: dict[str, Any] = {"ssl_handshake_timeout_seconds": 0.1, **made.settings}
    async with host_for(app, **settings) as host, serving(host) as (url, _):
        async with await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2])) as stream:
            while not host.intake.handshakes:
                await anyio.lowlevel.checkpoint()
            with (
                anyio.fail_after(20),
                pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)),
            ):
                await stream.receive()
        while host.intake.handshakes:
            await anyio.lowlevel.checkpoint()
        assert host.intake.refusals == {Reason.HANDSHAKE: 1}


def test_the_command_serves_over_tls(made: Certificates, tmp_path: Path) -> None:
    """By its flags; the URL that it prints is https."""
    files = [f"--{name.replace('_', '-')}={path}" for name, path in made.settings.items()]
    command = [str(COMMAND), "serve", "tests.helpers.server_app:app", "--port=0", *files]
    with subprocess.Popen(
        [*command, f"--data-dir={tmp_path / 'state'}"],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if "ROOMHOST" not in name},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" on ")[1].split()[0]
        assert url.startswith("https://127.0.0.1:")
        assert httpx.get(f"{url}/readyz", verify=made.client).text == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def test_a_key_may_be_locked(tmp_path: Path) -> None:
    """With a password, in a file of its own."""
    certificates = make_certificates(tmp_path)
    lock_key(certificates, "open sesame")
    file = tmp_path / "password"
    file.touch(0o600)
    file.write_text("open sesame\n")
    settings = certificates.settings | {"ssl_keyfile_password_file": str(file)}
    assert tls_context(make_settings(settings)) is not None
    file.write_text("guessed\n")
    for wrong in (settings, certificates.settings):
        with pytest.raises(HostError, match="ssl_keyfile_password_file") as refused:
            tls_context(make_settings(wrong))
        assert "guessed" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"ssl_certfile": "none.pem"}, r"ssl_certfile: none\.pem cannot be read"),
        ({"ssl_keyfile": "none.pem"}, r"ssl_keyfile: none\.pem cannot be read"),
        ({"ssl_keyfile": "other.pem"}, "is not the key of the certificate"),
        ({"ssl_certfile": "empty.pem"}, "are not a certificate and its key as PEM"),
        ({"ssl_keyfile": "empty.pem"}, "are not a certificate and its key as PEM"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(
    made: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, str],
    match: str,
) -> None:
    """In one line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.pem").touch()
    other = make_certificates(tmp_path / "other").settings["ssl_keyfile"]
    shutil.copy(other, tmp_path / "other.pem")
    with pytest.raises(HostError, match=match) as refused:
        tls_context(make_settings(made.settings | wrong))
    assert "\n" not in str(refused.value)


def test_without_files_there_is_no_tls() -> None:
    """A proxy may end it."""
    assert tls_context(make_settings({})) is None
