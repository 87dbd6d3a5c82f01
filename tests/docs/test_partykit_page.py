"""The two servers of the page about PartyKit do the same."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.runtime.testing import host_for

from ..helpers.doc_node import missing
from ..helpers.doc_page import DOCS, read_blocks
from ..helpers.doc_python import importing_from

PAGE = DOCS / "from-partykit.md"
STAND_IN = Path(__file__).parent.parent / "helpers" / "party_room.mjs"
# Who speaks, and what; nothing where one only comes.
STEPS: tuple[tuple[str, str | None], ...] = (
    ("ada", None),
    ("bob", None),
    ("ada", "hi"),
    ("bob", "hello"),
    ("carl", None),
    ("ada", "!"),
)


def test_both_servers_tell_everybody_the_same(tmp_path: Path) -> None:
    """History first, then what others say and never one's own; all of it is stored."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)

    titled = {block.title: block for block in read_blocks(PAGE.read_text("utf-8"), PAGE.name)}
    for name in ("server.mjs", "server.py"):
        (tmp_path / name).write_text(titled[name].text)
    done = subprocess.run(
        ["node", str(STAND_IN), str(tmp_path / "server.mjs")],
        input=json.dumps(STEPS),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with importing_from(tmp_path):
        ours = anyio.run(_heard_here)

    assert json.loads(done.stdout) == ours
    assert ours["heard"]["carl"][0] == {"history": ["hi", "hello"]}


async def _heard_here() -> dict[str, Any]:
    from server import app  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports]

    sockets: dict[str, Any] = {}
    heard: dict[str, list[Any]] = {}
    async with host_for(app) as host:
        room = host.env.CHAT.get_by_name("lobby")
        for name, message in STEPS:
            if name not in sockets:
                url = f"http://room/?_pk={name}"
                response = await room.fetch(url, headers={"Upgrade": "websocket"})
                sockets[name], heard[name] = response.web_socket, []
                response.web_socket.accept()
            if message is not None:
                sockets[name].send(message)
            await anyio.wait_all_tasks_blocked()

        stored = await (await room.fetch("http://room/")).json()
        for name, ws in sockets.items():
            ws.close(1000)
            heard[name] = [json.loads(text) async for text in ws]
    return {"heard": heard, "stored": stored}
