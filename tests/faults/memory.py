"""No memory is left: an allocation fails in an actor, or the map cannot grow (RLIMIT_AS).

What Rust allocates, in a document that is loaded, ends the process if it fails: that is a crash, which
loses nothing acknowledged either, and is tested as one.
"""

from __future__ import annotations

import resource
from pathlib import Path
from time import monotonic

from .case import Figures, Stage, check_lines
from .faulty_host import FaultyHost
from .traffic import Recorder, ask, check_kept, traffic

SPARE_BYTES = 48 << 20
LARGE_BYTES = 512 << 20
MORE = 100


async def allocation(stage: Stage) -> Figures:
    """An actor asks for too much: its caller is told, everybody else goes on."""
    recorder, failed = Recorder(), 0
    async with stage.host() as host:
        async with traffic(host, recorder):
            await recorder.more(MORE)
            limit_memory(host)
            began = monotonic()
            for _ in stage.rounds(3, 50):
                status, _ = await ask(host, f"/book/large/allocate?size={LARGE_BYTES}")
                assert status == 500
                failed += 1
                await recorder.more(MORE)
        assert recorder.failures == 0
        lines = host.lines()
        assert len([line for line in lines if line.startswith("MemoryError")]) == failed
        check_lines([line for line in lines if line[:2] == "20"], monotonic() - began)
        await check_kept(host, recorder)
        assert await host.stop() == 0
    await stage.recover(recorder)
    return {"acknowledged": recorder.total, "failed_allocations": failed}


async def growth(stage: Stage) -> Figures:
    """The map cannot grow: LMDB has lost it then, so the host says to restart it, and is not healthy.
    What had been acknowledged is there after that."""
    recorder = Recorder()
    async with stage.host(max_storage_bytes=64 << 20) as host:
        async with traffic(host, recorder):
            await recorder.more(MORE)
            limit_memory(host, 12 << 20)
            status = 200
            while status == 200:
                status, _ = await ask(host, "/book/large/grow?count=1&size=1000000")
            assert status == 503
            await recorder.more(failed=20)
            host.limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
            await recorder.more(failed=20)
        for path in ("/readyz", "/healthz"):
            status, text = await ask(host, path)
            assert (status, "restart the host" in text) == (503, True)
        lines = host.lines()
        assert len([line for line in lines if "commits fail: storage is unusable" in line]) == 1
        assert not any("Traceback" in line for line in lines), lines
        await host.stop()
        assert not any("Traceback" in line for line in host.lines())
    await stage.recover(recorder, examined=True)
    return {"acknowledged": recorder.total, "failed": recorder.failures}


def limit_memory(host: FaultyHost, spare: int = SPARE_BYTES) -> None:
    """Let the host have no more addresses than it has, and `spare` bytes."""
    pages = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0])
    host.limit(resource.RLIMIT_AS, pages * resource.getpagesize() + spare)
