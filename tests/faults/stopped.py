"""The whole process is stopped for a while (SIGSTOP): what came meanwhile is served, nobody is blamed."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from .case import Figures, Stage, check_lines
from .traffic import Recorder, ask, check_kept, open_socket, traffic

STOPPED_SECONDS = 2.0
LONG_SECONDS = 35.0  # longer than the watchdog of the disk waits, and than a ping is waited for
MORE = 100


async def stop(stage: Stage) -> Figures:
    """Nothing is lost, no object is reset, connections stay, alarms catch up."""
    recorder, seconds = Recorder(), LONG_SECONDS if stage.long else STOPPED_SECONDS
    async with stage.host() as host, open_socket(host, "quiet") as quiet:
        async with traffic(host, recorder):
            await recorder.more(MORE)
            for number in range(5):
                await ask(host, f"/book/alarm-{number}/arm?after_ms={100 + 300 * number}")
            host.signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)  # it is the fault
            began = monotonic()
            host.signal(signal.SIGCONT)
            await recorder.more(MORE)
        await quiet.send("1 10")
        assert await quiet.recv() == "1"
        latest = 0.0
        for number in range(5):
            while not (found := (await ask(host, f"/book/alarm-{number}/read"))[1])["fired"]:
                await asyncio.sleep(0.02)
            due_ms, at_ms = found["fired"][0]
            assert at_ms >= due_ms
            latest = max(latest, monotonic() - began)
        assert recorder.failures == 0, recorder.failed
        lines = host.lines()
        check_lines(lines, seconds)
        assert not any("reset of" in line for line in lines), lines
        await check_kept(host, recorder)
        assert await host.stop() == 0
    await stage.recover(recorder)
    return {
        "acknowledged": recorder.total,
        "stopped_seconds": seconds,
        "alarms_after_seconds": latest,
    }
