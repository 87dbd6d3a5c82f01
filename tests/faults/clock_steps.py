"""The wall clock is set, an hour ahead and back, under a host with alarms, rooms, and writers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from .case import Figures, Stage, check_lines
from .faulty_host import FaultyHost
from .traffic import Recorder, ask, check_kept, traffic

HOUR = 3_600.0
USER_HEADER = "x-user-id"
MEMBERS = 3
MORE = 100
LATEST_SECONDS = 1.5  # after a step an alarm comes: the second of the clock, and a busy machine
PATIENCE_SECONDS = 30.0


async def hour(stage: Stage) -> Figures:
    """Alarms never come early by the wall clock, and soon after a step that passes their time; nobody
    who is connected leaves, nothing is reset, and clients may go on sending."""
    recorder, shim, latest = Recorder(), stage.shim(), 0.0
    async with (
        stage.host(shim, trusted_proxies="127.0.0.1", public_url="http://rooms.example") as host,
        contextlib.AsyncExitStack() as stack,
    ):
        members = [await stack.enter_async_context(member(host, n)) for n in range(MEMBERS)]
        began = monotonic()
        async with traffic(host, recorder):
            await recorder.more(MORE)
            for number in stage.rounds(1, 6):
                book = f"alarm-{number}"
                await ask(host, f"/book/{book}/arm?after_ms={int(HOUR * 1000) - 100}")
                shim.step_clock(HOUR)
                latest = max(latest, await fired(host, book))
                await speak(members)
                await ask(host, f"/book/{book}-back/arm?after_ms=200")
                shim.step_clock(0)
                await recorder.more(MORE)
                await speak(members)
                assert (await ask(host, f"/book/{book}-back/read"))[1]["fired"] == []
                shim.step_clock(HOUR + 1)
                latest = max(latest, await fired(host, f"{book}-back"))
                shim.step_clock(0)
                await recorder.more(MORE)
        assert recorder.failures == 0, recorder.failed
        lines = host.lines()
        assert lines == [], lines
        check_lines(lines, monotonic() - began)
        await check_kept(host, recorder)
    await stage.recover(recorder)
    assert latest < LATEST_SECONDS or stage.long, latest
    return {"acknowledged": recorder.total, "latest_alarm_seconds": latest}


async def fired(host: FaultyHost, book: str) -> float:
    """Wait for the alarm of a book, which must not be early; how long that took, in seconds."""
    began = monotonic()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (runs := (await ask(host, f"/book/{book}/read"))[1]["fired"]):
            await asyncio.sleep(0.02)
    for due_ms, at_ms in runs:
        assert at_ms >= due_ms, f"{due_ms - at_ms} ms early"
    return monotonic() - began


@contextlib.asynccontextmanager
async def member(host: FaultyHost, number: int) -> AsyncGenerator[ClientConnection]:
    """Somebody who is in the lobby by a socket, and has heard that."""
    async with connect(
        f"ws://127.0.0.1:{host.port}/realtime/live/rooms/lobby/ws?memberId=member-{number}",
        additional_headers={USER_HEADER: f"member-{number}"},
    ) as socket:
        yield socket


async def speak(members: list[ClientConnection]) -> None:
    """Everybody asks who is here, and hears that nobody has left."""
    for socket in members:
        await socket.send('{"type":"members","id":"1"}')
        while (frame := json.loads(await socket.recv())).get("id") != "1":
            assert frame["type"] != "member.left", frame
        found: Any = frame["result"]
        assert len(found) == len(members), found
