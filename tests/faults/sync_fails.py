"""What is to reach the disk fails with EIO: nothing is acknowledged on the strength of a second try, and
after a restart everything that was is there."""

from __future__ import annotations

import asyncio
from time import monotonic

from .case import Figures, Stage, check_lines
from .faulty_host import PROBE_SECONDS, FaultyHost
from .shim import UNLIMITED, Control, Shim
from .traffic import ANSWER_SECONDS, Recorder, ask, traffic

MORE = 100
UNUSABLE = "commits fail: storage is unusable"


async def log(stage: Stage) -> Figures:
    """A write of the commit log, once or for ever, with its bytes on the disk or without: the log is
    broken for good, the host says to restart it, and is neither ready nor healthy."""
    recorder, rounds = Recorder(), 0
    for times, written in ((1, False), (1, True), (UNLIMITED, False), (UNLIMITED, True)):
        if not stage.long and rounds == 2:
            break
        await break_once(stage, recorder, "log-", times=times, written=written)
        rounds += 1
    await stage.recover(recorder, examined=True)
    return {"acknowledged": recorder.total, "failed": recorder.failures, "broken": rounds}


async def break_once(
    stage: Stage, recorder: Recorder, match: str, *, times: int, written: bool
) -> None:
    """One host, from its start to its end."""
    shim = stage.shim()
    async with stage.host(shim) as host:
        async with traffic(host, recorder):
            await recorder.more(MORE)
            began = monotonic()
            shim.fail_syncs(match, after=5, times=times, written=written)
            await recorder.more(failed=10)
            total = recorder.total
            await recorder.more(failed=20)
            assert recorder.total == total, "something was acknowledged by a log that is broken"
        for path in ("/readyz", "/healthz"):
            status, text = await ask(host, path)
            assert (status, "restart the host" in text) == (503, True), text
        assert (await ask(host, "/book/shared/read"))[0] == 200
        check_lines(host.lines(), monotonic() - began, UNUSABLE)
        assert shim.count(Control.SYNC_FAILED) == 1  # it is not tried again
        shim.repair()
        assert await host.stop() == 0
        check_lines(host.lines(), 1)


async def applied(stage: Stage) -> Figures:
    """LMDB's file cannot be synced while the log can: writes go on for as long as the log holds them,
    nothing is lost, and a disk that works again is used again, or said to need a restart."""
    recorder, failed, unusable = Recorder(), 0, 0
    for after in stage.rounds(1, 6):
        shim = stage.shim()
        async with stage.host(shim) as host:
            async with traffic(host, recorder):
                await recorder.more(MORE)
                began = monotonic()
                shim.fail_syncs("data.mdb", after=after % 3, times=1 + after // 3)
                async with asyncio.timeout(ANSWER_SECONDS):
                    while shim.count(Control.SYNC_FAILED) == 0:
                        await asyncio.sleep(PROBE_SECONDS)
                failed += shim.count(Control.SYNC_FAILED)
                shim.repair()
                unusable += not await is_used_again(host, recorder)
            check_lines(host.lines(), monotonic() - began)
            assert await host.stop() == 0
            check_lines(host.lines(), 1)
        await stage.recover(recorder, examined=stage.long)
    return {
        "acknowledged": recorder.total,
        "failed": recorder.failures,
        "failed_syncs": failed,
        "unusable": unusable,
    }


async def is_used_again(host: FaultyHost, recorder: Recorder) -> bool:
    """Whether writes go on with a disk that works again; else the host says that it needs a restart,
    because LMDB does not know any more what the disk has."""
    total = recorder.total + MORE
    while recorder.total < total:
        status, text = await ask(host, "/healthz")
        if status == 503:
            assert "restart the host" in text
            return False

        await asyncio.sleep(PROBE_SECONDS)
    return True


async def start(stage: Stage) -> Figures:
    """While a host starts: it ends with status 2 and one line, and the next one starts."""
    recorder, refused = Recorder(), 0
    shim = stage.shim()
    async with stage.host(shim) as host, traffic(host, recorder):
        await recorder.more(MORE)
    for after in stage.rounds(3, 16):
        shim.fail_syncs(after=after)
        refused += await starts(stage, shim)
        shim.repair()
    assert refused > 0
    await stage.recover(recorder, examined=True)
    return {"acknowledged": recorder.total, "refused": refused}


async def starts(stage: Stage, shim: Shim) -> bool:
    """Start a host; whether it was refused, with a line, instead of starting."""
    async with stage.host(shim) as host:
        if host.ended is None:
            await host.stop()
            assert not any("Traceback" in line for line in host.lines())
            return False

        lines = host.lines()
        assert (host.ended, len(lines)) == (2, 1), (host.ended, lines)
        assert lines[0].startswith("roomhost: "), lines
        return True
