"""The limit of the map is reached, by a setting: deletes go on, and make room for what is written."""

from __future__ import annotations

from time import monotonic

from .case import Figures, Stage, check_lines, until_said, until_well
from .traffic import Recorder, ask, check_kept, traffic

LIMIT_BYTES = 16 << 20
FAIL = "commits fail: storage has reached its limit"
MORE = 60


async def limit(stage: Stage) -> Figures:
    """Filled by large and by small entries; emptied, and filled again."""
    recorder = Recorder()
    async with stage.host(max_storage_bytes=LIMIT_BYTES) as host:
        for number in stage.rounds(2, 8):
            size = (100_000, 700)[number % 2]
            began, books = monotonic(), 0
            while (await ask(host, f"/book/large-{books}/fill?count=20&size={size}"))[0] == 200:
                books += 1
            async with traffic(host, recorder, size=size):
                lines = await until_said(host, FAIL)
                await recorder.more(failed=10)
            check_lines(lines, monotonic() - began, FAIL)
            for book in range(books):
                assert (await ask(host, f"/book/large-{book}/empty"))[0] == 200
            # Little, or what is kept fills the map after some rounds.
            async with traffic(host, recorder, size=100):
                await recorder.more(MORE)
                await until_well(host, lines)
        await check_kept(host, recorder)
        assert await host.stop() == 0
    size = (stage.data / "partition-0" / "data.mdb").stat().st_size
    assert size < 1.5 * LIMIT_BYTES
    await stage.recover(recorder, examined=True)
    return {"acknowledged": recorder.total, "failed": recorder.failures, "map_bytes": size}
