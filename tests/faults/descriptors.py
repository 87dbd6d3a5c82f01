"""No file descriptor is left: connections wait, clients that are connected go on, and so does storage."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic

from roomhost.runtime.limits import RESERVED_FILES

from .case import Figures, Stage, check_lines
from .traffic import Recorder, ask, check_kept, traffic

FILES = 300  # that the host may open, of which it keeps some for itself
STRANGERS = 60  # connections beyond that
MORE = 150


async def limit(stage: Stage) -> Figures:
    """RLIMIT_NOFILE, which many connections want to pass: they are refused, and not by silence."""
    recorder, refused = Recorder(), 0
    shell = ("sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh")
    host = stage.host()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(host.__aexit__)
        await host.start(shell)
        began = monotonic()
        async with traffic(host, recorder):
            await recorder.more(MORE)
            strangers: list[asyncio.StreamWriter] = []
            for _ in range(STRANGERS):
                reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
                strangers.append(writer)
                if len(strangers) > FILES - RESERVED_FILES:
                    refused += (await reader.readline()).startswith(b"HTTP/1.1 503")
            # More than a segment of the log takes: the next one needs a descriptor too.
            for _ in stage.rounds(3, 30):
                await recorder.more(MORE)
            assert len(list((stage.data / "partition-0").glob("log-*"))) > 1
            for writer in strangers:
                writer.close()
            await asyncio.gather(*map(gone, strangers))
            await recorder.more(MORE)
        assert (await ask(host, "/healthz"))[0] == 200
        assert recorder.failures == 0
        lines = host.lines()
        check_lines(lines, monotonic() - began, "ulimit -n")
        await check_kept(host, recorder)
        assert await host.stop() == 0
    assert refused > 0
    await stage.recover(recorder)
    return {"acknowledged": recorder.total, "strangers": STRANGERS, "refused": refused}


async def gone(writer: asyncio.StreamWriter) -> None:
    """Return when a connection is closed."""
    with contextlib.suppress(OSError):
        await writer.wait_closed()
