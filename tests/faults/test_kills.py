"""Nothing that a host acknowledged is lost to `kill -9`, and a host that loses something is found out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from .kill_broken import BROKEN
from .kill_client import Promise, Record
from .kill_life import Life
from .kill_moments import LIFE, Blow, Moment, Victim, blows_of

SEED = 20_261_127
LIVES = 2  # of a directory, each of as many kills as there are blows
SOON = 2.0  # seconds that something gets to happen in a broken host
SOME = Blow(Moment.COUNT, count=60)
FEW = Blow(Moment.COUNT, count=5)
LONG = Blow(
    Moment.APPEND, seconds=10, seam="pwritev.after:9999"
)  # the host kills itself, for another reason


@pytest.mark.timeout(150)
@pytest.mark.parametrize("life", range(LIVES))
def test_what_was_acknowledged_survives(tmp_path: Path, life: int) -> None:
    """Fifteen kills at moments of every kind, on one directory, each followed by a look at all that
    was promised to anybody; then the host stops by itself."""
    record, random = Record(), Random(SEED + life)
    strike(Life(tmp_path, random, record), blows_of(random))
    assert record.complaints == []
    assert set(record.checked) >= set(record.acknowledged)
    assert min(record.acknowledged.values()) > len(LIFE)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("broken", "blows", "promise"),
    [
        ("answers_early", [SOME], Promise.DURABLE),
        ("forgets_the_log", [SOME], Promise.KEPT),
        ("splits_turns", [LONG], Promise.WHOLE),
        ("lets_out_early", [SOME], Promise.KEPT),
        ("forgets_keys", [LONG], Promise.ONCE),
        ("resumes_behind", [FEW, SOME], Promise.GAPLESS),
        ("resumes_in_disorder", [FEW, SOME], Promise.ORDER),
        ("forgets_presence", [SOME], Promise.PRESENCE),
        ("forgets_updates", [SOME], Promise.DOCUMENT),
        ("rings_early", [SOME], Promise.NOT_EARLY),
        ("forgets_overdue", [SOME], Promise.RINGS),
        ("forgets_secrets", [FEW], Promise.TOKENS),
        ("keeps_its_socket", [FEW], Promise.STARTS),
        ("trusts_the_lock", [FEW], Promise.STARTS),
        ("backs_up_in_place", [Blow(Moment.BACKUP, count=2, victim=Victim.COPY)], Promise.BACKUP),
        ("backs_up_early", [Blow(Moment.BACKUP, count=99)], Promise.BACKUP),
        ("migrates_in_two", [Blow(Moment.DEPLOY, seam="record.after:1")], Promise.DEPLOY),
        ("leaves_alarms", [SOME], Promise.SOUND),
        ("logs_errors", [FEW], Promise.QUIET),
    ],
)
def test_a_broken_host_is_found_out(
    tmp_path: Path, broken: str, blows: Sequence[Blow], promise: Promise
) -> None:
    """By the complaint that is about what it breaks."""
    record = Record(patience=SOON)
    strike(Life(tmp_path, Random(SEED), record, broken), blows)
    assert promise in {complaint.promise for complaint in record.complaints}


def test_every_promise_is_broken_by_somebody() -> None:
    """And every broken host is tried."""
    (mark,) = (
        mark
        for mark in test_a_broken_host_is_found_out.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    )
    tried = {each[0] for each in mark.args[1]}
    assert tried == set(BROKEN)
    assert {each[2] for each in mark.args[1]} == set(Promise)


def strike(life: Life, blows: Sequence[Blow]) -> None:
    """Kill the host so often; then let it stop."""

    async def run() -> None:
        with life.host.killed_at_the_end():
            for blow in blows:
                await life.strike(blow)
            await life.end()

    asyncio.run(run())
