"""A disk that fills while clients write, and is freed again: by a budget of bytes, by a limit of file
sizes, and by a real file system of 64 MiB where one can be mounted."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from time import monotonic

from ..helpers.host_process import REPOSITORY
from .case import Figures, Stage, check_lines, until_said
from .faulty_host import FaultyHost
from .shim import Control
from .traffic import Recorder, ask, check_kept, traffic

DISK_BYTES = 64 << 20
FAIL = "commits fail: the disk is full"
AGAIN = "commits succeed again"
MORE = 100  # writes that succeed before and after


async def budget(stage: Stage) -> Figures:
    """Files may grow by so many bytes: what is read goes on, what is written fails, and succeeds once
    there is space."""
    shim, recorder, full = stage.shim(), Recorder(), 0
    async with stage.host(shim) as host, traffic(host, recorder):
        for number in stage.rounds(2, 12):
            await recorder.more(MORE)
            shim.fill(number * 150_000)
            await check_full(host, recorder)
            full += 1
            shim.free()
            await recorder.more(MORE)
            await until_said(host, AGAIN)
        await check_kept(host, recorder)
        assert await host.stop() == 0
    await stage.recover(recorder, examined=True)
    return figures(recorder) | {"filled": full, "refused": shim.count(Control.REFUSED)}


async def file_limit(stage: Stage) -> Figures:
    """RLIMIT_FSIZE, taken away from the running process: EFBIG instead of ENOSPC."""
    recorder = Recorder()
    async with stage.host() as host, traffic(host, recorder):
        await recorder.more(MORE)
        largest = (stage.data / "partition-0" / "data.mdb").stat().st_size
        host.limit(resource.RLIMIT_FSIZE, largest + 100_000)
        await check_full(host, recorder)
        host.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        await recorder.more(MORE)
        await check_kept(host, recorder)
        assert await host.stop() == 0
    await stage.recover(recorder)
    return figures(recorder)


async def file_system(stage: Stage) -> Figures:
    """A tmpfs of 64 MiB, filled by an actor, and by a file of somebody else's; where this user may
    mount one, which is said in the figures."""
    recorder = Recorder()
    async with mounted(stage.scratch / "tmpfs") as disk:
        if disk is None:
            return {"mounted": 0}

        inside = stage.scratch / "tmpfs"
        host = FaultyHost(inside / "data", stage.scratch)
        enter = ("nsenter", "--target", str(disk.pid), "--mount", "env", "--chdir", str(REPOSITORY))
        outside = Path(f"/proc/{disk.pid}/root{inside}")
        async with contextlib.aclosing(started(host, enter)) as starts:
            await anext(starts)
            async with traffic(host, recorder):
                await recorder.more(MORE)
                foreign = outside / "foreign"
                fill_by_file(foreign)
                await check_full(host, recorder)
                foreign.unlink()
                await recorder.more(MORE)
                await until_said(host, AGAIN)
                await fill_by_actor(host)
                await recorder.more(failed=20)
                assert (await ask(host, "/book/large/empty"))[0] == 200
                await recorder.more(MORE)
            await check_kept(host, recorder)
            assert await host.stop() == 0
            fill_by_file(foreign)
            await anext(starts)  # on a full disk: it starts, or says in a line why not
            if host.ended is None:
                await check_kept(host, recorder)
                assert await host.stop() == 0
            else:
                assert (host.ended, len(host.lines())) == (2, 1)
            foreign.unlink()
            await anext(starts)
            await check_kept(host, recorder)
            assert await host.stop() == 0
    return figures(recorder) | {"mounted": 1}


async def check_full(host: FaultyHost, recorder: Recorder) -> None:
    """Writes fail from now on, with a line; the rest of the host goes on."""
    began = monotonic()
    lines = await until_said(host, FAIL)
    await recorder.more(failed=10)
    assert (await ask(host, "/healthz"))[0] == 200
    assert (await ask(host, "/book/shared/read"))[0] == 200
    assert host.runs
    check_lines(lines + host.lines(), monotonic() - began, FAIL)


async def fill_by_actor(host: FaultyHost) -> None:
    """An object stores what fits."""
    status = 200
    while status == 200:
        status, _ = await ask(host, "/book/large/grow?count=5&size=1000000")
    assert status == 503, status


def fill_by_file(path: Path) -> None:
    """A file that takes all that is left."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4_096))


async def started(host: FaultyHost, command: tuple[str, ...]) -> AsyncGenerator[FaultyHost]:
    """The host, started by `command` each time it is asked for; what runs in the end is killed."""
    try:
        while True:
            yield await host.start(command)
    finally:
        await host.__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def mounted(place: Path) -> AsyncGenerator[subprocess.Popen[bytes] | None]:
    """A process in whose mount namespace a tmpfs is at `place`; None: this user may not."""
    place.mkdir()
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        yield None
        return

    script = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && echo && exec sleep infinity'
    holder = subprocess.Popen(  # noqa: ASYNC220
        ["unshare", "--mount", "sh", "-c", script, str(place)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert holder.stdout is not None
        with holder.stdout as said:
            there = await asyncio.to_thread(said.readline)
        yield holder if there else None
    finally:
        holder.kill()
        holder.wait()


def figures(recorder: Recorder) -> Figures:
    """What there was of traffic."""
    return {"acknowledged": recorder.total, "failed": recorder.failures}
