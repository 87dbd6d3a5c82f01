"""The admin API on the local socket of a running host, asked by the client of the commands."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from anyio.to_thread import run_sync

from roomhost.admin.client import AdminClient
from roomhost.admin.errors import OperationError
from roomhost.runtime.local_server import local_server
from roomhost.runtime.local_socket import SOCKET_FILE
from roomhost.runtime.testing import host_for

from ..helpers.admin_app import app


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """uvicorn knows no other loops."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.mark.parametrize("depth", [0, 2])
async def test_commands_ask_by_the_directory_alone(tmp_path: Path, depth: int) -> None:
    """However long its path; the socket is gone with the host."""
    directory = tmp_path.joinpath(*["d" * 100] * depth, "state")
    async with host_for(app, data_dir=directory) as host, local_server(host):
        await host.env.COUNTER.get_by_name("a").increment()
        client = AdminClient.local(directory)
        told = await run_sync(lambda: client.call("inspect", binding="COUNTER", name="a"))
        assert told["entries"][0]["value"] == "1"
        lines = await run_sync(lambda: list(client.stream("export", binding="COUNTER", name="a")))
        assert [next(iter(line)) for line in lines] == ["header", "entry", "result"]
    assert not (directory / SOCKET_FILE).exists()


async def test_a_host_that_stops_does_not_wait_for_those_who_follow(tmp_path: Path) -> None:
    """They are told."""
    async with host_for(app, data_dir=tmp_path / "state") as host:
        async with local_server(host):
            client = AdminClient.local(tmp_path / "state")
            lines = client.stream("follow", binding="COUNTER")
            assert "progress" in await run_sync(next, lines)
        with pytest.raises(OperationError, match="the host is stopping") as caught:
            await run_sync(next, lines)
    assert caught.value.code == "stopping"


async def test_without_sockets_the_host_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some file systems have none; the log says what that means."""

    def refuse(self: socket.socket, address: str) -> None:
        raise OSError(95, "Operation not supported")

    async with host_for(app, data_dir=tmp_path / "state") as host:
        monkeypatch.setattr(socket.socket, "bind", refuse)
        with caplog.at_level(logging.WARNING):
            async with local_server(host):
                assert await host.env.COUNTER.get_by_name("a").increment() == 1
    assert "commands need --url" in caplog.text
