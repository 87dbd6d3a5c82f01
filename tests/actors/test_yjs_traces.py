"""Whole editing sessions, keystroke by keystroke, over real sockets into a host of its own.

Two traces are made from a seed, in the shape of josephg/editing-traces: `automerge-paper`, of which
each run replays the first part, or with `TRACE_STEPS=259778` all of it; and a concurrent one. With
`EDITING_TRACES`, a directory that has them, the published ones are replayed as well, whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..helpers.host_process import HostProcess
from ..helpers.trace_replay import replay
from ..helpers.traces import Trace, published, read_trace
from ..helpers.typed_traces import concurrent_trace, sequential_trace
from ..helpers.yjs_provider import PythonClient
from ..helpers.yjs_rooms import KEY, YjsRoom

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]
STEPS = int(os.environ.get("TRACE_STEPS", "30000"))
CONCURRENT_STEPS = 10_000
AGENTS = 3
SEED = 20_261_127
OWN = Path(__file__).with_name("traces")

TRACES: dict[str, Callable[[], Trace]] = {
    "sequential": lambda: sequential_trace(SEED, STEPS),
    "concurrent": lambda: concurrent_trace(SEED, AGENTS, CONCURRENT_STEPS),
    "readme": lambda: read_trace(OWN / "readme.json.gz"),
}
PUBLISHED = (
    "sequential_traces/automerge-paper",
    "concurrent_traces/friendsforever",
    "concurrent_traces/clownschool",
)


def traces() -> dict[str, Callable[[], Trace]]:
    """How to come by each trace that is here."""
    found = {name: published(name) for name in PUBLISHED}
    return TRACES | {
        name: (lambda path=path: read_trace(path)) for name, path in found.items() if path
    }


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The sockets are those of `websockets`, on asyncio."""
    return ("asyncio", {"use_uvloop": True})


@pytest.mark.parametrize("make", traces().values(), ids=traces().keys())
async def test_a_session_ends_with_the_text_that_its_trace_tells(
    tmp_path: Path, make: Callable[[], Trace]
) -> None:
    """On the host, for a reader who comes now, and after a `kill -9`."""
    trace = make()
    keys = {"ROOMHOST_API_KEYS": "key"}
    with HostProcess("tests.helpers.realtime_app:app", tmp_path, keys) as host:
        room = YjsRoom(host.url)
        await replay(trace, room.socket_url, KEY)
        assert await room.text() == trace.end_content

        reader = PythonClient()
        async with reader.connected(room.socket_url, KEY):
            assert reader.text == trace.end_content

        host.kill()
        host.start()
        assert await room.text() == trace.end_content
