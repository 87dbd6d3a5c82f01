"""The clients of `roomhost bench`, beside a host that is served."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.bindings import limits
from roomhost.bindings.bench_client import Job, run

from ..helpers.bench_app import app
from ..helpers.served import served


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server and the clients are asyncio's."""
    return "asyncio"


def job(url: str, message: str) -> Job:
    """Two rooms of three sockets."""
    host, _, port = url.removeprefix("http://").partition(":")
    return Job(host, int(port), ["/board/a/", "/board/b/"], 3, {}, message, 0.01)


async def test_one_speaks_where_others_hear() -> None:
    """In each room; what is said when a socket opens counts for nothing."""
    async with served(app) as (url, _):
        outcome = await run(job(url, "tell"))
    assert outcome.reach == 2
    assert outcome.sent == sum(outcome.counts.values()) >= 2
    assert outcome.heard == 2 * outcome.sent


async def test_a_message_that_nobody_hears_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with the cure."""
    monkeypatch.setattr(limits, "BENCH_ANSWER_SECONDS", 0.05)
    async with served(app) as (url, _):
        with pytest.raises(TimeoutError, match=r"nobody heard .* by --message"):
            await run(job(url, "mute"))
