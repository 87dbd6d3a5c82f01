"""Yjs clients of a host that is killed and started again: what they have, they bring back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ..helpers.host_process import HostProcess
from ..helpers.yjs_clients import YjsProcess, yjs_clients
from ..helpers.yjs_provider import PythonClient
from ..helpers.yjs_rooms import KEY, YjsRoom

pytestmark = pytest.mark.anyio
LOST = 1006
RESTART = 1012


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """Node's clients are driven from here, on asyncio as elsewhere."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def host(tmp_path: Path) -> Generator[HostProcess]:
    """A host in a process of its own."""
    keys = {"ROOMHOST_API_KEYS": "key"}
    with HostProcess("tests.helpers.realtime_app:app", tmp_path, keys) as process:
        yield process


@pytest.fixture
async def node(host: HostProcess) -> AsyncGenerator[YjsProcess]:
    """The process of the clients, which ends before the host."""
    async with yjs_clients() as process:
        yield process


async def start(host: HostProcess) -> None:
    """Start it again, while the clients try to connect."""
    await anyio.to_thread.run_sync(host.start)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_providers_come_back_by_themselves(
    host: HostProcess, node: YjsProcess, end: str
) -> None:
    """With what they wrote meanwhile; those who are aware are seen again."""
    room = YjsRoom(host.url)
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    await ana.aware({"name": "ana"})
    await ana.insert(0, "before ")
    await bea.wait("it.text === 'before ' && it.others.length === 1")
    await anyio.to_thread.run_sync(getattr(host, end))
    await ana.wait("!it.connected")
    await bea.wait("!it.connected && it.others.length === 0")
    await ana.insert(7, "h\u00e9re ")
    await bea.insert(0, "\u2603 ")

    await start(host)
    for client in (ana, bea):
        await client.wait("it.synced && it.text === '\\u2603 before h\\u00e9re '")
    await ana.aware({"name": "ana, back"})
    await bea.wait("it.others.length === 1")
    assert await room.text() == "\u2603 before h\u00e9re "
    code, _ = (await ana.get("closes"))[0]
    assert code == {"kill": LOST, "stop": RESTART}[end]


async def test_what_the_room_answered_for_survives_a_kill(
    host: HostProcess, node: YjsProcess
) -> None:
    """An update that reached another client was on disk before: the writer may be gone for good."""
    room = YjsRoom(host.url)
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    text = ""
    for number in range(5):
        await ana.insert(len(text), f"{number} \u00e4 ")
        text += f"{number} \u00e4 "
        await bea.wait_for_text(text)
        await bea.disconnect()
        await ana.disconnect()
        host.kill()
        await start(host)
        assert await room.text() == text
        await ana.connect()
        await bea.connect()
        await bea.wait("it.synced")


async def test_pycrdts_provider_brings_back_what_a_killed_host_never_got(
    host: HostProcess,
) -> None:
    """It is asked for it when it connects again."""
    room = YjsRoom(host.url)
    python = PythonClient()
    async with python.connected(room.socket_url, KEY):
        host.kill()
        python.content.insert(0, "alone")
    await start(host)
    reader = PythonClient()
    async with python.connected(room.socket_url, KEY), reader.connected(room.socket_url, KEY):
        await reader.wait(lambda it: it.text == "alone")
    assert await room.text() == "alone"
