"""A disk that is full at a moment of its own: while the host starts, and while it makes a backup."""

from __future__ import annotations

from time import monotonic

from .case import Figures, Stage, check_lines, command
from .sync_fails import starts
from .traffic import Recorder, ask, check_kept, traffic

MORE = 100
SPACES = (0, 100, 100_000)  # bytes that there are for a start
LONG_SPACES = (*SPACES, 20, 40, 4_096, 8_192, 16_384, 32_768, 49_152, 65_536, 200_000, 400_000)


async def start(stage: Stage) -> Figures:
    """With so few bytes a host starts, or ends with status 2 and one line; with more the next one
    starts on what that left: in a new directory, and in one with data."""
    refused, shim, recorder = 0, stage.shim(), Recorder()
    spaces = LONG_SPACES if stage.long else SPACES
    for space in spaces:
        shim.fill(space)
        refused += await starts(stage, shim)
    assert refused > 0
    shim.free()
    async with stage.host(shim) as host, traffic(host, recorder):
        assert host.ended is None, host.lines()
        await recorder.more(MORE)
    for space in spaces[: None if stage.long else 1]:  # killed, so there is a log to bring in
        shim.fill(space)
        refused += await starts(stage, shim)
    shim.free()
    await stage.recover(recorder, examined=True)
    return {"starts": len(spaces), "refused": refused, "acknowledged": recorder.total}


async def backup(stage: Stage) -> Figures:
    """It fails with one line and leaves nothing behind; the host, which shares the disk, goes on; with
    space the same command succeeds."""
    recorder, shim = Recorder(), stage.shim()
    target = stage.scratch / "disk" / "backup"
    asked = ("backup", str(target), "--data-dir", str(stage.data))
    async with stage.host(shim) as host:
        began = monotonic()
        for number in range(2):
            await ask(host, f"/book/large-{number}/grow?count=2&size=200000")
        async with traffic(host, recorder):
            await recorder.more(MORE)
            shim.fill(300_000)
            status, said = await command(*asked)
            assert (status, said[-1].startswith("roomhost: the disk ")) == (2, True), said
            assert not any("Traceback" in line for line in said), said
            assert not target.exists(), list(target.iterdir())
            shim.free()
            await recorder.more(MORE)
            status, said = await command(*asked)
            assert status == 0, said
        check_lines(host.lines(), monotonic() - began)
        await check_kept(host, recorder)
        assert await host.stop() == 0
    await stage.recover(recorder)
    return {"acknowledged": recorder.total, "failed": recorder.failures}
